/**
 * `make cluster`: a whole cluster on this machine for people to play with, without root. A control plane with a scheduler, a
 * real and a virtual node that kwok plays, the built webhook and controller, and `imc simulate-eci` in the part of ECI.
 */
import { once } from 'node:events';
import { openSync, readFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../../src/core/error-message.ts';
import { startCluster } from '../e2e/support/cluster.ts';
import type { ControlPlane } from '../e2e/support/control-plane.ts';
import { addNode } from '../e2e/support/nodes.ts';
import { findPrograms, kubernetesMinor } from '../e2e/support/programs.ts';
import { end, hasEnded, spawnOwned } from '../support/owned-process.ts';
import { temporaryFolder } from '../support/webhook.ts';

const DEMO = 'test/cluster/demo.yaml';
/** Milliseconds after which one of our own programs is taken not to start. */
const PATIENCE = 30_000;

const print = (text: string): boolean => process.stdout.write(`${text}\n`);

/** Resolves at the first signal to end. More of them, as npm sends them, change nothing. */
const stopped = new Promise<void>((resolve) => {
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => resolve());
});
try {
  await run();
} catch (error) {
  process.stderr.write(`make cluster: ${messageOf(error)}\n`);
  process.exitCode = 1;
}

async function run(): Promise<void> {
  const { kubectl } = findPrograms('kubectl', 'kwok', 'etcd', 'kube-apiserver', 'kube-scheduler');
  print(`Starting a cluster of Kubernetes 1.${kubernetesMinor()}. This takes some ten seconds.`);
  await using plane = await startCluster({ schedulers: ['default-scheduler'], kwok: true });
  await Promise.all([
    addNode(plane.api, { name: 'worker-1', pods: 10 }),
    addNode(plane.api, { name: 'virtual-kubelet-1', virtual: true }),
  ]);
  await using ours = await startOurs(plane);
  const bin = dirname(kubectl);
  const isOnPath = (process.env['PATH'] ?? '').split(delimiter).includes(bin);
  print(`
It runs: a real node, a virtual node, the webhook, the controller, and a stand-in for ECI.
Their logs are in ${ours.folder}.

In another terminal, in this folder:

  export KUBECONFIG=${plane.kubeconfig}${isOnPath ? '' : ` PATH="${bin}:$PATH"`}

Three commands to try:

  # Three pods that find no cache: they pull for eight seconds, and the controller has a cache made.
  kubectl apply -f ${DEMO} && kubectl rollout status deployment/web

  # The stand-in for ECI takes ten seconds to make it.
  kubectl wait imagecaches --all --for=jsonpath='{.status.phase}'=Ready --timeout=60s

  # The next pods start from it within a second.
  kubectl rollout restart deployment/web && kubectl rollout status deployment/web && kubectl get pods -o custom-columns='NAME:.metadata.name,PHASE:.status.phase,CACHE:.metadata.annotations.k8s\\.aliyun\\.com/eci-imc-id'

Ctrl-C ends all of it.`);
  await Promise.race([stopped, ours.untilOneEnds()]);
  print('\nStopping.');
}

interface OurPrograms extends AsyncDisposable {
  readonly folder: string;
  /** @throws Error that says which one ended by itself, and with what it said last */
  readonly untilOneEnds: () => Promise<never>;
}

/** The webhook, the controller and the stand-in for ECI, as processes; and the webhook registered. */
async function startOurs(plane: ControlPlane): Promise<OurPrograms> {
  const folder = temporaryFolder();
  const logOf = (name: string): string => join(folder.path, `${name}.log`);
  const start = (name: string, ...flags: readonly string[]): ReturnType<typeof spawnOwned> => {
    const log = openSync(logOf(name), 'a');
    const args = [name, '--source=kubernetes', `--kubeconfig=${plane.kubeconfig}`, ...flags];
    return spawnOwned(process.execPath, ['dist/main.js', ...args], { stdio: ['ignore', log, log] });
  };
  const common = ['--create-on-miss-by=controller', '--host=127.0.0.1', '--metrics-port=0'];
  const certs = join(folder.path, 'certs');
  const children = {
    serve: start(
      'serve',
      ...common,
      '--port=0',
      `--tls-self-signed=${certs}`,
      '--bind-time=true',
      '--shutdown-delay=0',
      '--log-level=debug',
    ),
    controller: start('controller', ...common),
    'simulate-eci': start('simulate-eci', '--creation-time=10s'),
  };
  const stop = async (): Promise<void> => {
    await Promise.all(Object.values(children).map((child) => end(child, 'SIGTERM')));
    folder.remove();
  };
  const lastWords = (name: string): Error =>
    new Error(`imc ${name} has ended. It said:\n${readFileSync(logOf(name), 'utf8').slice(-2000)}`);
  const logged = async (name: keyof typeof children, pattern: RegExp): Promise<string> => {
    const until = Date.now() + PATIENCE;
    for (;;) {
      const found = pattern.exec(readFileSync(logOf(name), 'utf8'));
      if (found) return found[1] ?? '';
      if (hasEnded(children[name]) || Date.now() > until) throw lastWords(name);
      await sleep(50);
    }
  };
  try {
    const address = await logged('serve', /"address":"([^"]+)"[^\n]*"msg":"serving"/);
    await logged('serve', /"msg":"ready"/);
    await logged('controller', /"msg":"ready"/);
    const ca = readFileSync(join(certs, 'ca.crt'), 'utf8');
    await register(plane, address, ca);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    folder: folder.path,
    untilOneEnds: () =>
      Promise.race(
        Object.entries(children).map(async ([name, child]) => {
          if (!hasEnded(child)) await once(child, 'exit');
          throw lastWords(name);
        }),
      ),
    [Symbol.asyncDispose]: stop,
  };
}

/** As the README shows it for a webhook on one's own machine. */
async function register({ api }: ControlPlane, address: string, ca: string): Promise<void> {
  await api.create('/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations', {
    metadata: { name: 'imagecache-webhook' },
    webhooks: [
      {
        name: 'pods.imagecache-webhook.io',
        clientConfig: { url: `${address}/mutate`, caBundle: Buffer.from(ca).toString('base64') },
        rules: [
          {
            apiGroups: [''],
            apiVersions: ['v1'],
            operations: ['CREATE'],
            resources: ['pods', 'pods/binding', 'bindings'],
          },
        ],
        admissionReviewVersions: ['v1'],
        sideEffects: 'NoneOnDryRun',
        reinvocationPolicy: 'IfNeeded',
        failurePolicy: 'Ignore',
        timeoutSeconds: 2,
      },
    ],
  });
}
