/**
 * Runs a real control plane on loopback: etcd, kube-apiserver and kube-controller-manager, and, if asked for,
 * schedulers and kwok, which stands in for the kubelets of nodes that are annotated for it.
 */
import type { ChildProcess } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createAuthority, issueServingCertificate, type KeyPair } from '../../../src/tls/authority.ts';
import { end, hasEnded, spawnOwned } from '../../support/owned-process.ts';
import { ApiServer } from './api-server.ts';
import { findPrograms, type Program } from './programs.ts';

export const ADMIN_TOKEN = 'admin-of-the-tests';

export interface ControlPlane extends AsyncDisposable {
  /** A client with the rights of an administrator. */
  readonly api: ApiServer;
  readonly ca: string;
  readonly url: string;
  readonly auditLog: string;
  /** The file with the administrator's kubeconfig. */
  readonly kubeconfig: string;
  /** Sends a signal to the API server. */
  readonly signal: (signal: NodeJS.Signals) => void;
  /**
   * Kills the API server, and starts it again with the same state and port.
   * @param flags in addition to the usual ones
   */
  readonly restartApiServer: (meanwhile?: () => Promise<unknown>, flags?: readonly string[]) => Promise<void>;
  /** Forgets all revisions but the present one, as etcd does every few minutes. */
  readonly compact: () => Promise<void>;
  readonly stop: () => Promise<void>;
}

export interface ControlPlaneOptions {
  /** The client certificate that the API server shows to webhooks. */
  readonly webhookClient?: KeyPair;
  /** Admission plugins of the API server beyond its defaults. */
  readonly admissionPlugins?: readonly string[];
  /** Names of schedulers that bind pods. Without a scheduler, the tests bind them. */
  readonly schedulers?: readonly string[];
  /** Whether kwok stands in for the kubelets of nodes annotated `kwok.x-k8s.io/node: fake`. */
  readonly kwok?: boolean;
}

const KWOK_STAGES = 'test/e2e/fixtures/kwok-stages.yaml';

/**
 * @throws Error if a program is missing, or does not come up; whatever has been started has ended by then
 */
