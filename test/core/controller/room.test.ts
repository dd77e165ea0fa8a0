/** Who gets a place at the quota, and whose cache goes for it. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Miss } from '../../../src/core/controller/misses.ts';
import type { OwnCache } from '../../../src/core/controller/own-cache.ts';
import {
  cache,
  carryOut,
  DAY,
  HOUR,
  MINUTE,
  missOf,
  missed,
  NOW,
  OPTIONS,
  planFor,
  summary,
} from '../../support/planning.ts';

const of = (tenant: string, image: string, ago: number, change: Partial<OwnCache> = {}): OwnCache =>
  cache(image, ago, { createdAtMs: NOW - 2 * DAY, madeFor: tenant, ...change });
const missedBy = (tenant: string, ...images: readonly string[]): [string, Miss][] =>
  images.map((image, i) => missOf(image, i * MINUTE, { [tenant]: 1 }));

describe('below the quota', () => {
  it('the misses of any tenant are served, also of one far over its share', () => {
    const own = [of('a', 'a1', HOUR), of('a', 'a2', HOUR)];
    const misses = new Map([...missedBy('a', 'a3'), ...missedBy('b')]);
    expect(summary(planFor({ own, misses }))).toEqual({ created: ['a3 1'] });
  });

  it('the tenant with the fewest caches comes first, whoever missed last', () => {
    const own = [of('a', 'a1', HOUR), of('a', 'a2', HOUR)];
    const misses = new Map([...missedBy('a', 'a3', 'a4'), missOf('b1', HOUR, { b: 1 })]);
    expect(summary(planFor({ own, misses }))).toMatchObject({ created: ['b1 1'] });
  });
});

describe('at the quota', () => {
  const own = [of('a', 'a1', 3 * HOUR), of('a', 'a2', 2 * HOUR), of('a', 'a3', HOUR)];

  it('a tenant below its share gets a place from the one furthest over it: the least recently used cache goes', () => {
    expect(summary(planFor({ own, misses: new Map(missedBy('b', 'b1')) }))).toEqual({
      marked: ['Quota imc-a1'],
    });
  });

  it('also for a miss that is older than all uses of those caches', () => {
    const misses = new Map([missOf('b1', 5 * HOUR, { b: 1 })]);
    expect(summary(planFor({ own, misses }))).toEqual({ marked: ['Quota imc-a1'] });
  });

  it('but not a cache that was made less than ten minutes ago', () => {
    const made = (ago: number): OwnCache[] => [
      of('a', 'a1', ago, { createdAtMs: NOW - ago }),
      ...own.slice(1).map((each) => ({ ...each, madeFor: 'b' })),
      of('a', 'a4', 0, { createdAtMs: NOW }),
      of('a', 'a5', 0, { createdAtMs: NOW }),
      of('a', 'a6', 0, { createdAtMs: NOW }),
    ];
    const marked = (ago: number): string[] | undefined =>
      summary(planFor({ own: made(ago), misses: new Map(missedBy('c', 'c1')), options: { quota: 6 } }))[
        'marked'
      ];
    expect(marked(11 * MINUTE)).toEqual(['Quota imc-a1']);
    expect(marked(10 * MINUTE)).toBeUndefined();
  });

  it('no further cache is marked for a miss that waits for a marked one', () => {
    const [first, ...others] = own;
    const marked = { ...first!, retiring: { reason: 'Quota' as const, sinceMs: NOW - MINUTE } };
    const planned = planFor({ own: [marked, ...others], misses: new Map(missedBy('b', 'b1')) });
    expect(summary(planned)).toEqual({});
  });

  it('the cache is made when the marked one is gone, in the same plan that deletes it', () => {
    const [first, ...others] = own;
    const marked = { ...first!, retiring: { reason: 'Quota' as const, sinceMs: NOW - 2 * MINUTE } };
    const planned = planFor({ own: [marked, ...others], misses: new Map(missedBy('b', 'b1')) });
    expect(summary(planned)).toEqual({ deleted: ['Quota imc-a1'], created: ['b1 1'] });
  });

  it('a tenant gets no more than its share from others: the rest of its misses is refused', () => {
    const misses = new Map(missedBy('b', 'b1', 'b2', 'b3'));
    const planned = planFor({ own, misses });
    // A share is 1.5 places: below it, a second cache may still go.
    expect(summary(planned)).toEqual({
      marked: ['Quota imc-a1', 'Quota imc-a2'],
      refused: ['Quota b3'],
    });
  });

  it('a cache that pods need, or that is being made, does not go', () => {
    const making = of('a', 'a2', 10 * MINUTE, { phase: 'Creating', createdAtMs: NOW - 10 * MINUTE });
    const planned = planFor({
      own: [own[0]!, making, own[2]!],
      misses: new Map(missedBy('b', 'b1')),
      needed: ['imc-a1'],
    });
    expect(summary(planned)).toEqual({ marked: ['Quota imc-a3'] });
  });

  it('a cache whose making takes more than an hour goes', () => {
    const stuck = of('a', 'a2', 2 * HOUR, { phase: 'Creating', createdAtMs: NOW - 61 * MINUTE });
    const needed = ['imc-a1', 'imc-a3'];
    const planned = planFor({ own: [own[0]!, stuck, own[2]!], misses: new Map(missedBy('b', 'b1')), needed });
    expect(summary(planned)).toEqual({ deleted: ['Quota imc-a2'], created: ['b1 1'] });
  });

  it('a tenant within its share loses nothing to others', () => {
    const shared = [of('a', 'a1', HOUR), of('b', 'b1', 9 * HOUR), of('c', 'c1', 8 * HOUR)];
    const planned = planFor({ own: shared, misses: new Map(missedBy('a', 'a2')) });
    expect(summary(planned)).toEqual({ marked: ['Quota imc-a1'] });
  });

  it('a cache that a tenant within its share uses, too, does not go for a third', () => {
    const shared = [
      of('a', 'a1', 9 * HOUR, { users: ['a', 'b'] }),
      of('a', 'a2', 2 * HOUR),
      of('a', 'a3', HOUR),
    ];
    const planned = planFor({ own: shared, misses: new Map(missedBy('c', 'c1')) });
    expect(summary(planned)).toEqual({ marked: ['Quota imc-a2'] });
  });

  it('a tenant at its share replaces its own least recently used cache, if that is older than an hour', () => {
    expect(summary(planFor({ own, misses: missed({ d: MINUTE }) }))).toEqual({ marked: ['Quota imc-a1'] });
    const mine = own.map((each) => ({ ...each, madeFor: 'default' }));
    expect(summary(planFor({ own: mine, misses: missed({ d: MINUTE }) }))).toEqual({
      marked: ['Quota imc-a1'],
    });
    const young = mine.map((each) => ({ ...each, createdAtMs: NOW - HOUR }));
    expect(summary(planFor({ own: young, misses: missed({ d: MINUTE }) }))).toEqual({ refused: ['Quota d'] });
  });

  it('a tenant at its share replaces no cache that was used after the miss', () => {
    const mine = own.map((each) => ({ ...each, madeFor: 'default' }));
    expect(summary(planFor({ own: mine, misses: missed({ d: 4 * HOUR }) }))).toEqual({
      refused: ['Quota d'],
    });
  });

  it('a tenant replaces a cache that it shares with others only if nobody used it for a day', () => {
    const shared = (ago: number): OwnCache[] =>
      ['s1', 's2', 's3'].map((image) => of('a', image, ago, { users: ['a', 'b'] }));
    const misses = new Map(missedBy('a', 'a1'));
    expect(summary(planFor({ own: shared(DAY), misses }))).toEqual({ refused: ['Quota a1'] });
    expect(summary(planFor({ own: shared(DAY + 1), misses }))).toEqual({ marked: ['Quota imc-s1'] });
  });

  it('a cache that is marked for another miss goes, also if its images are missed again', () => {
    const marked = own.map((each, i) =>
      i === 0 ? { ...each, retiring: { reason: 'Quota' as const, sinceMs: NOW - MINUTE } } : each,
    );
    const misses = new Map([...missedBy('b', 'b1'), missOf('a1', 0, { a: 1 })]);
    expect(summary(planFor({ own: marked, misses }))).toEqual({});
  });

  it('a cache that cannot be changed at the moment is no victim, and keeps its place', () => {
    const blocked = [own[0]!.name];
    expect(summary(planFor({ own, misses: new Map(missedBy('b', 'b1')), blocked }))).toEqual({
      marked: ['Quota imc-a2'],
    });
    const due = { ...own[0]!, retiring: { reason: 'Quota' as const, sinceMs: NOW - HOUR } };
    expect(
      summary(planFor({ own: [due, ...own.slice(1)], misses: new Map(missedBy('b', 'b1')), blocked })),
    ).toEqual({});
  });

  it('a tenant over its share cannot keep its caches by pods that missed them while they were marked', () => {
    let state: OwnCache[] = own;
    let made = false;
    for (let round = 0; round < 50 && !made; round++) {
      const now = NOW + round * MINUTE;
      // Pods of the caches that are marked now, or were a moment ago, keep their markers for a day.
      const missedNow = state
        .filter(({ retiring }) => retiring)
        .map(({ id }) => missOf(id!.slice(4), 0, { a: 1 }));
      const planned = planFor({ own: state, misses: new Map([...missedBy('b', 'b1'), ...missedNow]), now });
      made = planned.creations.some(({ namespace }) => namespace === 'b');
      state = carryOut(state, planned, now);
    }
    expect(made).toBe(true);
  });
});

describe('the users of a cache', () => {
  it('are charged in equal parts, so that a tenant that shares its caches may hold more of them', () => {
    const quota = 4;
    const shared = ['s1', 's2'].map((image) => of('a', image, HOUR, { users: ['a', 'b'] }));
    const own = [...shared, of('b', 'b1', 2 * HOUR), of('b', 'b2', HOUR)];
    // a holds 1 of 4 places, b 3; the shares are 2.
    const planned = planFor({ own, misses: new Map(missedBy('a', 'a1')), options: { quota } });
    expect(summary(planned)).toEqual({ marked: ['Quota imc-b1'] });
  });
});

describe('one tenant that asks for ever more', () => {
  it('takes nothing from others who are within their shares, in whatever order the misses come', () => {
    const TENANTS = ['a', 'b', 'c'];
    const world = fc.record({
      quota: fc.integer({ min: 3, max: 9 }),
      images: fc.array(
        fc.record({
          tenant: fc.constantFrom(...TENANTS),
          ago: fc.integer({ min: 0, max: 20 }),
        }),
        { maxLength: 9 },
      ),
      wanted: fc.array(
        fc.record({ tenant: fc.constantFrom(...TENANTS), ago: fc.integer({ min: 0, max: 20 }) }),
        { maxLength: 12 },
      ),
    });
    fc.assert(
      fc.property(world, ({ quota, images, wanted }) => {
        let own = images
          .slice(0, quota)
          .map(({ tenant, ago }, i) => of(tenant, `${tenant}-${i}`, ago * HOUR));
        const misses = new Map(
          wanted.map(({ tenant, ago }, i) => missOf(`${tenant}-new-${i}`, ago * MINUTE, { [tenant]: 1 })),
        );
        const active = new Set([...own.map(({ madeFor }) => madeFor), ...wanted.map(({ tenant }) => tenant)]);
        const share = quota / Math.max(active.size, 1);
        const held = (tenant: string): number => own.filter(({ madeFor }) => madeFor === tenant).length;
        for (let round = 0; round < 8; round++) {
          const before = new Map(TENANTS.map((tenant) => [tenant, held(tenant)]));
          const now = NOW + round * OPTIONS.retireWait;
          const planned = planFor({ own, misses, options: { quota }, now });
          own = carryOut(own, planned, now);
          for (const tenant of TENANTS) {
            // A tenant over its share may fall to the place below it, and no further.
            const least = Math.min(before.get(tenant)!, Math.ceil(share) - 1, Math.floor(share));
            expect(held(tenant)).toBeGreaterThanOrEqual(least);
          }
        }
        // Whoever asked for its whole share has it, but for the part of a place.
        for (const tenant of active) {
          const asked = wanted.filter((each) => each.tenant === tenant).length;
          const had = images.slice(0, quota).filter((each) => each.tenant === tenant).length;
          expect(held(tenant)).toBeGreaterThanOrEqual(Math.min(Math.floor(share), asked + had));
        }
        expect(own.length).toBeLessThanOrEqual(quota);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('a miss of several tenants', () => {
  it('is charged to the one with the fewest places', () => {
    const own = [of('a', 'a1', HOUR)];
    const misses = new Map([missOf('x', 0, { a: 5, b: 1 })]);
    expect(planFor({ own, misses }).creations).toMatchObject([{ namespace: 'b' }]);
  });
});

describe('the creations of an hour', () => {
  const misses = new Map([...missedBy('a', 'a1', 'a2', 'a3'), ...missedBy('b', 'b1', 'b2')]);

  it('are limited for each tenant', () => {
    const options = { quota: 10, tenantCreationsPerHour: 2 };
    const recent = [{ tenant: 'a', atMs: NOW - 50 * MINUTE }];
    const planned = planFor({ misses, recent, options });
    expect(summary(planned)).toEqual({
      created: ['a1 1', 'b1 1', 'b2 1'],
      refused: ['TenantRate a2', 'TenantRate a3'],
    });
    expect(planned.reconcileAgainAtMs).toBe(NOW + 10 * MINUTE);
  });

  it('are limited for all tenants together', () => {
    const options = { quota: 10, creationsPerHour: 3 };
    const recent = [
      { tenant: 'c', atMs: NOW - HOUR },
      { tenant: 'c', atMs: NOW - HOUR + 1 },
    ];
    const planned = planFor({ misses, recent, options });
    expect(planned.creations).toHaveLength(2);
    expect(planned.refused.map(({ code }) => code)).toEqual(['Rate', 'Rate', 'Rate']);
    expect(planned.reconcileAgainAtMs).toBe(NOW + 1);
  });

  it('count the places that were promised, so that no cache goes for one that may not be made', () => {
    const own = [1, 2, 3].map((i) => of('c', `c${i}`, HOUR));
    const planned = planFor({ own, misses, options: { tenantCreationsPerHour: 1, quota: 3 } });
    expect(planned.marks).toHaveLength(2);
  });

  it('count further attempts, too', () => {
    const failed = of('a', 'a1', HOUR, { phase: 'Failed', updatedAtMs: NOW - 10 * MINUTE });
    const planned = planFor({ own: [failed], misses, options: { quota: 10, tenantCreationsPerHour: 0 } });
    expect(planned.creations).toEqual([]);
  });
});
