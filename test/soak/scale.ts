/**
 * `make soak`, second part: a real scheduler binds 5,000 pods of 100 Deployments to 2,000 nodes, of which 100 are
 * virtual; the webhook decides the pods on virtual nodes, and the controller makes the caches that they miss. The
 * number of requests to the API server must depend on the numbers of nodes and image sets, and not on the number of
 * pods.
 */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { NODE_FLAGS, residentBytes } from '../bench/processes.ts';
import { CA, SERVING_CERTIFICATE, temporaryFolder } from '../support/webhook.ts';
import { register, startCluster } from '../e2e/support/cluster.ts';
import { ADMIN_TOKEN, kubeconfig } from '../e2e/support/control-plane.ts';
import { addNode, TOLERATION } from '../e2e/support/nodes.ts';
import { startProxy, type FaultyProxy } from '../e2e/support/proxy.ts';
import type { Json } from '../support/objects.ts';
import { OurProgram } from '../support/our-program.ts';

const NODES = { real: 1900, virtual: 100 };
const DEPLOYMENTS = 100;
const REPLICAS = 50;
const PODS = DEPLOYMENTS * REPLICAS;
/** Milliseconds after which the test gives up on the cluster. */
const PATIENCE = 15 * 60_000;
const MIB = 2 ** 20;
/** The chart's memory limits, of which V8 may take 60 %. */
const LIMITS_MIB = { webhook: 512, controller: 384 };
const DECISION = 'imagecache-webhook.io/decision';

const print = (text: string): boolean => process.stdout.write(`${text}\n`);
const seconds = (since: number): string => `${((performance.now() - since) / 1000).toFixed(0)} s`;

async function atOnce<T>(
  items: readonly T[],
  clients: number,
  use: (item: T) => Promise<unknown>,
): Promise<void> {
  const left = [...items];
  const client = async (): Promise<void> => {
    for (let item = left.pop(); item !== undefined; item = left.pop()) await use(item);
  };
  await Promise.all(Array.from({ length: clients }, client));
}

const numbers = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

/** How often each kind of request went through a proxy. @param since how many earlier requests to leave out */
function requests({ seen }: FaultyProxy, since: number): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { method, path, isWatch } of seen.slice(since)) {
    const parts = path.split('/').filter((part) => part !== '');
    const resource = parts.findLast((part) => PLURALS.has(part)) ?? path;
    const verb = isWatch
      ? 'watch'
      : method === 'GET' && parts.at(-1) === resource
        ? 'list'
        : method.toLowerCase();
    const name = `${verb} ${resource}`;
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return counts;
}
const PLURALS = new Set([
  'configmaps',
  'events',
  'imagecaches',
  'leases',
  'namespaces',
  'nodes',
  'pods',
  'selectors',
]);

const began = performance.now();
await using plane = await startCluster({ schedulers: ['default-scheduler'], kwok: true });
const { api } = plane;
await atOnce(numbers(NODES.real), 20, (i) => addNode(api, { name: `worker-${i}`, pods: 1 }));
await atOnce(numbers(NODES.virtual), 20, (i) =>
  addNode(api, { name: `virtual-kubelet-${i}`, virtual: true }),
);
print(`${NODES.real} real and ${NODES.virtual} virtual nodes are ready after ${seconds(began)}`);

const folder = temporaryFolder({ 'tls.crt': SERVING_CERTIFICATE.cert, 'tls.key': SERVING_CERTIFICATE.key });
const proxies = { webhook: await startProxy(plane), controller: await startProxy(plane) };
for (const [name, proxy] of Object.entries(proxies))
  folder.write(`${name}.kubeconfig`, kubeconfig(proxy.url, proxy.ca, { token: ADMIN_TOKEN }));
const nodeFlags = (limitMib: number): string[] => [
  ...NODE_FLAGS,
  `--max-old-space-size=${Math.floor(0.6 * limitMib)}`,
];
const start = (name: string, config: string, limitMib: number, ...flags: readonly string[]): OurProgram =>
  new OurProgram(name, config, flags, join(folder.path, `${name}.log`), nodeFlags(limitMib));
