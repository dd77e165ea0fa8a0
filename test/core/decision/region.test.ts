/** What a decision does with what ECI's API alone knows, and that nothing of it shows in a pod. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { surveyCandidates } from '../../../src/core/decision/match/matcher.ts';
import type { ClusterIndex } from '../../../src/index/cluster-index.ts';
import { readRegionCache } from '../../../src/sources/region/region-cache.ts';
import {
  cacheObject,
  decideFor,
  indexOf,
  podObject,
  type ConfigChange,
  type Json,
} from '../../support/objects.ts';

const PIN = 'k8s.aliyun.com/eci-imc-id';
const ID = 'imc-of-region';
const CLUSTER: ConfigChange = { sharing: { mode: 'cluster' } };

/** A complete manual cache of the region. */
function listed(change: Json = {}): Json {
  return {
    ImageCacheId: ID,
    ImageCacheName: 'made-in-the-console',
    Images: ['a:1', 'b:2'],
    ImageCacheSize: 20,
    Status: 'Ready',
    Progress: '100%',
    CreationTime: '2026-11-20T12:00:00Z',
    ...change,
  };
}

function withRegion(objects: readonly Json[], ...items: readonly Json[]): ClusterIndex {
  const index = indexOf(...objects);
  index.regionCaches.reset(items.map((item) => readRegionCache(item, 'cn-beijing')));
  return index;
}

const POD = podObject({ images: ['a:1', 'b:2'] });

describe('a cache that the API alone knows is given to a pod', () => {
  it('if it is made by hand, complete, and all caches are shared', () => {
    const { decision, annotations } = decideFor(POD, withRegion([], listed()), CLUSTER);
    expect(decision).toMatchObject({ outcome: 'hit', cacheId: ID });
    expect(annotations[PIN]).toBe(ID);
  });

  it.each<[string, Json, ConfigChange]>([
    ['unless sharing is cluster', {}, {}],
    ['not with sharing strict', {}, { sharing: { mode: 'strict' } }],
    ['not if ECI made it', { ImageCacheName: 'auto-create-for-eci-1' }, CLUSTER],
    ['not if ECI may evict it', { EliminationStrategy: 'LRU' }, CLUSTER],
    ['not if it lacks an image', { Images: ['a:1'] }, CLUSTER],
    ['not if it is not Ready', { Status: 'Failed' }, CLUSTER],
    ['not if it is too large', { ImageCacheSize: 60 }, CLUSTER],
    ['not if it expires at once', { ExpireDateTime: '2020-01-01T00:00:00Z' }, CLUSTER],
  ])('%s', (_title, change, config) => {
    const { decision, annotations } = decideFor(POD, withRegion([], listed(change)), config);
    expect(decision.outcome).toBe('miss');
    expect(annotations).not.toHaveProperty([PIN]);
  });

  it('and is shown by imc explain with the reason why it is not', () => {
    const index = withRegion([], listed({ ImageCacheName: 'auto-create-for-eci-1' }));
    const { decision } = decideFor(POD, index, CLUSTER);
    const [verdict] = surveyCandidates(decision.match!, index, 5);
    expect(verdict).toMatchObject({
      cache: { id: ID, knownFrom: 'api' },
      refusal: {
        code: 'OnlyInRegion',
        message: expect.stringContaining('it may be gone at any time') as string,
      },
    });
  });
});

