import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Unsized } from '../../../src/core/controller/desired-cache.ts';
import { readWatchedPod } from '../../../src/core/controller/watched-pod.ts';
import { planCaches, type CachePlan } from '../../../src/core/plan/cache-plan.ts';
import { isNeed, needOf, type LeftOut, type Need } from '../../../src/core/plan/needs.ts';
import type { JsonObject } from '../../../src/core/kubernetes/json.ts';
import { readManifest } from '../../../src/sources/kinds/manifest.ts';
import { readOwnCache } from '../../../src/sources/kinds/own-cache.ts';
import type { ClusterIndex } from '../../../src/index/cluster-index.ts';
import {
  cacheObject,
  configWith,
  decideFor,
  indexOf,
  namespaceObject,
  nodeObject,
  NOW,
  podObject,
  type Json,
} from '../../support/objects.ts';

const RULES = {
  publicRegistries: ['docker.io/library'],
  privateImages: 'namespace',
  maxSizeGib: 100,
} as const;
const GB = 1e9;

interface Workload {
  readonly images: readonly string[];
  readonly namespace?: string;
  readonly secret?: boolean;
  readonly arm?: boolean;
  readonly extra?: string;
  readonly pods?: number;
}

function podOf({ images, namespace = 'a', secret = false, arm = false, extra }: Workload): Json {
  return podObject({
    images,
    namespace,
    ...(extra !== undefined && { annotations: { 'k8s.aliyun.com/eci-extra-ephemeral-storage': extra } }),
    spec: {
      ...(secret && { imagePullSecrets: [{ name: 'regcred' }] }),
      ...(arm && { nodeSelector: { 'kubernetes.io/arch': 'arm64' } }),
    },
  });
}

function needsOf(workloads: readonly Workload[], index: ClusterIndex): (Need | LeftOut)[] {
  return workloads.flatMap((workload, i) => {
    const { content } = readWatchedPod(podOf(workload));
    const pods = {
      namespace: workload.namespace ?? 'a',
      workload: `Deployment w${i}`,
      pods: workload.pods ?? 1,
    };
    return needOf(content!, pods, index, RULES, configWith(), NOW) ?? [];
  });
}

function planOf(
  workloads: readonly Workload[],
  index: ClusterIndex,
  more: { maxCaches?: number; previous?: readonly Unsized[] } = {},
): CachePlan {
  const needs = needsOf(workloads, index).filter(isNeed);
  return planCaches(needs, index, {
    costs: configWith(),
    maxCaches: more.maxCaches,
    previous: more.previous ?? [],
  });
}

/** The caches of a plan, as ECI has made them. */
function made({ caches }: CachePlan): JsonObject[] {
  return caches.map(({ name, manifest }) => {
    const { status } = cacheObject({ name, id: `imc-${name}` });
    return { ...manifest, status };
  });
}

const contentsOf = (objects: readonly JsonObject[]): Unsized[] =>
  objects.map((object) => readOwnCache(readManifest(object)).contents);

const SIZES = Object.fromEntries(
  Array.from({ length: 30 }, (_image, i) => [`docker.io/library/i${i}:1`, ((i % 5) + 1) * 0.4 * GB]),
);
const BASE = [namespaceObject('a', {}), namespaceObject('b', {}), nodeObject('n', {}, SIZES)];

const workloads = fc.array(
  fc.record({
    images: fc
      .uniqueArray(fc.nat(39), { minLength: 1, maxLength: 6 })
      .map((numbers) => numbers.map((i) => (i < 30 ? `i${i}:1` : `registry.example/private/i${i}:1`))),
    namespace: fc.constantFrom('a', 'b'),
    secret: fc.boolean(),
    arm: fc.boolean(),
    extra: fc.constantFrom('5Gi', '20Gi'),
    pods: fc.integer({ min: 1, max: 5 }),
  }),
  { minLength: 1, maxLength: 25 },
);