// All Deployments share a sidecar. `incomplete` asks for a cache also if an existing cache holds the sidecar alone.
const onMiss = ['--create-on-miss-by=controller', '--create-on-miss-when=incomplete'];
const common = [...onMiss, '--host=127.0.0.1', '--metrics-port=0'];
const programs = {
  webhook: start(
    'serve',
    join(folder.path, 'webhook.kubeconfig'),
    LIMITS_MIB.webhook,
    ...common,
    '--bind-time=true',
    '--port=0',
    `--tls-cert=${join(folder.path, 'tls.crt')}`,
    `--tls-key=${join(folder.path, 'tls.key')}`,
  ),
  controller: start(
    'controller',
    join(folder.path, 'controller.kubeconfig'),
    LIMITS_MIB.controller,
    ...common,
    `--controller-quota=${2 * DEPLOYMENTS}`,
  ),
};
const eci = start('simulate-eci', plane.kubeconfig, LIMITS_MIB.controller, '--creation-time=5s');
const amiss: string[] = [];
try {
  const address = await programs.webhook.logged(/"address":"([^"]+)"[^\n]*"msg":"serving"/);
  await Promise.all(Object.values(programs).map((program) => program.logged(/"msg":"ready"/)));
  await register(api, 'imagecache-webhook', { address }, { ca: CA });
  await run();
} finally {
  await Promise.all([eci, ...Object.values(programs)].map((program) => program.stop()));
  await Promise.all(Object.values(proxies).map((proxy) => proxy.close()));
  folder.remove();
}
print(amiss.length === 0 ? 'nothing amiss' : `AMISS: ${amiss.join(', ')}`);
process.exitCode = amiss.length === 0 ? 0 : 1;

async function run(): Promise<void> {
  const names = ['webhook', 'controller'] as const;
  const memory = (): number[] => names.map((name) => residentBytes(programs[name].pid) / MIB);
  const before = memory();
  const since = names.map((name) => proxies[name].seen.length);
  const created = performance.now();
  await atOnce(numbers(DEPLOYMENTS), 5, (i) =>
    api.create('/apis/apps/v1/namespaces/default/deployments', deployment(i)),
  );
  const pods = await untilAllRun();
  print(`${PODS} pods run ${seconds(created)} after their Deployments were created`);
  const after = memory();

  const onVirtual = pods.filter(({ node }) => node.startsWith('virtual'));
  const decided = pods.filter((pod) => pod.decided);
  print(`${onVirtual.length} pods run on virtual nodes, ${decided.length} were decided`);
  if (onVirtual.length === 0) amiss.push('no pod runs on a virtual node');
  if (onVirtual.some((pod) => !pod.decided)) amiss.push('a pod on a virtual node was not decided');
  if (decided.length > onVirtual.length) amiss.push('a pod on a real node was decided');
  const missed = new Set(onVirtual.map(({ image }) => image)).size;
  const caches = await untilCaches(missed);
  print(`${missed} image sets were missed there, and ${caches} ImageCaches were made`);
  if (caches !== missed) amiss.push(`there are ${caches} ImageCaches of ${missed} image sets`);

  for (const [i, name] of names.entries()) {
    const counts = requests(proxies[name], since[i]!);
    const list = [...counts].toSorted(([, a], [, b]) => b - a).map(([what, count]) => `${what} ${count}`);
    print(
      `${name}: ${before[i]!.toFixed(0)} MiB before, ${after[i]!.toFixed(0)} MiB after; ${list.join(', ')}`,
    );
    const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
    if (after[i]! > LIMITS_MIB[name]) amiss.push(`the ${name} takes more memory than its limit`);
    if (total > PODS / 5) amiss.push(`the ${name} sent ${total} requests for ${PODS} pods`);
  }
}

interface SeenPod {
  readonly node: string;
  /** The image of its first container. */
  readonly image: string;
  readonly decided: boolean;
}

async function untilAllRun(): Promise<SeenPod[]> {
  const until = performance.now() + PATIENCE;
  for (;;) {
    const pods = await api.list('/api/v1/namespaces/default/pods');
    const running = pods.filter(({ status }) => (status as { phase: string }).phase === 'Running');
    if (running.length === PODS)
      return running.map(({ metadata, spec }) => ({
        node: (spec as { nodeName: string }).nodeName,
        image: (spec as { containers: { image: string }[] }).containers[0]!.image,
        decided: ((metadata as Json)['annotations'] as Json | undefined)?.[DECISION] !== undefined,
      }));
    if (performance.now() > until) throw new Error(`only ${running.length} of ${PODS} pods run`);
    await sleep(2000);
  }
}

/** Waits up to a minute for this many caches. @returns how many there are then */
async function untilCaches(count: number): Promise<number> {
  for (const until = performance.now() + 60_000; ; await sleep(1000)) {
    const { length } = await api.list('/apis/eci.alibabacloud.com/v1/imagecaches');
    if (length >= count || performance.now() > until) return length;
  }
}

/** A Deployment with an image of its own, and a sidecar that all Deployments have. */
function deployment(i: number): Json {
  const labels = { app: `app-${i}` };
  return {
    metadata: { name: `app-${i}` },
    spec: {
      replicas: REPLICAS,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels, annotations: { 'kwok.test/pulls-for': '10s' } },
        spec: {
          tolerations: [TOLERATION],
          containers: [
            { name: 'app', image: `registry.example/app-${i}:1` },
            { name: 'sidecar', image: 'registry.example/sidecar:1' },
          ],
        },
      },
    },
  };
}
