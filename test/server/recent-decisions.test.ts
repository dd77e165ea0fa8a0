/** What is remembered must be what would be decided. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decideOnJson } from '../../src/core/decide.ts';
import { explain } from '../../src/core/explain.ts';
import { isSameList } from '../../src/core/json.ts';
import { hashOf, podFingerprint, type PodFingerprint } from '../../src/core/pod-fingerprint.ts';
import { readPod } from '../../src/core/pod.ts';
import { ClusterIndex } from '../../src/index/cluster-index.ts';
import { RecentDecisions, type Decided } from '../../src/server/recent-decisions.ts';
import { readEntry } from '../../src/sources/kinds/index-entry.ts';
import { readManifest } from '../../src/sources/kinds/manifest.ts';
import {
  cacheObject,
  type CacheSpec,
  configWith,
  namespaceObject,
  nodeObject,
  NOW,
  podObject,
  selectorObject,
  type Json,
} from '../support/objects.ts';

const MINUTE = 60_000;
const image = fc.constantFrom('a:1', 'a:2', 'b:1', 'c:1');
const eci = { 'alibabacloud.com/eci': 'true' };

const object = fc.oneof(
  fc
    .record({
      name: fc.constantFrom('one', 'two', 'three', 'four', 'five', 'six'),
      images: fc.uniqueArray(image, { minLength: 1 }),
      size: fc.constantFrom(20, 30, 50),
      created: fc.constantFrom(1, 2).map((days) => new Date(NOW - days * 24 * 60 * MINUTE).toISOString()),
      phase: fc.constantFrom('Ready', 'Ready', 'Creating'),
      expires: fc.constantFrom(undefined, 1, 9, 11, 12),
      deleting: fc.boolean(),
    })
    .map(({ expires, ...cache }) =>
      cacheObject({
        ...cache,
        ...(expires !== undefined && { expires: new Date(NOW + expires * MINUTE).toISOString() }),
      }),
    ),
  fc.constantFrom({}, eci).map((labels) => namespaceObject('default', labels)),
  fc.constantFrom(10, 40).map((gib) => nodeObject('worker', {}, { 'a:1': gib * 2 ** 30 })),
  fc
    .constantFrom('1', '2')
    .map((count) =>
      selectorObject('all', { effect: { annotations: { 'k8s.aliyun.com/imc-match-count-request': count } } }),
    ),
);

const pod = fc
  .record({
    images: fc.array(image, { minLength: 1, maxLength: 3 }),
    labels: fc.constantFrom({}, eci),
    annotations: fc.constantFrom(
      {},
      { 'k8s.aliyun.com/eci-imc-id': 'imc-one' },
      { 'k8s.aliyun.com/imc-perfect-match': 'true' },
    ),
  })
  .map(podObject);

type Step =
  | { readonly apply: Json }
  | { readonly remove: Json }
  | { readonly wait: number }
  | { readonly confirm: true };
const step: fc.Arbitrary<Step> = fc.oneof(
  object.map((apply) => ({ apply })),
  object.map((remove) => ({ remove })),
  fc.constantFrom(1, 500, 30_000, MINUTE, 10 * MINUTE).map((wait) => ({ wait })),
  fc.constant({ confirm: true } as const),
);

describe('a remembered decision', () => {
  it.each([
    { pin: { notReady: 'deny' } },
    { pin: { notReady: 'warn' } },
    { pin: { notReady: 'auto' } },
    { minimumMatch: 'repository' },
  ] as const)('is the one that would be made now, whatever changed meanwhile (%j)', (options) => {
    const config = configWith(options);
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 30, size: 'max' }),
        fc.array(pod, { minLength: 1, maxLength: 3 }),
        fc.integer({ min: 1, max: 6 }),
        (steps, pods, every) => {
          const index = new ClusterIndex();
          const recent = new RecentDecisions(index, config);
          let now = NOW;
          for (const [i, each] of steps.entries()) {
            if ('apply' in each) readEntry(readManifest(each.apply)).apply(index);
            else if ('remove' in each) readEntry(readManifest(each.remove)).delete(index);
            else if ('wait' in each) now += each.wait;
            else index.confirm(now);
            // Many things may have changed since the last pod of a workload.
            if (i % every !== 0) continue;
            for (const asked of pods) {
              const { seen, decision } = decideOnJson(asked, 'default', index, config, now);
              const { explanation } = recent.decide(asked, 'default', now);
              expect({ ...explanation }).toEqual({ ...explain(decision, seen) });
            }
          }
        },
      ),
      { numRuns: 1500 },
    );
  });

  it('is not made again for the second pod of a workload, and where there are a thousand for the third', () => {
    const index = new ClusterIndex();
    index.confirm(NOW);
    const recent = new RecentDecisions(index, configWith());
    const decideOnPodsOf = (app: string): Decided[] =>
      ['1', '2', '3'].map((number) => {
        const plain = podObject({ labels: { app } });
        const metadata = { ...(plain['metadata'] as Json), name: `${app}-${number}` };
        return recent.decide({ ...plain, metadata }, 'default', NOW);
      });
    const [first, second] = decideOnPodsOf('web');
    expect(second).toBe(first);
    for (let i = 1; i < 1000; i++) decideOnPodsOf(`app-${i}`);
    const [firstOfMany, secondOfMany, thirdOfMany] = decideOnPodsOf('late');
    expect(secondOfMany).not.toBe(firstOfMany);
    expect(thirdOfMany).toBe(secondOfMany);
  });

  it('is not kept for a pod with a great deal of text, or a few thousand of those would take all memory', () => {
    const index = new ClusterIndex();
    index.confirm(NOW);
    const recent = new RecentDecisions(index, configWith());
    const decideThrice = (note: string): Decided[] =>
      [1, 2, 3].map(() => recent.decide(podObject({ annotations: { note } }), 'default', NOW));
    const [, second, third] = decideThrice('x'.repeat(1000));
    expect(third).toBe(second);
    const [, secondLong, thirdLong] = decideThrice('x'.repeat(10_000));
    expect(thirdLong).not.toBe(secondLong);
    expect(thirdLong).toStrictEqual(secondLong);
  });

  describe('in a cluster where caches come and go', () => {
    const BOTH = ['web:1', 'sidecar:1'];
    const podWith = (images: string[]): Json =>
      podObject({ images, annotations: { 'k8s.aliyun.com/eci-image-cache': 'true' } });
    const cluster = (): { put: (cache: CacheSpec) => void; decide: (images?: string[]) => Decided } => {
      const index = new ClusterIndex();
      index.confirm(NOW);
      const recent = new RecentDecisions(index, configWith());
      return {
        put: (cache) => readEntry(readManifest(cacheObject(cache))).apply(index),
        decide: (images = BOTH) => recent.decide(podWith(images), 'default', NOW),
      };
    };

    it('outlives a change to a cache that shares less with the pod than the chosen one, a sidecar say', () => {
      const { put, decide } = cluster();
      put({ name: 'web', images: BOTH });
      decide();
      const remembered = decide();
      put({ name: 'other', images: ['other:1', 'sidecar:1'] });
      put({ name: 'failed', images: ['other:1', 'sidecar:1'], phase: 'Failed' });
      expect(decide()).toBe(remembered);
      put({ name: 'web', images: BOTH, phase: 'Updating' });
      expect(decide().explanation.cacheId).not.toBe(remembered.explanation.cacheId);
    });

    it('outlives a change to one that matches as well and comes after the runner-up, but not to the runner-up', () => {
      const { put, decide } = cluster();
      put({ name: 'first', images: BOTH, size: 10 });
      put({ name: 'second', images: BOTH, size: 12 });
      put({ name: 'third', images: BOTH, size: 14 });
      decide();
      const remembered = decide();
      expect(remembered.explanation.why).toContain('before second');
      put({ name: 'third', images: BOTH, size: 14, phase: 'Updating' });
      put({ name: 'third', images: BOTH, size: 16 });
      expect(decide()).toBe(remembered);
      put({ name: 'second', images: BOTH, size: 17 });
      put({ name: 'third', images: BOTH, size: 14 });
      expect(decide().explanation.why).toContain('before third');
    });

    it.each([
      ['nobody asks of anything meanwhile', Infinity],
      ['another pod asks after each few', 100],
    ])('does not outlive a change that matters, however many that do not have come since: %s', (_, few) => {
      const { put, decide } = cluster();
      put({ name: 'web', images: BOTH, size: 30 });
      decide();
      const remembered = decide();
      put({ name: 'better', images: BOTH, size: 20 });
      for (let i = 0; i < 10_000; i++) {
        put({ name: 'other', images: ['other:1'], size: 20 + (i % 2) });
        if (i % few === 0) decide(['unheard:1']);
      }
      expect(decide().explanation.cacheName).toBe('better');
      expect(remembered.explanation.cacheName).toBe('web');
    });
  });
});

describe('the fingerprint of a pod', () => {
  const word = fc.constantFrom('', 'a', '1:a', 'a1:b', '-', '{}', '1', ':');
  const texts = fc.oneof(fc.constantFrom(undefined, null), fc.dictionary(word, word, { maxKeys: 3 }));
  const container = fc.record(
    { name: word, image: word, imagePullPolicy: word, extra: word },
    { requiredKeys: [] },
  );
  const anyPod = fc.record({
    metadata: fc.record({ name: word, labels: texts, annotations: texts }, { requiredKeys: [] }),
    spec: fc.record(
      {
        nodeName: word,
        nodeSelector: texts,
        initContainers: fc.array(container, { maxLength: 2 }),
        containers: fc.array(container, { maxLength: 2 }),
      },
      { requiredKeys: [] },
    ),
  });
  /** The pod as read, without its name; or that it cannot be. */
  const reading = (value: unknown): unknown => {
    try {
      return { ...readPod(value, 'default'), name: '' };
    } catch (error) {
      return (error as Error).message;
    }
  };

  it('is the same for two pods only if they are read the same', () => {
    fc.assert(
      fc.property(fc.array(anyPod, { minLength: 20, maxLength: 20 }), (pods) => {
        const seen: { fingerprint: PodFingerprint; read: unknown }[] = [];
        for (const each of pods) {
          const fingerprint = podFingerprint(each, 'default');
          if (fingerprint === undefined) continue;
          const same = seen.find((other) => isSameList(other.fingerprint, fingerprint));
          if (same) {
            expect(reading(each)).toEqual(same.read);
            expect(hashOf(fingerprint)).toBe(hashOf(same.fingerprint));
          } else seen.push({ fingerprint, read: reading(each) });
        }
      }),
      { numRuns: 2000 },
    );
  });

  it.each([
    ['what is written into one field', 'another', { a: '1' }, { a: '11:b1:c' }],
    ['one annotation', 'two', { a: 'b1:c1:d' }, { a: 'b', c: 'd' }],
  ])('keeps %s apart from %s', (_what, _other, one, two) => {
    const [first, second] = [one, two].map((annotations) =>
      podFingerprint(podObject({ annotations }), 'default'),
    );
    expect(isSameList(first!, second!)).toBe(false);
  });

  it('is of what is read, and of nothing else', () => {
    const plain = podObject();
    expect(podFingerprint({ ...plain, status: { phase: 'Pending' } }, 'default')).toEqual(
      podFingerprint(plain, 'default'),
    );
  });
});
