/**
 * Runs a real control plane on loopback: etcd, kube-apiserver and, where the folder has one, kube-controller-manager.
 * The binaries are those of KUBEBUILDER_ASSETS, as setup-envtest lays them out. No scheduler and no kubelet: pods stay
 * Pending, and are bound by the tests themselves.
 */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createAuthority, issueServingCertificate, type KeyPair } from '../../../src/tls/authority.ts';
import { ApiServer } from './api-server.ts';

const ADMIN_TOKEN = 'admin-of-the-tests';

export interface Assets {
  readonly folder: string;
  readonly hasControllers: boolean;
}

/** @throws where KUBEBUILDER_ASSETS does not lead to a control plane */
export function findAssets(): Assets {
  const folder = process.env['KUBEBUILDER_ASSETS'] ?? '';
  for (const name of ['etcd', 'kube-apiserver']) {
    if (!existsSync(join(folder, name))) {
      throw new Error(
        `KUBEBUILDER_ASSETS (${folder || 'not set'}) holds no ${name}: name the folder of a control plane, as setup-envtest makes it`,
      );
    }
  }
  return { folder, hasControllers: existsSync(join(folder, 'kube-controller-manager')) };
}

export interface ControlPlane extends AsyncDisposable {
  /** As administrator. */
  readonly api: ApiServer;
  readonly ca: string;
  readonly url: string;
  readonly auditLog: string;
  /** Sends a signal to the API server. */
  readonly signal: (signal: NodeJS.Signals) => void;
  /** Kills the API server, and starts it again with the same state and port. */
  readonly restartApiServer: (meanwhile?: () => Promise<unknown>) => Promise<void>;
  /** Forgets all revisions but the present one, as etcd does every few minutes. */
  readonly compact: () => Promise<void>;
  readonly stop: () => Promise<void>;
}

export interface ControlPlaneOptions {
  /** What the API server shows to webhooks. */
  readonly webhookClient?: KeyPair;
}

export async function startControlPlane({ webhookClient }: ControlPlaneOptions = {}): Promise<ControlPlane> {
  const { folder: bin, hasControllers } = findAssets();
  const folder = mkdtempSync(join(tmpdir(), 'imc-control-plane-'));
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

  const showsCertificate = webhookClient ? writeWebhookClient(folder, webhookClient) : [];
  const running = new Set<ChildProcess>();
  const run = (name: string, args: readonly string[]): ChildProcess => {
    const log = openSync(at(`${name}.log`), 'a');
    const child = spawn(join(bin, name), [...args], { stdio: ['ignore', log, log], cwd: folder });
    running.add(child);
    child.once('exit', () => running.delete(child));
    return child;
  };

  const etcdUrl = `http://127.0.0.1:${etcdPort}`;
  const peerUrl = `http://127.0.0.1:${peerPort}`;
  run('etcd', [
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
  let server: ChildProcess;
  const startApiServer = async (): Promise<void> => {
    server = run('kube-apiserver', [
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
      // Nobody else makes the accounts that it asks for.
      ...(hasControllers ? [] : ['--disable-admission-plugins=ServiceAccount']),
      '--etcd-compaction-interval=0',
      `--audit-policy-file=${at('audit.json')}`,
      `--audit-log-path=${at('audit.log')}`,
      '--audit-log-mode=blocking',
      ...showsCertificate,
      // The tests are many clients in one.
      '--max-requests-inflight=2000',
      '--max-mutating-requests-inflight=1000',
    ]);
    await untilReady(api, server, at('kube-apiserver.log'));
  };
  await startApiServer();
  if (hasControllers) {
    const config = at('controllers.kubeconfig');
    writeFileSync(config, kubeconfig(url, authority.cert, { token: ADMIN_TOKEN }));
    run('kube-controller-manager', [
      `--kubeconfig=${config}`,
      '--leader-elect=false',
      '--secure-port=0',
      // Older ones open a port of fixed number besides, which another control plane may have.
      ...(minorVersion(bin) < 24 ? ['--port=0'] : []),
      '--controllers=*,-nodelifecycle,-nodeipam,-route,-service,-cloud-node-lifecycle',
      `--service-account-private-key-file=${at('accounts.key')}`,
      `--root-ca-file=${at('ca.crt')}`,
      '--kube-api-qps=500',
      '--kube-api-burst=1000',
      '--concurrent-deployment-syncs=20',
    ]);
    await api.untilPodsCanBeCreated('default');
  }

  const stop = async (): Promise<void> => {
    const children = [...running];
    for (const child of children) {
      child.kill('SIGCONT');
      child.kill('SIGKILL');
    }
    await Promise.all(
      children.filter((child) => child.exitCode === null).map((child) => once(child, 'exit')),
    );
    rmSync(folder, { recursive: true, force: true });
  };
  return {
    api,
    ca: authority.cert,
    url,
    auditLog: at('audit.log'),
    signal: (signal) => server.kill(signal),
    restartApiServer: async (meanwhile) => {
      const gone = once(server, 'exit');
      server.kill('SIGCONT');
      server.kill('SIGKILL');
      await gone;
      await meanwhile?.();
      await startApiServer();
    },
    compact: async () => {
      const post = async (path: string, body: unknown): Promise<unknown> =>
        (await fetch(etcdUrl + path, { method: 'POST', body: JSON.stringify(body) })).json();
      const { header } = (await post('/v3/kv/range', { key: 'AA==' })) as { header: { revision: string } };
      await post('/v3/kv/compaction', { revision: header.revision, physical: true });
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
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

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** 20, of Kubernetes v1.20.2. */
function minorVersion(bin: string): number {
  const version = execFileSync(join(bin, 'kube-controller-manager'), ['--version'], { encoding: 'utf8' });
  return Number(/v1\.(\d+)/.exec(version)?.[1]);
}

async function untilReady(api: ApiServer, server: ChildProcess, log: string): Promise<void> {
  const until = Date.now() + 60_000;
  while (server.exitCode === null && Date.now() < until) {
    const answer = await api.send('GET', '/readyz').catch(() => undefined);
    if (answer?.status === 200) return;
    await sleep(50);
  }
  throw new Error(`kube-apiserver did not become ready:\n${readFileSync(log, 'utf8').slice(-2000)}`);
}
