/** Which caches are merged into packs, which packs are taken apart, and what may never be lost by it. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Unsized } from '../../../src/core/controller/desired-cache.ts';
import { setOf, type CachedSet } from '../../../src/core/controller/image-sets.ts';
import type { OwnCache } from '../../../src/core/controller/own-cache.ts';
import { PACKER } from '../../../src/core/controller/packing.ts';
import type { Plan, PlanOptions } from '../../../src/core/controller/plan.ts';
import { ownCache } from '../../support/own-cache.ts';
import {
  carryOut,
  DAY,
  HOUR,
  MINUTE,
  missed,
  NOW,
  planFor,
  summary,
  type Setting,
} from '../../support/planning.ts';

const SIDECAR = 'registry.example/mesh/proxy:1';
const keyOf = (app: string): string => `registry.example/${app}:1`;
const contentsOf = (keys: readonly string[], change: Partial<Unsized> = {}): Unsized => ({
  images: keys.map((key) => ({ key, text: key })),
  imageSet: setOf(keys, 0).hash,
  architecture: 'amd64',
  operatingSystem: 'linux',
  pullSecrets: [],
  registry: new Map(),
  owner: undefined,
  ...change,
});

/** A cache for the image set of one app. @param ago milliseconds since its last use */
function single(app: string, ago = MINUTE, change: Partial<OwnCache> = {}): OwnCache {
  const set = setOf([keyOf(app), SIDECAR], NOW - ago);
  const contents = contentsOf(set.keys);
  return ownCache(app, NOW - ago, { id: `imc-${app}`, sizeGib: 20, contents, sets: [set], ...change });
}

/** A pack of apps, each with the milliseconds since its last use. */
function pack(
  name: string,
  apps: Readonly<Record<string, number>>,
  change: Partial<OwnCache> = {},
): OwnCache {
  const sets = Object.entries(apps).map(([app, ago]) => setOf([keyOf(app), SIDECAR], NOW - ago));
  const contents = contentsOf([...new Set(sets.flatMap(({ keys }) => keys))].toSorted());
  return ownCache(name, NOW - HOUR, { id: `imc-${name}`, sizeGib: 20, contents, sets, ...change });
}

const apps = (count: number, beginning = 'app'): string[] =>
  Array.from({ length: count }, (_, i) => `${beginning}${i}`);
const singles = (count: number, change: Partial<OwnCache> = {}): OwnCache[] =>
  apps(count).map((app) => single(app, MINUTE, change));
const PACKING = { packing: true, quota: 12 };

function mergesFor({ options, ...setting }: Setting): Plan['merges'] {
  return planFor({ ...setting, options: { ...PACKING, ...options } }).merges;
}
const byText = (a: string, b: string): number => (a < b ? -1 : 1);
const partsOf = (merges: Plan['merges']): string[][] =>
  merges.map(({ parts }) => parts.map(({ name }) => name).toSorted(byText));