describe('a plan', () => {
  it('makes every pod fully warm that it does not leave out', () => {
    fc.assert(
      fc.property(workloads, (all) => {
        const index = indexOf(...BASE);
        const plan = planOf(all, index);
        expect(plan.leftOut).toEqual([]);
        expect(plan.warmPods).toBe(plan.pods);
        const warm = indexOf(...BASE, ...made(plan));
        for (const workload of all) expect(decideFor(podOf(workload), warm).decision.outcome).toBe('hit');
      }),
      { numRuns: 60 },
    );
  });

  it('names the same caches whatever the order of the workloads, and keeps within a number of caches', () => {
    fc.assert(
      fc.property(workloads, fc.nat(3), (all, maxCaches) => {
        const index = indexOf(...BASE);
        const names = (plan: CachePlan): string[] => plan.caches.map(({ name }) => name).toSorted();
        expect(names(planOf(all.toReversed(), index))).toEqual(names(planOf(all, index)));
        const limited = planOf(all, index, { maxCaches });
        expect(limited.caches.length).toBeLessThanOrEqual(maxCaches);
        const served = limited.leftOut.reduce((sum, { pods }) => sum + pods, limited.warmPods);
        expect(served).toBe(limited.pods);
      }),
      { numRuns: 30 },
    );
  });

  it('keeps the caches of an earlier plan, unless that makes one more', () => {
    const index = indexOf();
    const first = [{ images: ['a:1', 'b:1'] }, { images: ['c:1'] }];
    const before = planOf(first, index);
    expect(before.caches).toHaveLength(1);
    const previous = contentsOf(made(before));
    // What is added needs a cache of its own anyway: 15 images of unknown size fill 30 GiB.
    const many = Array.from({ length: 14 }, (_image, i) => `x${i}:1`);
    const after = planOf([...first, { images: many }], index, { previous });
    expect(after.caches.map(({ name }) => name)).toContain(before.caches[0]!.name);
    // What is added fits, so that one cache for all is better than two.
    const more = planOf([...first, { images: ['d:1'] }], index, { previous });
    expect(more.caches).toHaveLength(1);
    expect(more.caches[0]!.name).not.toBe(before.caches[0]!.name);
  });

  it('keeps no cache that is larger than the storage of a pod that it would serve', () => {
    const index = indexOf();
    const images = Array.from({ length: 20 }, (_image, i) => `i${i}:1`);
    const big = { images, extra: '100Gi' };
    const previous = contentsOf(made(planOf([big], index)));
    const plan = planOf([big, { images: ['i0:1'] }], index, { previous });
    expect(plan.caches).toHaveLength(2);
    const warm = indexOf(...made(plan));
    expect(decideFor(podOf({ images: ['i0:1'] }), warm).decision.outcome).toBe('hit');
  });

  it('writes an image as the earlier plan does, and else in one way whatever the order', () => {
    const index = indexOf();
    const long = { images: ['docker.io/library/nginx:1'] };
    const first = planOf([long], index);
    const again = planOf([{ images: ['nginx:1'] }, long], index, { previous: contentsOf(made(first)) });
    expect(again.caches.map(({ manifest }) => manifest)).toEqual(
      first.caches.map(({ manifest }) => manifest),
    );
    expect(planOf([long, { images: ['nginx:1'] }], index).caches[0]?.images).toEqual(['nginx:1']);
  });

  it('keeps the caches of an earlier plan within a number of caches, if they serve as many pods', () => {
    const index = indexOf();
    const of = (name: string, pods: number): Workload => ({
      images: Array.from({ length: 15 }, (_image, i) => `${name}${i}:1`),
      pods,
    });
    const before = planOf([of('a', 10), of('b', 11)], index, { maxCaches: 1 });
    const previous = contentsOf(made(before));
    const even = planOf([of('a', 10), of('b', 10)], index, { maxCaches: 1, previous });
    expect(even.caches[0]?.name).toBe(before.caches[0]?.name);
    const other = planOf([of('a', 12), of('b', 10)], index, { maxCaches: 1, previous });
    expect(other.caches[0]?.name).not.toBe(before.caches[0]?.name);
  });

  it('shares a number of caches among many namespaces in the time of their number', () => {
    const index = indexOf();
    const all = Array.from({ length: 600 }, (_namespace, i) => ({
      images: [`registry.example/app${i}:1`],
      namespace: `n${i}`,
      secret: true,
    }));
    const plan = planOf(all, index, { maxCaches: 300 });
    expect([plan.caches.length, plan.warmPods]).toEqual([300, 300]);
  });

  it('keeps no cache that holds what nobody needs any more', () => {
    const index = indexOf();
    const previous = contentsOf(made(planOf([{ images: ['a:1'] }, { images: ['b:1'] }], index)));
    const [cache] = planOf([{ images: ['a:1'] }], index, { previous }).caches;
    expect(cache?.images).toEqual(['a:1']);
  });

  it('serves the most pods within a number of caches', () => {
    const index = indexOf();
    const few = { images: ['a:1'], arm: true, pods: 2 };
    const many = { images: ['a:1'], pods: 7 };
    const { caches, leftOut, warmPods } = planOf([few, many], index, { maxCaches: 1 });
    expect(caches).toHaveLength(1);
    expect([warmPods, leftOut]).toEqual([
      7,
      [expect.objectContaining({ workload: 'Deployment w0', why: '--max-caches 1 leaves no cache for it' })],
    ]);
    expect(planOf([few, many], index, { maxCaches: 0 })).toMatchObject({ caches: [], warmPods: 0 });
  });

  it('shares private images with no other namespace, and public ones with all', () => {
    const index = indexOf(...BASE);
    const secret = { images: ['registry.example/app:1'], secret: true };
    const plan = planOf(
      [secret, { ...secret, namespace: 'b' }, { images: ['nginx:1'], secret: true }],
      index,
    );
    expect(new Set(plan.caches.map(({ namespace }) => namespace))).toEqual(new Set(['a', 'b', null]));
    for (const { namespace, manifest } of plan.caches) {
      const { annotations = {} } = manifest['metadata'] as { annotations?: Record<string, string> };
      expect(annotations['imagecache-webhook.io/namespaces']).toBe(namespace ?? undefined);
      expect(annotations).not.toHaveProperty(['imagecache-webhook.io/namespace-uid']);
      expect((manifest['spec'] as Json)['imagePullSecrets']).toEqual(
        namespace === null ? undefined : [`${namespace}:regcred`],
      );
    }
  });
});