export async function startControlPlane(options: ControlPlaneOptions = {}): Promise<ControlPlane> {
  const folder = mkdtempSync(join(tmpdir(), 'imc-control-plane-'));
  const running = new Set<ChildProcess>();
  const stop = async (): Promise<void> => {
    await Promise.all(Array.from(running, (child) => end(child)));
    rmSync(folder, { recursive: true, force: true });
  };
  const run = (program: string, name: string, args: readonly string[]): ChildProcess => {
    const log = openSync(join(folder, `${name}.log`), 'a');
    const child = spawnOwned(program, args, { stdio: ['ignore', log, log], cwd: folder });
    running.add(child);
    child.once('exit', () => running.delete(child));
    return child;
  };
  try {
    return { ...(await start(folder, run, options)), stop, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

type Run = (program: string, name: string, args: readonly string[]) => ChildProcess;

async function start(
  folder: string,
  run: Run,
  { webhookClient, admissionPlugins = [], schedulers = [], kwok = false }: ControlPlaneOptions,
): Promise<Omit<ControlPlane, 'stop' | typeof Symbol.asyncDispose>> {
  const programs = findPrograms<Program>(
    'etcd',
    'kube-apiserver',
    'kube-controller-manager',
    ...(schedulers.length > 0 ? (['kube-scheduler'] as const) : []),
    ...(kwok ? (['kwok'] as const) : []),
  );
  const at = (name: string): string => join(folder, name);
  const [etcdPort, peerPort, port] = await Promise.all([freePort(), freePort(), freePort()]);

  const authority = createAuthority(Date.now());
  const names = ['localhost', '127.0.0.1', '10.0.0.1', 'kubernetes.default.svc'];
  const serving = issueServingCertificate(authority, names, Date.now());
  const accounts = generateKeyPairSync('rsa', { modulusLength: 2048 });
  writeFileSync(at('ca.crt'), authority.cert);
  writeFileSync(at('server.crt'), serving.cert);
  writeFileSync(at('server.key'), serving.key);
  writeFileSync(at('accounts.key'), accounts.privateKey.export({ type: 'pkcs1', format: 'pem' }));
  writeFileSync(at('accounts.pub'), accounts.publicKey.export({ type: 'spki', format: 'pem' }));
  writeFileSync(at('tokens.csv'), `${ADMIN_TOKEN},admin,admin,system:masters\n`);
  writeFileSync(
    at('audit.json'),
    JSON.stringify({
      apiVersion: 'audit.k8s.io/v1',
      kind: 'Policy',
      omitStages: ['RequestReceived'],
      rules: [
        { level: 'Metadata', userGroups: ['system:serviceaccounts:imagecache-webhook'] },
        { level: 'None' },
      ],
    }),
  );

  const etcdUrl = `http://127.0.0.1:${etcdPort}`;
  const peerUrl = `http://127.0.0.1:${peerPort}`;
  run(programs.etcd, 'etcd', [
    `--data-dir=${at('etcd')}`,
    '--unsafe-no-fsync',
    `--listen-client-urls=${etcdUrl}`,
    `--advertise-client-urls=${etcdUrl}`,
    `--listen-peer-urls=${peerUrl}`,
    `--initial-advertise-peer-urls=${peerUrl}`,
    `--initial-cluster=default=${peerUrl}`,
  ]);
  const url = `https://127.0.0.1:${port}`;
  const api = new ApiServer(url, authority.cert, ADMIN_TOKEN);
  const showsCertificate = webhookClient ? writeWebhookClient(folder, webhookClient) : [];
  const startApiServer = async (flags: readonly string[] = []): Promise<ChildProcess> => {
    const server = run(programs['kube-apiserver'], 'kube-apiserver', [
      `--etcd-servers=${etcdUrl}`,
      `--secure-port=${port}`,
      '--bind-address=127.0.0.1',
      '--advertise-address=127.0.0.1',
      '--endpoint-reconciler-type=none',
      `--tls-cert-file=${at('server.crt')}`,
      `--tls-private-key-file=${at('server.key')}`,
      `--token-auth-file=${at('tokens.csv')}`,
      '--service-cluster-ip-range=10.0.0.0/24',
      `--service-account-key-file=${at('accounts.pub')}`,
      `--service-account-signing-key-file=${at('accounts.key')}`,
      '--service-account-issuer=https://kubernetes.default.svc',
      '--authorization-mode=RBAC',
      '--allow-privileged=true',
      // Services lead to their endpoints without a kube-proxy.
      '--enable-aggregator-routing=true',
      ...(admissionPlugins.length > 0 ? [`--enable-admission-plugins=${admissionPlugins.join()}`] : []),
      '--etcd-compaction-interval=0',
      `--audit-policy-file=${at('audit.json')}`,
      `--audit-log-path=${at('audit.log')}`,
      '--audit-log-mode=blocking',
      ...showsCertificate,
      // The tests send as many requests as many clients.
      '--max-requests-inflight=2000',
      '--max-mutating-requests-inflight=1000',
      ...flags,
    ]);
    await untilReady(api, server, at('kube-apiserver.log'));
    return server;
  };
  let server = await startApiServer();
  const config = at('admin.kubeconfig');
  writeFileSync(config, kubeconfig(url, authority.cert, { token: ADMIN_TOKEN }));
  run(programs['kube-controller-manager'], 'kube-controller-manager', [
    `--kubeconfig=${config}`,
    '--leader-elect=false',
    '--secure-port=0',
    // Without kwok no kubelet renews the nodes, and the controller would mark all of them NotReady.
    `--controllers=*,-node-ipam-controller${kwok ? '' : ',-node-lifecycle-controller'}`,
    `--service-account-private-key-file=${at('accounts.key')}`,
    `--root-ca-file=${at('ca.crt')}`,
    '--kube-api-qps=500',
    '--kube-api-burst=1000',
    '--concurrent-deployment-syncs=20',
  ]);
  for (const name of schedulers) {
    writeFileSync(at(`${name}.json`), schedulerConfiguration(name, config));
    run(programs['kube-scheduler'], name, [`--config=${at(`${name}.json`)}`, '--secure-port=0']);
  }
  if (kwok) {
    run(programs.kwok, 'kwok', [
      `--kubeconfig=${config}`,
      `--config=${join(process.cwd(), KWOK_STAGES)}`,
      '--manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake',
      '--node-lease-duration-seconds=40',
    ]);
  }
  await api.untilPodsCanBeCreated('default');
  return {
    api,
    ca: authority.cert,
    url,
    auditLog: at('audit.log'),
    kubeconfig: config,
    signal: (signal) => server.kill(signal),
    restartApiServer: async (meanwhile, flags) => {
      await end(server);
      await meanwhile?.();
      server = await startApiServer(flags);
    },
    compact: async () => {
      const post = async (path: string, body: unknown): Promise<unknown> =>
        (await fetch(etcdUrl + path, { method: 'POST', body: JSON.stringify(body) })).json();
      const { header } = (await post('/v3/kv/range', { key: 'AA==' })) as { header: { revision: string } };
      await post('/v3/kv/compaction', { revision: header.revision, physical: true });
    },
  };
}

/** The configuration of a scheduler for pods that name it, which retries a refused binding after one second. */
function schedulerConfiguration(name: string, kubeConfigFile: string): string {
  return JSON.stringify({
    apiVersion: 'kubescheduler.config.k8s.io/v1',
    kind: 'KubeSchedulerConfiguration',
    clientConnection: { kubeconfig: kubeConfigFile, qps: 500, burst: 1000 },
    leaderElection: { leaderElect: false },
    podInitialBackoffSeconds: 1,
    podMaxBackoffSeconds: 1,
    profiles: [{ schedulerName: name }],
  });
}

/** Has the API server show a certificate to all webhooks. @returns the flags for it */
function writeWebhookClient(folder: string, { cert, key }: KeyPair): string[] {
  const kubeConfigFile = join(folder, 'webhooks.kubeconfig');
  const user = {
    'client-certificate-data': Buffer.from(cert).toString('base64'),
    'client-key-data': Buffer.from(key).toString('base64'),
  };
  writeFileSync(
    kubeConfigFile,
    JSON.stringify({ apiVersion: 'v1', kind: 'Config', users: [{ name: '*', user }] }),
  );
  const file = join(folder, 'admission.json');
  const configuration = {
    apiVersion: 'apiserver.config.k8s.io/v1',
    kind: 'WebhookAdmissionConfiguration',
    kubeConfigFile,
  };
  writeFileSync(
    file,
    JSON.stringify({
      apiVersion: 'apiserver.config.k8s.io/v1',
      kind: 'AdmissionConfiguration',
      plugins: [{ name: 'MutatingAdmissionWebhook', configuration }],
    }),
  );
  return [`--admission-control-config-file=${file}`];
}

/** A kubeconfig as JSON, which is YAML. */
export function kubeconfig(server: string, ca: string, user: Record<string, unknown>): string {
  const authority = Buffer.from(ca).toString('base64');
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'test',
    clusters: [{ name: 'test', cluster: { server, 'certificate-authority-data': authority } }],
    users: [{ name: 'test', user }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'test' } }],
  });
}

/**
 * Below the ports that Linux gives to outgoing connections, one of which could take a port before a server listens on
 * it.
 */
const PORTS = { first: 20_000, last: 31_999 };

/** A port of loopback on which nobody listens. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = PORTS.first + Math.floor(Math.random() * (PORTS.last - PORTS.first + 1));
    const server = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false));
      server.listen(port, '127.0.0.1', () => resolve(true));
    });
    if (!isFree) continue;
    await new Promise((resolve) => server.close(resolve));
    return port;
  }
}

async function untilReady(api: ApiServer, server: ChildProcess, log: string): Promise<void> {
  const until = Date.now() + 60_000;
  while (!hasEnded(server) && Date.now() < until) {
    const answer = await api.send('GET', '/readyz').catch(() => undefined);
    if (answer?.status === 200) return;
    await sleep(50);
  }
  throw new Error(`kube-apiserver did not become ready:\n${readFileSync(log, 'utf8').slice(-2000)}`);
}
