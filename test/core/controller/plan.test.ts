/** The plan's creations, marks and deletions, and rules that hold whatever the state of the cluster is. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Miss } from '../../../src/core/controller/misses.ts';
import type { OwnCache } from '../../../src/core/controller/own-cache.ts';
import { GIVEN_UP_AFTER, type Plan } from '../../../src/core/controller/plan.ts';
import { firstNameOf, nameOfAttempt } from '../../../src/core/controller/desired-cache.ts';
import {
  cache,
  carryOut,
  DAY,
  HOUR,
  MINUTE,
  missOf,
  missed,
  nameFor,
  NOW,
  OPTIONS,
  planFor,
  summary,
} from '../../support/planning.ts';

const retiring = (ago: number, reason: 'Quota' | 'Idle' | 'Expired' = 'Quota'): Partial<OwnCache> => ({
  retiring: { reason, sinceMs: NOW - ago },
});

describe('a miss', () => {
  it('gets a cache, the newest miss first', () => {
    expect(summary(planFor({ misses: missed({ a: HOUR, b: MINUTE }) }))).toEqual({ created: ['b 1', 'a 1'] });
  });

  it('gets no second cache while its cache is being made', () => {
    const own = [cache('a', HOUR, { phase: 'Creating' }), cache('b', HOUR, { phase: '' })];
    expect(summary(planFor({ own, misses: missed({ a: 0, b: 0 }) }))).toEqual({});
  });

  it('that is a day old gets no cache, because it says nothing about the next pod', () => {
    const result = planFor({ misses: missed({ a: GIVEN_UP_AFTER, b: GIVEN_UP_AFTER - 1 }) });
    expect(summary(result)).toEqual({ created: ['b 1'] });
    expect(result.reconcileAgainAtMs).toBe(NOW + 1);
  });

  it('gets a cache once as many pods miss it as are asked for, and for a template, or a pod that waits, at once', () => {
    const misses = new Map([
      missOf('rare', 0, { default: 2 }),
      missOf('often', 0, { default: 2, other: 1 }),
      missOf('template', 0, { default: 0 }),
    ]);
    const [name, awaited] = missOf('awaited', 0);
    misses.set(name, { ...awaited, isAwaited: true });
    const options = { quota: 9, missesBefore: 3 };
    expect(summary(planFor({ misses, options }))).toEqual({
      created: ['often 1', 'template 1', 'awaited 1'],
    });
    const made = [cache('rare', HOUR, { phase: 'Failed' })];
    expect(summary(planFor({ own: made, misses, options }))['created']).toContain('rare 2');
  });

  it('whose cache is being deleted waits until the name is free', () => {
    const own = [cache('a', HOUR, { deleting: true })];
    expect(summary(planFor({ own, misses: missed({ a: 0 }) }))).toEqual({});
  });
});

describe('a cache that pods may be given', () => {
  const idle = cache('a', 30 * DAY);

  it('is marked first if it must go, and deleted once the wait is over', () => {
    expect(summary(planFor({ own: [idle] }))).toEqual({ marked: ['Idle imc-a'] });
    const marked = { ...idle, ...retiring(2 * MINUTE - 1, 'Idle') };
    const early = planFor({ own: [marked] });
    expect(summary(early)).toEqual({});
    expect(early.reconcileAgainAtMs).toBe(NOW + 1);
    const due = { ...idle, ...retiring(2 * MINUTE, 'Idle') };
    expect(summary(planFor({ own: [due] }))).toEqual({ deleted: ['Idle imc-a'] });
  });

  it('is not deleted before the API server has confirmed the pods as of the end of the wait', () => {
    const due = { ...idle, ...retiring(2 * MINUTE, 'Idle') };
    const result = planFor({ own: [due], confirmedAtMs: NOW - 1 });
    expect(summary(result)).toEqual({});
    expect(result.reconcileAgainAtMs).toBe(NOW + 1000);
  });

  it('loses its mark if pods need it at the end of the wait', () => {
    const due = { ...idle, ...retiring(2 * MINUTE, 'Idle') };
    expect(summary(planFor({ own: [due], needed: ['imc-a'] }))).toEqual({ unmarked: ['imc-a'] });
  });

  it('loses its mark as soon as pods miss its images, if there is a place for it', () => {
    const marked = { ...idle, ...retiring(MINUTE, 'Idle') };
    expect(summary(planFor({ own: [marked], misses: missed({ a: 0 }) }))).toEqual({ unmarked: ['imc-a'] });
  });

  it('keeps its mark if it has expired, and is made anew when it is gone', () => {
    const expired = cache('a', HOUR, { expiresAtMs: NOW - MINUTE, ...retiring(MINUTE, 'Expired') });
    expect(summary(planFor({ own: [expired], misses: missed({ a: 0 }) }))).toEqual({});
  });
});

describe('a cache that no pod can be given', () => {
  it.each<[string, Partial<OwnCache>, string]>([
    ['expired', { expiresAtMs: NOW }, 'Expired imc-a'],
    ['failed', { phase: 'Failed' }, 'Idle imc-a'],
  ])('because it %s, is deleted at once', (_title, change, deletion) => {
    const own = [cache('a', 30 * DAY, change)];
    expect(summary(planFor({ own }))).toEqual({ deleted: [deletion] });
  });
});

describe('without any miss', () => {
  it('a cache that was unused for the configured time goes, unless a pod is about to use it', () => {
    const created = { createdAtMs: NOW - 40 * DAY };
    const own = [
      cache('a', 30 * DAY, created),
      cache('b', 30 * DAY - 1, created),
      cache('c', 31 * DAY, created),
    ];
    const result = planFor({ own, needed: ['imc-c'] });
    expect(summary(result)).toEqual({ marked: ['Idle imc-a'] });
    expect(result.reconcileAgainAtMs).toBe(NOW + 1);
  });

  it('a cache that no pod ever used goes after seven days, or after the configured time if that is shorter', () => {
    const own = [cache('a', 7 * DAY), cache('b', 7 * DAY - 1)];
    expect(summary(planFor({ own }))).toEqual({ marked: ['Idle imc-a'] });
    expect(summary(planFor({ own: [cache('a', DAY)], options: { idleAfter: DAY } }))).toEqual({
      marked: ['Idle imc-a'],
    });
  });

  it('an expired cache is deleted when it expires', () => {
    const result = planFor({ own: [cache('b', HOUR, { expiresAtMs: NOW + 5 })] });
    expect(summary(result)).toEqual({});
    expect(result.reconcileAgainAtMs).toBe(NOW + 5);
  });

  it('a cache that is being deleted is left alone, and takes no place', () => {
    const own = [cache('a', 40 * DAY, { deleting: true }), cache('b', HOUR), cache('c', HOUR)];
    expect(summary(planFor({ own, misses: missed({ d: MINUTE }) }))).toEqual({ created: ['d 1'] });
  });

  it('after the quota was lowered, the least recently used caches go', () => {
    const own = [cache('a', 3 * HOUR), cache('b', 2 * HOUR), cache('c', HOUR)];
    expect(summary(planFor({ own, options: { quota: 1 } }))).toEqual({
      marked: ['Quota imc-a', 'Quota imc-b'],
    });
    expect(planFor({ own, options: { quota: 0 } }).marks).toHaveLength(3);
  });
});

describe('a failed cache', () => {
  const failed = (minutesAgo: number, attempt: number, firstAgo = HOUR): OwnCache =>
    cache('a', HOUR, {
      name: nameOfAttempt(nameFor('a'), attempt),
      uid: `uid-${attempt}`,
      phase: 'Failed',
      attempt,
      updatedAtMs: NOW - minutesAgo * MINUTE,
      firstAttemptAtMs: NOW - firstAgo,
    });
  const attempts = (own: readonly OwnCache[], misses = missed({ a: MINUTE })): Plan =>
    planFor({ own, misses });

  it.each([
    [1, 5],
    [2, 10],
    [3, 20],
    [6, 160],
    [7, 240],
    [12, 240],
  ])('of attempt %i is followed by another attempt after %i minutes', (attempt, minutes) => {
    expect(summary(attempts([failed(minutes, attempt)]))).toEqual({ created: [`a ${attempt + 1}`] });
    const early = attempts([failed(minutes - 1, attempt)]);
    expect(summary(early)).toEqual({});
    expect(early.reconcileAgainAtMs).toBe(NOW + MINUTE);
  });

  it('is deleted once another attempt has followed it', () => {
    expect(summary(attempts([failed(5, 1), failed(0, 2)]))).toEqual({ deleted: ['Superseded imc-a'] });
  });

  it('is followed by no attempt if no pod misses it any more', () => {
    expect(summary(attempts([failed(5, 1)], new Map()))).toEqual({});
  });

  it('is given up a day after the first attempt', () => {
    expect(summary(attempts([failed(241, 9, DAY)]))).toEqual({});
    expect(summary(attempts([failed(241, 9, DAY - 1)]))).toEqual({ created: ['a 10'] });
  });

  it.each([
    ['the images did not fit', { failedForSpace: true, sizeGib: 30 }, 60],
    ['the images did not fit, up to the largest size allowed', { failedForSpace: true, sizeGib: 60 }, 100],
    ['of something else, the size stays', { sizeGib: 40 }, 40],
    ['of something else, and the images are known to need more by now', { sizeGib: 20 }, 30],
  ])('because %s, is followed by one of the right size', (_title, change, size) => {
    const [creation] = attempts([{ ...failed(5, 1), ...change }]).creations;
    expect(creation!.sizeGib).toBe(size);
  });
});

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
      marked: fc.constantFrom(false, false, false, true),
    })
    .map(({ image: name, ago: used, attempt, phase, expired, deleting, marked }) =>
      cache(name, used, {
        name: nameOfAttempt(nameFor(name), attempt),
        uid: `${name}-${attempt}`,
        id: `imc-${name}-${attempt}`,
        attempt,
        phase,
        deleting,
        expiresAtMs: expired ? NOW - 1 : undefined,
        ...(marked && retiring(MINUTE)),
      }),
    );
  /** A further attempt is made only after the one before has failed. */
  const withFailedAttempts = (own: readonly OwnCache[]): OwnCache[] =>
    own.map((each) =>
      own.some((other) => isLaterAttempt(other, each))
        ? { ...each, phase: 'Failed', retiring: undefined }
        : each,
    );
  const isLaterAttempt = (a: OwnCache, b: OwnCache): boolean =>
    firstNameOf(a.name) === firstNameOf(b.name) && a.attempt > b.attempt;
  const world = fc.record({
    own: fc.uniqueArray(anyCache, { selector: ({ name }) => name, maxLength: 8 }).map(withFailedAttempts),
    misses: fc.dictionary(image, ago, { maxKeys: 6 }).map(missed),
    needed: fc.array(image, { maxLength: 2 }).map((images) => images.map((name) => `imc-${name}-1`)),
    quota: fc.integer({ min: 0, max: 6 }),
  });
  interface World {
    readonly own: readonly OwnCache[];
    readonly misses: ReadonlyMap<string, Miss>;
    readonly needed: readonly string[];
    readonly quota: number;
  }

  /** Plans again and again, with the wait in between, until nothing changes. */
  function settle({ own, misses, needed, quota }: World): OwnCache[] {
    let state = [...own];
    for (let round = 0; round < 8; round++) {
      const now = NOW + round * OPTIONS.retireWait;
      const planned = planFor({ own: state, misses, needed, options: { quota }, now });
      if (Object.keys(summary({ ...planned, refused: [] })).length === 0 && round > 2) return state;
      state = carryOut(state, planned, now);
    }
    throw new Error('the plan never settles');
  }

  it('no needed cache is marked or deleted, none is made twice, and the plans come to an end', () => {
    fc.assert(
      fc.property(world, (given) => {
        const { own, misses, needed, quota } = given;
        const first = planFor({ own, misses, needed, options: { quota } });
        for (const { cache: gone } of [...first.deletions, ...first.marks])
          expect(needed).not.toContain(gone.id);
        const after = carryOut(own, first, NOW);
        expect(new Set(after.map(({ name }) => name)).size).toBe(after.length);
        settle(given);
      }),
      { numRuns: 1500 },
    );
  });

  it('there are never more caches than the quota, except those needed and failed ones with a later attempt', () => {
    fc.assert(
      fc.property(world, (given) => {
        const { needed, quota } = given;
        const after = settle(given);
        const counts = ({ deleting, id, phase }: OwnCache): boolean =>
          !deleting && phase !== 'Failed' && !needed.includes(id ?? '');
        const neededCount = after.filter(({ id, deleting }) => !deleting && needed.includes(id ?? '')).length;
        expect(after.filter(counts).length).toBeLessThanOrEqual(Math.max(quota - neededCount, 0));
      }),
      { numRuns: 1500 },
    );
  });

  it('a cache is made only if there is a place for it at that moment, the marked ones counted', () => {
    fc.assert(
      fc.property(world, ({ own, misses, needed, quota }) => {
        const planned = planFor({ own, misses, needed, options: { quota } });
        const after = carryOut(own, planned, NOW);
        const placed = planned.creations.filter(({ attempt }) => attempt === 1);
        const count = after.filter(({ deleting }) => !deleting).length;
        if (placed.length > 0)
          expect(count).toBeLessThanOrEqual(quota + planned.creations.length - placed.length);
      }),
      { numRuns: 1500 },
    );
  });

  it('a leader that dies after any step leaves a cluster in which the next leader gets as many caches', () => {
    fc.assert(
      fc.property(world, fc.nat(10), (given, steps) => {
        const { own, misses, needed, quota } = given;
        const interrupted = carryOut(own, planFor({ own, misses, needed, options: { quota } }), NOW, steps);
        expect(settle({ ...given, own: interrupted }).length).toBe(settle(given).length);
      }),
      { numRuns: 1500 },
    );
  });
});