describe('a cache that an object and the API know', () => {
  const object = cacheObject({ name: 'web', id: ID, images: ['a:1', 'b:2'] });

  it('is not chosen once the API says that it has failed', () => {
    expect(decideFor(POD, withRegion([object], listed())).decision.cacheId).toBe(ID);
    const { decision } = decideFor(POD, withRegion([object], listed({ Status: 'Failed' })));
    expect(decision).toMatchObject({ outcome: 'miss', cacheId: undefined });
  });

  it('is not denied as a pin because of what the API says', () => {
    const pod = podObject({ annotations: { [PIN]: ID } });
    const { decision } = decideFor(pod, withRegion([object], listed({ Status: 'Failed' })));
    expect(decision).toMatchObject({ outcome: 'pinned', reason: 'Pinned' });
  });

  it('belongs to whom its object says', () => {
    const theirs = {
      ...object,
      metadata: {
        ...(object['metadata'] as Json),
        annotations: { 'imagecache-webhook.io/namespaces': 'other' },
      },
    };
    const { decision } = decideFor(POD, withRegion([theirs], listed()));
    expect(decision).toMatchObject({ outcome: 'miss', reason: 'NoCacheHoldsImages' });
    const pinned = podObject({ annotations: { [PIN]: ID } });
    expect(decideFor(pinned, withRegion([theirs], listed())).decision.reason).toBe('NotShared');
  });
});

describe('a pin that the API alone knows', () => {
  const pod = podObject({ annotations: { [PIN]: ID } });

  it.each<[string, ConfigChange, Json]>([
    ['warned about', {}, {}],
    ['warned about', {}, { Status: 'Failed' }],
    ['denied', { pin: { unknown: 'deny' } }, {}],
  ])('is %s as an unknown one is, so that replicas with other lists agree', (_title, change, listing) => {
    const { decision, annotations } = decideFor(pod, withRegion([], listed(listing)), change);
    const without = decideFor(pod, withRegion([]), change);
    expect([decision.outcome, decision.why, decision.warnings]).toEqual([
      without.decision.outcome,
      without.decision.why,
      without.decision.warnings,
    ]);
    expect(annotations).toEqual(without.annotations);
  });
});

it('with createOnMiss.by eci a partial match is left to ECI, which may know a complete cache', () => {
  const partial = cacheObject({ name: 'partial', images: ['a:1'] });
  const { decision } = decideFor(POD, withRegion([partial], listed()), { createOnMiss: { by: 'eci' } });
  expect(decision).toMatchObject({ reason: 'PartialMatchLeftToEci', cacheId: undefined });
});

it('nothing of what the API alone knows shows in a pod, its warnings or its explanation, unless the pod is given it', () => {
  const secret = 'secret-image';
  const phase = fc.constantFrom('Ready', 'Creating', 'Failed');
  const item = fc.record({
    name: fc.constantFrom('made-by-hand', 'auto-create-for-eci-1'),
    images: fc.subarray(['a:1', 'b:2', 'b:3', `${secret}:1`], { minLength: 1 }),
    phase,
    lru: fc.boolean(),
    size: fc.constantFrom(20, 20, 60),
  });
  const mode = fc.constantFrom('namespace', 'strict', 'cluster');
  const by = fc.constantFrom('eci', 'controller');
  fc.assert(
    fc.property(
      fc.array(item, { maxLength: 6 }),
      fc.boolean(),
      mode,
      by,
      (items, hasObject, sharing, maker) => {
        const objects = hasObject ? [cacheObject({ name: 'known', images: ['a:1'] })] : [];
        const list = items.map(({ name, images, phase: status, lru, size }, i) =>
          listed({
            ImageCacheId: `imc-hidden-${i}`,
            ImageCacheName: name,
            Images: images,
            Status: status,
            ImageCacheSize: size,
            ...(lru && { EliminationStrategy: 'LRU' }),
          }),
        );
        const change: ConfigChange = { sharing: { mode: sharing }, createOnMiss: { by: maker } };
        const { decision, explanation } = decideFor(POD, withRegion(objects, ...list), change);
        const given = decision.cacheId ?? 'none';
        const shown = JSON.stringify([decision.warnings, explanation]).replaceAll(given, '');
        expect(shown).not.toContain('imc-hidden');
        expect(shown).not.toContain(secret);
        if (given.startsWith('imc-hidden')) expect(sharing).toBe('cluster');
      },
    ),
    { numRuns: 1000 },
  );
});
