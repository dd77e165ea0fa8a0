/** The plan's creations and deletions, compared with a plain model and with rules that always hold. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Miss } from '../../../src/core/controller/misses.ts';
import type { OwnCache } from '../../../src/core/controller/own-cache.ts';
import { GIVEN_UP_AFTER, plan, type Plan } from '../../../src/core/controller/plan.ts';
import { cacheName, nameOfAttempt, type DesiredCache } from '../../../src/core/controller/desired-cache.ts';
import { ownCache } from '../../support/own-cache.ts';

const NOW = Date.parse('2026-11-21T12:00:00Z');
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const OPTIONS = { quota: 3, idleAfter: 30 * DAY };

function desired(image: string): DesiredCache {
  return {
    images: [{ text: image, key: `docker.io/library/${image}` }],
    imageSet: image,
    sizeGib: 30,
    architecture: 'amd64',
    operatingSystem: 'linux',
    pullSecrets: [],
    registry: new Map(),
    owner: undefined,
  };
}

const nameFor = (image: string): string => cacheName(desired(image));

/** @param ago milliseconds since the cache was last used */
function cache(image: string, ago: number, change: Partial<OwnCache> = {}): OwnCache {
  return ownCache(nameFor(image), NOW - ago, { id: `imc-${image}`, ...change });
}

/** @param misses images, and how long ago each was missed last, in milliseconds */
function missed(misses: Readonly<Record<string, number>>): Map<string, Miss> {
  return new Map(
    Object.entries(misses).map(([image, ago]) => [
      nameFor(image),
      {
        desired: desired(image),
        missedAtMs: NOW - ago,
        pods: 1,
        found: 'nothing',
        lastBy: { apiVersion: 'v1', kind: 'Pod', namespace: 'default', name: image, uid: image },
      },
    ]),
  );
}

const summary = ({ deletions, creations }: Plan): unknown => ({
  deleted: deletions.map((each) => `${each.reason} ${each.cache.id}`),
  created: creations.map(({ miss, attempt }) => `${miss.desired.imageSet} ${attempt}`),
});

describe('a miss', () => {
  it('gets a cache, the newest miss first', () => {
    const result = plan([], missed({ a: HOUR, b: MINUTE }), new Set(), OPTIONS, NOW);
    expect(summary(result)).toEqual({ deleted: [], created: ['b 1', 'a 1'] });
  });

  it('gets no second cache while its cache is being made', () => {
    const own = [cache('a', HOUR, { phase: 'Creating' }), cache('b', HOUR, { phase: '' })];
    expect(summary(plan(own, missed({ a: 0, b: 0 }), new Set(), OPTIONS, NOW))).toEqual({
      deleted: [],
      created: [],
    });
  });

  it('that is a day old gets no cache, because it says nothing about the next pod', () => {
    const result = plan([], missed({ a: GIVEN_UP_AFTER, b: GIVEN_UP_AFTER - 1 }), new Set(), OPTIONS, NOW);
    expect(summary(result)).toEqual({ deleted: [], created: ['b 1'] });
    expect(result.reconcileAgainAtMs).toBe(NOW + 1);
  });
});

describe('when the quota is reached', () => {
  const own = [cache('a', 3 * HOUR), cache('b', 2 * HOUR), cache('c', HOUR)];

  it('the least recently used cache is deleted for a later miss', () => {
    const result = plan(own, missed({ d: MINUTE }), new Set(), OPTIONS, NOW);
    expect(summary(result)).toEqual({ deleted: ['Quota imc-a'], created: ['d 1'] });
  });

  it('no cache is deleted for a miss that is older than all their uses, and the miss is reported as refused', () => {
    const result = plan(own, missed({ d: 4 * HOUR }), new Set(), OPTIONS, NOW);
    expect(summary(result)).toEqual({ deleted: [], created: [] });
    expect(result.refused).toHaveLength(1);
  });

  it('a cache that a pending pod points to is never deleted', () => {
    const result = plan(own, missed({ d: MINUTE }), new Set(['imc-a']), OPTIONS, NOW);
    expect(summary(result)).toEqual({ deleted: ['Quota imc-b'], created: ['d 1'] });
    const all = new Set(['imc-a', 'imc-b', 'imc-c']);
    expect(summary(plan(own, missed({ d: MINUTE }), all, OPTIONS, NOW))).toEqual({
      deleted: [],
      created: [],
    });
  });

  it('after it was lowered, the least recently used caches are deleted', () => {
    const result = plan(own, new Map(), new Set(), { ...OPTIONS, quota: 1 }, NOW);
    expect(summary(result)).toEqual({ deleted: ['Quota imc-a', 'Quota imc-b'], created: [] });
  });

  it('at 0, no cache is made, and all are deleted', () => {
    const result = plan(own, missed({ d: MINUTE }), new Set(), { ...OPTIONS, quota: 0 }, NOW);
    expect(summary(result)).toMatchObject({ created: [] });
    expect(result.deletions).toHaveLength(3);
  });
});