describe('left out of a plan are', () => {
  const index = indexOf(nodeObject('n', {}, { 'docker.io/library/huge:1': 20 * GB }));
  it.each<[string, Json, string]>([
    [
      'pods that pin a cache',
      podObject({ annotations: { 'k8s.aliyun.com/eci-imc-id': 'imc-1' } }),
      'it pins imc-1',
    ],
    [
      'pods with more images than a cache can hold',
      podObject({ images: Array.from({ length: 21 }, (_image, i) => `i${i}:1`) }),
      'the pod has 21 images, and a cache at most 20',
    ],
    [
      'pods that switch matching off',
      podObject({ annotations: { 'k8s.aliyun.com/eci-auto-imc': 'false' } }),
      'k8s.aliyun.com/eci-auto-imc switches automatic matching off',
    ],
  ])('%s', (_title, pod, why) => {
    const pods = { namespace: 'a', workload: 'Pod p', pods: 1 };
    const { content } = readWatchedPod(pod);
    expect(needOf(content!, pods, index, RULES, configWith(), NOW)).toEqual({ ...pods, why });
  });

  it('pods that do not go to ECI, without a word', () => {
    const { content } = readWatchedPod(podObject({ labels: {} }));
    const pods = { namespace: 'a', workload: 'Pod p', pods: 1 };
    expect(needOf(content!, pods, index, RULES, configWith(), NOW)).toBeUndefined();
  });

  it('pods whose storage is too small for their images', () => {
    const { caches, leftOut } = planOf(
      [{ images: ['huge:1'] }, { images: ['huge:1'], extra: '50Gi' }],
      index,
    );
    expect(caches.map(({ sizeGib }) => sizeGib)).toEqual([40]);
    expect(leftOut).toEqual([
      expect.objectContaining({
        workload: 'Deployment w0',
        why: 'its images need 38 GiB, more than the 30 GiB of its storage',
      }),
    ]);
  });
});