describe('caches are merged', () => {
  it('once at most four places of the quota are left, and not before', () => {
    expect(mergesFor({ own: singles(7) })).toEqual([]);
    expect(partsOf(mergesFor({ own: singles(8) }))).toEqual([apps(8)]);
  });

  it('into a cache of 20 GiB with all their images, each as the pods write it, under a name that follows from them', () => {
    const [merge] = mergesFor({ own: singles(8) });
    expect(merge?.desired).toMatchObject({ sizeGib: 20, largestGib: 20, fixedSizeGib: undefined });
    expect(merge?.desired.images.map(({ text }) => text)).toEqual(
      [...apps(8).map(keyOf), SIDECAR].toSorted(),
    );
    expect(merge?.sets.map(({ hash }) => hash).toSorted()).toEqual(
      singles(8)
        .map(({ sets }) => sets[0]!.hash)
        .toSorted(),
    );
    expect(mergesFor({ own: singles(8).toReversed() })[0]?.name).toBe(merge?.name);
  });

  it('only if packing is on and the quota is not too small for it', () => {
    expect(mergesFor({ own: singles(8), options: { packing: false } })).toEqual([]);
    expect(mergesFor({ own: singles(9), options: { quota: 9 } })).toEqual([]);
  });

  it('only if there are six of them that fit together', () => {
    const foreign = apps(4, 'arm').map((app) =>
      single(app, MINUTE, { contents: contentsOf([keyOf(app)], { architecture: 'arm64' }) }),
    );
    const whole = foreign.map((each) => ({ ...each, sets: [setOf([keyOf(each.name)], NOW - MINUTE)] }));
    expect(mergesFor({ own: [...singles(5), ...whole] })).toEqual([]);
    expect(partsOf(mergesFor({ own: [...singles(6), ...whole] }))).toEqual([apps(6)]);
  });

  it.each<[string, Partial<Unsized>]>([
    ['architecture', { architecture: 'arm64' }],
    ['operating system', { operatingSystem: 'windows' }],
    ['registry annotations', { registry: new Map([['k8s.aliyun.com/insecure-registry', 'x']]) }],
    ['namespace', { owner: { namespace: 'team', uid: '1' } }],
  ])('never with caches of another %s', (_what, change) => {
    const own = singles(10).map((each, i) =>
      i % 5 === 0 ? { ...each, contents: { ...each.contents, ...change } } : each,
    );
    expect(partsOf(mergesFor({ own }))).toEqual([apps(10).filter((_, i) => i % 5 !== 0)]);
  });

  it('of one namespace also if their pull secrets differ, and the pack has the secrets of all', () => {
    const owner = { namespace: 'team', uid: '1' };
    const own = singles(8).map((each, i) => ({
      ...each,
      contents: { ...each.contents, owner, pullSecrets: [`team:key-${i % 3}`] },
    }));
    const [merge] = mergesFor({ own });
    expect(merge?.desired).toMatchObject({ owner, pullSecrets: ['team:key-0', 'team:key-1', 'team:key-2'] });
  });

  it.each<[string, Partial<OwnCache>]>([
    ['was not used for a day', { sets: [setOf([keyOf('app0'), SIDECAR], NOW - DAY - 1)] }],
    ['is not Ready', { phase: 'Creating' }],
    ['is marked', { retiring: { reason: 'Idle', sinceMs: NOW } }],
    ['somebody asks to leave alone', { doNotEvict: true }],
    ['holds a part of an image set alone', { contents: contentsOf([keyOf('app0')], { imageSet: 'other' }) }],
  ])('without one that %s', (_what, change) => {
    const own = [single('app0', MINUTE, change), ...singles(9).slice(1)];
    expect(partsOf(mergesFor({ own }))).toEqual([apps(9).slice(1)]);
  });

  it('as long as all their images are at most twenty, and need at most 20 GiB', () => {
    const own = singles(25);
    const of = (neededGib: Setting['neededGib']): number[] =>
      mergesFor({ own, options: { quota: 28 }, neededGib }).map(({ parts }) => parts.length);
    expect(of(() => 20)).toEqual([19]);
    expect(of((keys) => (keys.length > 8 ? 21 : 20))).toEqual([7]);
  });

  it('two at the same time, of which those count that were begun within an hour and have not failed', () => {
    const making = (name: string, change: Partial<OwnCache> = {}): OwnCache =>
      pack(
        name,
        { [`${name}1`]: 0, [`${name}2`]: 0 },
        { phase: 'Creating', createdAtMs: NOW - MINUTE, ...change },
      );
    const others = [making('old', { createdAtMs: NOW - HOUR }), making('failed', { phase: 'UpdateFailed' })];
    const options = { quota: 14 };
    expect(mergesFor({ own: [...singles(8), making('a'), ...others], options })).toHaveLength(1);
    expect(mergesFor({ own: [...singles(8), making('a'), making('b'), ...others], options })).toEqual([]);
  });

  it('without those that did not fit into 20 GiB when they were tried', () => {
    const own = singles(9).map((each, i) => (i === 0 ? { ...each, attempt: 3, sizeGib: 80 } : each));
    expect(partsOf(mergesFor({ own }))[0]).not.toContain('app0');
  });

  it('in another order each day, so that one that spoils a pack does not always meet the same ones', () => {
    const partsAt = (now: number): string => {
      const own = apps(25).map((app) => single(app, NOW - now + MINUTE));
      return partsOf(mergesFor({ own, options: { quota: 28 }, now }))[0]!.join();
    };
    expect(partsAt(NOW)).toBe(partsAt(NOW + MINUTE));
    expect(partsAt(NOW)).not.toBe(partsAt(NOW + DAY));
  });

  it('never those again whose pack is being made or has failed', () => {
    for (const phase of ['Creating', 'Failed', 'UpdateFailed']) {
      const made = pack('made', Object.fromEntries(apps(8).map((app) => [app, 0])), { phase });
      expect(mergesFor({ own: [...singles(8), made] })).toEqual([]);
      const foreign = { ...made, contents: { ...made.contents, owner: { namespace: 'team', uid: '1' } } };
      expect(mergesFor({ own: [...singles(8), foreign] })).toHaveLength(1);
    }
  });

  it('as often in an hour as a tenant may have caches made', () => {
    const recent = Array.from({ length: 3 }, () => ({ tenant: PACKER, atMs: NOW - MINUTE }));
    expect(mergesFor({ own: singles(8), recent, options: { tenantCreationsPerHour: 3 } })).toEqual([]);
    expect(mergesFor({ own: singles(8), recent, options: { creationsPerHour: 3 } })).toEqual([]);
    expect(mergesFor({ own: singles(8), recent, options: { creationsPerHour: 4 } })).toHaveLength(1);
  });
});