describe('without any miss', () => {
  it('a cache that was unused for the configured time is deleted, unless a pod is about to use it', () => {
    const own = [cache('a', 30 * DAY), cache('b', 30 * DAY - 1), cache('c', 31 * DAY)];
    const result = plan(own, new Map(), new Set(['imc-c']), OPTIONS, NOW);
    expect(summary(result)).toEqual({ deleted: ['Idle imc-a'], created: [] });
    expect(result.reconcileAgainAtMs).toBe(NOW + 1);
  });

  it('an expired cache is deleted', () => {
    const own = [cache('a', HOUR, { expiresAtMs: NOW }), cache('b', HOUR, { expiresAtMs: NOW + 5 })];
    const result = plan(own, new Map(), new Set(), OPTIONS, NOW);
    expect(summary(result)).toEqual({ deleted: ['Expired imc-a'], created: [] });
    expect(result.reconcileAgainAtMs).toBe(NOW + 5);
  });

  it('a cache that is being deleted is left alone, and takes no room', () => {
    const own = [cache('a', 40 * DAY, { deleting: true }), cache('b', HOUR), cache('c', HOUR)];
    const result = plan(own, missed({ d: MINUTE }), new Set(), OPTIONS, NOW);
    expect(summary(result)).toEqual({ deleted: [], created: ['d 1'] });
  });
});

describe('a failed cache', () => {
  const failed = (minutesAgo: number, attempt: number, firstAgo = HOUR): OwnCache =>
    cache('a', HOUR, {
      name: nameOfAttempt(nameFor('a'), attempt),
      phase: 'Failed',
      attempt,
      updatedAtMs: NOW - minutesAgo * MINUTE,
      firstAttemptAtMs: NOW - firstAgo,
    });
  const planFor = (own: readonly OwnCache[], miss = missed({ a: MINUTE })): Plan =>
    plan(own, miss, new Set(), OPTIONS, NOW);

  it.each([
    [1, 5],
    [2, 10],
    [3, 20],
    [6, 160],
    [7, 240],
    [12, 240],
  ])('of attempt %i is followed by another attempt after %i minutes', (attempt, minutes) => {
    expect(summary(planFor([failed(minutes, attempt)]))).toEqual({
      deleted: [],
      created: [`a ${attempt + 1}`],
    });
    const early = planFor([failed(minutes - 1, attempt)]);
    expect(summary(early)).toEqual({ deleted: [], created: [] });
    expect(early.reconcileAgainAtMs).toBe(NOW + MINUTE);
  });

  it('is deleted once another attempt has followed it', () => {
    expect(summary(planFor([failed(5, 1), failed(0, 2)]))).toEqual({
      deleted: ['Superseded imc-a'],
      created: [],
    });
  });

  it('is followed by no attempt if no pod misses it any more', () => {
    expect(summary(planFor([failed(5, 1)], new Map()))).toEqual({ deleted: [], created: [] });
  });

  it('is given up a day after the first attempt', () => {
    expect(summary(planFor([failed(241, 9, DAY)]))).toEqual({ deleted: [], created: [] });
    expect(summary(planFor([failed(241, 9, DAY - 1)]))).toEqual({ deleted: [], created: ['a 10'] });
  });
});

/** The caches after the first steps of the plan: deletions come first, then creations. */
function carryOut(own: readonly OwnCache[], { deletions, creations }: Plan, steps = Infinity): OwnCache[] {
  const gone = new Set(deletions.slice(0, steps).map((each) => each.cache));
  const made = creations
    .slice(0, Math.max(steps - deletions.length, 0))
    .map(({ miss, name, attempt, firstAttemptAtMs }) =>
      cache(miss.desired.imageSet, 0, {
        name: nameOfAttempt(name, attempt),
        id: undefined,
        phase: '',
        attempt,
        firstAttemptAtMs,
      }),
    );
  return [...own.filter((each) => !gone.has(each)), ...made];
}

