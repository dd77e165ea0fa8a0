/**
 * `make cluster`: starts a whole cluster on this machine for people to play with, without root. The cluster has a
 * control plane with a scheduler, a real and a virtual node of kwok, the built webhook and controller, and `imc
 * simulate-eci` instead of ECI.
 */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { messageOf } from '../../src/core/kubernetes/problem.ts';
import { podWebhook, startCluster } from '../e2e/support/cluster.ts';
import type { ControlPlane } from '../e2e/support/control-plane.ts';
import { addNode } from '../e2e/support/nodes.ts';
import { CLUSTER_PROGRAMS, findPrograms, kubernetesMinor } from '../e2e/support/programs.ts';
import { OurProgram } from '../support/our-program.ts';
import { temporaryFolder } from '../support/webhook.ts';

const DEMO = 'test/cluster/demo.yaml';

const print = (text: string): boolean => process.stdout.write(`${text}\n`);

/** Aborted by the first SIGINT or SIGTERM. Further signals, as npm sends them, change nothing. */
const stopping = new AbortController();
const stopped = once(stopping.signal, 'abort');
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => stopping.abort());
try {
  await run();
} catch (error) {
  process.stderr.write(`make cluster: ${messageOf(error)}\n`);
  process.exitCode = 1;
}

async function run(): Promise<void> {
  const { kubectl } = findPrograms(...CLUSTER_PROGRAMS);
  print(`Starting a cluster of Kubernetes 1.${kubernetesMinor()}. This takes some ten seconds.`);
  await using plane = await startCluster({ schedulers: ['default-scheduler'], kwok: true });
  if (stopping.signal.aborted) return;
  await Promise.all([
    addNode(plane.api, { name: 'worker-1', pods: 10 }),
    addNode(plane.api, { name: 'virtual-kubelet-1', virtual: true }),
  ]);
  await using ours = await startOurs(plane);
  if (stopping.signal.aborted) return;
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
  /** @throws Error that names the program that has ended by itself, with its last output */
  readonly untilOneEnds: () => Promise<never>;
}

/** Starts the webhook, the controller and the stand-in for ECI as processes, and registers the webhook. */
async function startOurs(plane: ControlPlane): Promise<OurPrograms> {
  const folder = temporaryFolder();
  const start = (name: string, ...flags: readonly string[]): OurProgram =>
    new OurProgram(name, plane.kubeconfig, flags, join(folder.path, `${name}.log`));
  const common = ['--create-on-miss-by=controller', '--host=127.0.0.1', '--metrics-port=0'];
  const certs = join(folder.path, 'certs');
  const serving = ['--port=0', `--tls-self-signed=${certs}`, '--shutdown-delay=0'];
  const webhook = start('serve', ...common, ...serving, '--bind-time=true', '--log-level=debug');
  const controller = start('controller', ...common);
  const all = [webhook, controller, start('simulate-eci', '--creation-time=10s')];
  const stop = async (): Promise<void> => {
    await Promise.all(all.map((program) => program.stop()));
    folder.remove();
  };
  try {
    const address = await webhook.logged(/"address":"([^"]+)"[^\n]*"msg":"serving"/);
    await Promise.all([webhook, controller].map((program) => program.logged(/"msg":"ready"/)));
    const ca = readFileSync(join(certs, 'ca.crt'), 'utf8');
    await plane.api.create('/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations', {
      metadata: { name: 'imagecache-webhook' },
      webhooks: [podWebhook('pods', `${address}/mutate`, ca)],
    });
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    folder: folder.path,
    untilOneEnds: () => Promise.race(all.map((program) => program.untilEnded())),
    [Symbol.asyncDispose]: stop,
  };
}