describe('the parts of a pack', () => {
  const all = Object.fromEntries(apps(8).map((app) => [app, 0]));
  const ready = pack('ready', all, { createdAtMs: NOW });

  it('stay until it is Ready, and are marked then', () => {
    const making = { ...ready, phase: 'Creating' };
    expect(summary(planFor({ own: [...singles(8), making], options: PACKING }))).toEqual({});
    expect(summary(planFor({ own: [...singles(8), ready], options: PACKING }))).toEqual({
      marked: apps(8).map((app) => `Packed imc-${app}`),
    });
  });

  it('stay as long as pods are about to start from them', () => {
    const planned = planFor({ own: [...singles(8), ready], needed: ['imc-app3'], options: PACKING });
    expect(planned.marks.map(({ cache }) => cache.name)).not.toContain('app3');
  });

  it('stay if the pack is marked itself, is too large for their pods, or is for others', () => {
    for (const change of [
      { retiring: { reason: 'Quota' as const, sinceMs: NOW } },
      { sizeGib: 30 },
      { contents: { ...ready.contents, architecture: 'arm64' } },
    ]) {
      expect(planFor({ own: [...singles(8), { ...ready, ...change }], options: PACKING }).marks).toEqual([]);
    }
  });

  it('are not given up for misses while it is being made: the misses wait for their places', () => {
    const making = { ...ready, phase: 'Creating' };
    const own = [...singles(9), making];
    expect(summary(planFor({ own, misses: missed({ new: 0 }), options: PACKING }))).toEqual({});
  });

  it('are like other caches again if it has been in the making for an hour', () => {
    const stuck = { ...ready, phase: 'Creating', createdAtMs: NOW - HOUR };
    const old = singles(9).map((each) => ({ ...each, createdAtMs: NOW - DAY }));
    const planned = planFor({ own: [...old, stuck], misses: missed({ new: 0 }), options: PACKING });
    expect(planned.marks).toHaveLength(1);
  });
});