describe('whatever the state of the cluster', () => {
  const IMAGES = ['a', 'b', 'c', 'd', 'e', 'f'] as const;
  const ago = fc.integer({ min: 0, max: 20 }).map((hours) => hours * HOUR);
  const image = fc.constantFrom(...IMAGES);
  const anyCache = fc
    .record({
      image,
      ago,
      attempt: fc.integer({ min: 1, max: 3 }),
      phase: fc.constantFrom('Ready', 'Ready', 'Ready', 'Creating', 'Failed', ''),
      expired: fc.constantFrom(false, false, false, true),
      deleting: fc.constantFrom(false, false, false, true),
    })
    .map(({ image: name, ago: used, attempt, phase, expired, deleting }) =>
      cache(name, used, {
        name: nameOfAttempt(nameFor(name), attempt),
        id: `imc-${name}-${attempt}`,
        attempt,
        phase,
        deleting,
        expiresAtMs: expired ? NOW - 1 : undefined,
      }),
    );
  const world = fc.record({
    own: fc.uniqueArray(anyCache, { selector: ({ name }) => name, maxLength: 8 }),
    misses: fc.dictionary(image, ago, { maxKeys: 6 }).map(missed),
    inUse: fc.array(image, { maxLength: 2 }).map((images) => new Set(images.map((name) => `imc-${name}-1`))),
    quota: fc.integer({ min: 0, max: 6 }),
  });

  it('no cache in use is deleted, none is made twice, and a plan that was carried out leaves nothing to do', () => {
    fc.assert(
      fc.property(world, ({ own, misses, inUse, quota }) => {
        const options = { ...OPTIONS, quota };
        const first = plan(own, misses, inUse, options, NOW);
        for (const { cache: gone } of first.deletions) expect(inUse.has(gone.id ?? '')).toBe(false);
        const after = carryOut(own, first);
        expect(new Set(after.map(({ name }) => name)).size).toBe(after.length);
        const second = plan(after, misses, inUse, options, NOW);
        // A failed cache is deleted once the next attempt exists.
        expect(second.deletions.filter(({ reason }) => reason !== 'Superseded')).toEqual([]);
        expect(second.creations).toEqual([]);
        const third = plan(carryOut(after, second), misses, inUse, options, NOW);
        expect([third.deletions, third.creations]).toEqual([[], []]);
      }),
      { numRuns: 3000 },
    );
  });

  it('there are never more caches than the quota, except those in use and failed ones with a later attempt', () => {
    fc.assert(
      fc.property(world, ({ own, misses, inUse, quota }) => {
        const after = carryOut(own, plan(own, misses, inUse, { ...OPTIONS, quota }, NOW));
        const standing = after.filter(
          ({ deleting, id, phase }) => !deleting && phase !== 'Failed' && !inUse.has(id ?? ''),
        );
        const inUseCount = after.filter(({ id, deleting }) => !deleting && inUse.has(id ?? '')).length;
        expect(standing.length).toBeLessThanOrEqual(Math.max(quota - inUseCount, 0));
      }),
      { numRuns: 3000 },
    );
  });

  it('a leader that dies after any step leaves a cluster in which the next leader gets the same caches', () => {
    fc.assert(
      fc.property(world, fc.nat(10), ({ own, misses, inUse, quota }, steps) => {
        const options = { ...OPTIONS, quota };
        const settle = (from: readonly OwnCache[]): string[] => {
          let state = [...from];
          for (let i = 0; i < 3; i++) state = carryOut(state, plan(state, misses, inUse, options, NOW));
          return state.map(({ name }) => name).toSorted();
        };
        const interrupted = carryOut(own, plan(own, misses, inUse, options, NOW), steps);
        expect(settle(interrupted)).toEqual(settle(own));
      }),
      { numRuns: 3000 },
    );
  });

  it('the caches that were used or missed last are kept or made, as a plain list by that time says', () => {
    fc.assert(
      fc.property(world, ({ own: any, misses, quota }) => {
        const own = any
          .filter(
            ({ attempt, deleting, expiresAtMs }) => attempt === 1 && !deleting && expiresAtMs === undefined,
          )
          .map((each) => ({ ...each, phase: 'Ready' }));
        const names = new Set(own.map(({ name }) => name));
        const list = [
          ...own.map(({ name, lastUsedAtMs }) => ({
            name,
            // A miss counts as a use.
            at: Math.max(lastUsedAtMs, misses.get(name)?.missedAtMs ?? 0),
            isThere: true,
          })),
          ...[...misses]
            .filter(([name]) => !names.has(name))
            .map(([name, { missedAtMs }]) => ({ name, at: missedAtMs, isThere: false })),
        ].toSorted(
          (a, b) =>
            b.at - a.at ||
            Number(b.isThere) - Number(a.isThere) ||
            (a.isThere ? (a.name < b.name ? 1 : -1) : a.name < b.name ? -1 : 1),
        );
        const expected = list.slice(0, quota).map(({ name }) => name);
        const after = carryOut(own, plan(own, misses, new Set(), { ...OPTIONS, quota }, NOW));
        expect(after.map(({ name }) => name).toSorted()).toEqual(expected.toSorted());
      }),
      { numRuns: 3000 },
    );
  });
});
