/**
 * Measures, in a process of its own, what the webhook and the controller keep of pods, nodes and caches, and how long the
 * controller looks at 200,000 pods. Prints its figures as JSON; keeping.ts starts it.
 */
import { Looking } from '../../src/controller/look.ts';
import type { Cluster } from '../../src/controller/cluster.ts';
import { NO_REGION } from '../../src/core/controller/region-facts.ts';
import { Backoffs } from '../../src/controller/backoffs.ts';
import { CreationLog } from '../../src/controller/creation-log.ts';
import { UseRecords } from '../../src/controller/use-records.ts';
import { ClusterIndex } from '../../src/index/cluster-index.ts';
import { readEntry } from '../../src/sources/kinds/index-entry.ts';
import { manifestOf } from '../../src/sources/kinds/manifest.ts';
import type { ApiClient } from '../../src/sources/kubernetes/api-client.ts';
import { PodContents, PodStore } from '../../src/sources/kubernetes/pod-store.ts';
import { UnboundPods } from '../../src/sources/kubernetes/unbound-pods.ts';
import { SYSTEM_CLOCK } from '../../src/clock.ts';
import { RULES } from '../support/misses.ts';
import {
  cacheObject,
  configWith,
  decideFor,
  indexOf,
  nodeObject,
  NOW,
  podObject,
  type Json,
} from '../support/objects.ts';

const MARKED_PODS = 200_000;
const TEMPLATES = 1000;
const CONFIG = configWith({ createOnMiss: { by: 'controller' } });

function heapBytes(): number {
  for (let i = 0; i < 3; i++) globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}

/** @returns bytes for each of `count` things that `keep` keeps */
function bytesEach(count: number, keep: (i: number) => void): number {
  const before = heapBytes();
  for (let i = 0; i < count; i++) keep(i);
  return (heapBytes() - before) / count;
}

const marked = Array.from({ length: TEMPLATES }, (_, i) => {
  const images = [`registry.example/team/app-${i}:1.2.3`, 'registry.example/mesh/sidecar:1.4'];
  const pod = podObject({ images });
  return { pod, ...decideFor(pod, indexOf(), { createOnMiss: { by: 'controller' } }) };
});

/** A marked pod as the API server sends it. @param labels beside those of its template */
function markedPod(i: number, labels: Json): Json {
  const { pod, annotations, labels: ofTemplate } = marked[i % TEMPLATES]!;
  return JSON.parse(
    JSON.stringify({
      ...pod,
      metadata: {
        name: `app-${i % TEMPLATES}-7f9c6d5b4-${i}`,
        namespace: `team-${i % 50}`,
        uid: `705ab4f5-6393-11e8-b7cc-4201${String(i).padStart(8, '0')}`,
        creationTimestamp: new Date(NOW - 1000 * (i % 3600)).toISOString(),
        annotations,
        labels: { ...ofTemplate, 'pod-template-hash': '7f9c6d5b4', ...labels },
      },
      spec: { ...(pod['spec'] as Json), nodeName: 'virtual-kubelet-a' },
      status: { phase: 'Running' },
    }),
  ) as Json;
}

const stores: PodStore[] = [];
function keepMarked(count: number, labelsOf: (i: number) => Json): number {
  const store = new PodStore(new PodContents(), { onChange: () => undefined, now: () => NOW });
  stores.push(store);
  return bytesEach(count, (i) => store.apply(`pod-${i}`, markedPod(i, labelsOf(i))));
}

const ofTemplate = keepMarked(MARKED_PODS, () => ({}));
const ofJob = keepMarked(2000, (i) => ({ 'job-name': `job-${i}`, 'controller-uid': `uid-${i}` }));

const index = indexOf();
const unbound = new UnboundPods(
  undefined as unknown as ApiClient,
  { onFailure: () => undefined, onStep: () => undefined, onConfirmed: () => undefined },
  new AbortController().signal,
  60_000,
  SYSTEM_CLOCK,
);
const withoutNode = bytesEach(20_000, (i) => unbound.store.apply(`pod-${i}`, markedPod(i, {})));

const cluster = new ClusterIndex();
const node = bytesEach(2000, (i) => {
  const sizes = Object.fromEntries(
    Array.from({ length: 50 }, (_, k) => [`registry.example/team/image-${k}:v${i % 20}`, 1e8 + k]),
  );
  const labels = Object.fromEntries(
    Array.from({ length: 15 }, (_, k) => [`example.com/label-${k}`, `v${k}`]),
  );
  readEntry(
    manifestOf('/Node', JSON.parse(JSON.stringify(nodeObject(`n${i}`, labels, sizes))) as Json),
  ).apply(cluster);
});
const cache = bytesEach(10_000, (i) => {
  const images = Array.from({ length: 5 }, (_, k) => `registry.example/team/app-${i}-${k}:v1`);
  const object = JSON.parse(JSON.stringify(cacheObject({ name: `c${i}`, images }))) as Json;
  readEntry(manifestOf('eci.alibabacloud.com/ImageCache', object)).apply(cluster);
});

const pods = stores[0]!;
const seen: Pick<Cluster, 'pods' | 'ownCaches' | 'confirmedAtMs' | 'workloads' | 'pullSecretsOf'> = {
  pods: () => pods.values(),
  ownCaches: () => [],
  confirmedAtMs: () => NOW,
  workloads: () => [],
  pullSecretsOf: () => [],
};
const looking = new Looking(
  seen as Cluster,
  index,
  {
    misses: { ...RULES, decision: CONFIG, exceptNamespaces: new Set() },
    prewarm: undefined,
    tenantLabel: '',
    quota: 100,
  },
  new UseRecords(),
  new CreationLog(),
  new Backoffs(),
  NO_REGION,
);
const before = process.cpuUsage();
const { situation } = await looking.look(NOW, new AbortController().signal);
const { user, system } = process.cpuUsage(before);
if (situation.misses.size !== TEMPLATES) throw new Error(`${situation.misses.size} misses`);
process.stdout.write(
  JSON.stringify({ ofTemplate, ofJob, withoutNode, node, cache, lookMs: (user + system) / 1000 }),
);