describe('the last two places', () => {
  it('are left to packs: a miss gets none of them, and takes the place of another cache', () => {
    const own = apps(10).map((app, i) => single(app, 2 * DAY + i * MINUTE));
    expect(summary(planFor({ own, misses: missed({ new: 0 }), options: PACKING }))).toEqual({
      marked: ['Quota imc-app9'],
    });
    const fewer = planFor({ own: own.slice(1), misses: missed({ new: 0 }), options: PACKING });
    expect(summary(fewer)).toEqual({ created: ['new 1'] });
  });
});

describe('a pack', () => {
  it('is taken apart once half of its sets were not used for seven days: a cache for the others is made', () => {
    const worn = pack('worn', { a: 8 * DAY, b: 8 * DAY, c: HOUR, d: HOUR });
    expect(mergesFor({ own: [{ ...worn, createdAtMs: NOW - 20 * DAY }] })).toMatchObject([
      { parts: [{ name: 'worn' }], sets: [{}, {}], desired: { images: [{}, {}, {}] } },
    ]);
    expect(mergesFor({ own: [pack('fresh', { a: 8 * DAY, b: HOUR, c: HOUR })] })).toEqual([]);
  });

  it('is not taken apart if the rest would not fit, and at most two are at the same time', () => {
    const worn = (name: string): OwnCache => pack(name, { [`${name}-a`]: 8 * DAY, [`${name}-b`]: HOUR });
    expect(mergesFor({ own: [worn('x')], neededGib: () => 21 })).toEqual([]);
    const own = ['x', 'y', 'z'].map(worn);
    const first = planFor({ own, options: PACKING });
    expect(first.merges).toHaveLength(2);
    const after = carryOut(own, first, NOW);
    expect(planFor({ own: after, options: PACKING }).merges).toEqual([]);
  });

  it('does not go for a miss while the cache for the rest of it is being made', () => {
    const worn = pack('worn', { a: 8 * DAY, b: DAY }, { lastUsedAtMs: NOW - DAY });
    const own = [worn, ...apps(8).map((app) => single(app, HOUR))];
    const rest = single('b', 0, { phase: 'Creating', madeFor: PACKER });
    const planned = planFor({ own: [...own, rest], misses: missed({ new: 0 }), options: PACKING });
    expect(planned.marks).toEqual([]);
  });

  it('that failed does not go for a miss, because it says what not to merge again', () => {
    const failed = pack('failed', { a: 0, b: 0 }, { phase: 'Failed', lastUsedAtMs: NOW - 3 * DAY });
    const own = [
      failed,
      ...apps(9).map((app, i) => single(app, DAY + i * HOUR, { createdAtMs: NOW - 3 * DAY })),
    ];
    const planned = planFor({ own, misses: missed({ new: 0 }), options: PACKING });
    expect(planned.deletions).toEqual([]);
    expect(planned.marks.map(({ cache }) => cache.name)).toEqual(['app8']);
  });

  it('goes once that cache is Ready', () => {
    const worn = pack('worn', { a: 8 * DAY, b: 8 * DAY, c: HOUR, d: HOUR });
    const rest = pack('rest', { c: HOUR, d: HOUR }, { createdAtMs: NOW });
    expect(summary(planFor({ own: [worn, rest], options: PACKING }))).toEqual({
      marked: ['Packed imc-worn'],
    });
  });

  it('that nobody uses at all is not made anew', () => {
    expect(mergesFor({ own: [pack('dead', { a: 8 * DAY, b: 8 * DAY })] })).toEqual([]);
  });
});

it('a cache that somebody asks to leave alone is neither marked as idle nor for a miss, and loses its mark', () => {
  const old = single('old', 40 * DAY, { doNotEvict: true });
  expect(summary(planFor({ own: [old] }))).toEqual({});
  expect(summary(planFor({ own: [old], misses: missed({ new: 0 }), options: { quota: 1 } }))).toMatchObject({
    refused: ['Quota new'],
  });
  const marked = { ...old, retiring: { reason: 'Idle' as const, sinceMs: NOW - HOUR } };
  expect(summary(planFor({ own: [marked] }))).toEqual({ unmarked: ['imc-old'] });
});

/** Runs a cluster for hours: apps are used, caches become Ready after 3 minutes, and the controller may die at any step. */
function* run(
  seed: number,
  options: PlanOptions,
  steps: number,
): Generator<{ own: OwnCache[]; planned: Plan }> {
  let chance = seed;
  const draw = (below: number): number => {
    chance = (Math.imul(chance, 1_103_515_245) + 12_345) & 0x7fffffff;
    return (chance >> 8) % below;
  };
  const used = (own: OwnCache[], app: string, now: number): OwnCache[] => {
    const hash = setOf([keyOf(app), SIDECAR], 0).hash;
    const touch = (set: CachedSet): CachedSet => (set.hash === hash ? { ...set, lastUsedAtMs: now } : set);
    return own.map((each) =>
      each.sets.some((set) => set.hash === hash)
        ? { ...each, lastUsedAtMs: now, sets: each.sets.map(touch) }
        : each,
    );
  };
  let own: OwnCache[] = [];
  for (let step = 0; step < steps; step++) {
    const now = NOW + step * 4 * MINUTE;
    const app = `app${draw(60)}`;
    const hash = setOf([keyOf(app), SIDECAR], 0).hash;
    own = own.map((each) => (each.phase === '' ? { ...each, phase: 'Ready', id: `imc-${each.name}` } : each));
    const isHeld = own.some((each) => !each.retiring && each.sets.some((set) => set.hash === hash));
    if (isHeld) own = used(own, app, now);
    else if (own.length < options.quota - 2) own = [...own, single(app, 0, { createdAtMs: now })];
    const planned = planFor({ own, options, now });
    yield { own, planned };
    own = carryOut(own, planned, now, draw(4) === 0 ? draw(6) : Infinity);
  }
}

describe('whatever happens', () => {
  const options: PlanOptions = {
    quota: 14,
    packing: true,
    missesBefore: 1,
    refresh: 'never',
    idleAfter: 30 * DAY,
    retireWait: 2 * MINUTE,
    tenantCreationsPerHour: 1000,
    creationsPerHour: 1000,
  };
  const heldBy = (own: readonly OwnCache[]): Set<string> =>
    new Set(
      own
        .filter(({ phase, retiring }) => phase === 'Ready' && !retiring)
        .flatMap(({ sets }) => sets.map(({ hash }) => hash)),
    );

  it('merges keep every set warm, also if the controller dies at any step', () => {
    let merges = 0;
    fc.assert(
      fc.property(fc.nat(), (seed) => {
        let held = new Set<string>();
        for (const { own, planned } of run(seed, options, 200)) {
          const now = heldBy(own);
          for (const hash of held) expect(now).toContain(hash);
          held = now;
          merges += planned.merges.length;
        }
      }),
      { numRuns: 15 },
    );
    expect(merges).toBeGreaterThan(15);
  });

  it('there are never more caches than the quota, and no pack has more than twenty images', () => {
    fc.assert(
      fc.property(fc.nat(), (seed) => {
        for (const { own } of run(seed, options, 200)) {
          expect(own.length).toBeLessThanOrEqual(options.quota);
          for (const { contents } of own) expect(contents.images.length).toBeLessThanOrEqual(20);
        }
      }),
      { numRuns: 15 },
    );
  });

  it('the plan is the same in whatever order the caches are known', () => {
    fc.assert(
      fc.property(fc.nat(), (seed) => {
        for (const { own, planned } of run(seed, options, 60)) {
          const other = planFor({ own: own.toReversed(), options, now: NOW + 60 * 4 * MINUTE });
          const same = planFor({ own, options, now: NOW + 60 * 4 * MINUTE });
          expect(other.merges.map(({ name }) => name)).toEqual(same.merges.map(({ name }) => name));
          void planned;
        }
      }),
      { numRuns: 10 },
    );
  });
});
