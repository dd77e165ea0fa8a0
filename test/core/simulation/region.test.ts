/** How the simulated region makes, matches, evicts and forgets caches, and starts pods. */
import { describe, expect, it } from 'vitest';
import { Region, type Quotas, type Start } from '../../../src/core/simulation/region.ts';
import { cacheObject } from '../../support/objects.ts';

const NOW = Date.parse('2026-11-25T12:00:00Z');
const MINUTE = 60_000;
const DAY = 86_400_000;

function region(quotas?: Quotas): Region {
  return new Region({ creationTime: MINUTE, failing: ['broken'] }, quotas);
}

let pods = 0;
function start(images: readonly string[], change: Partial<Start> = {}): Start {
  pods += 1;
  return {
    name: `pod-${pods}`,
    uid: `uid-${pods}`,
    images,
    pin: undefined,
    auto: true,
    perfect: false,
    count: null,
    storageGiB: 30,
    extraGiB: 0,
    architecture: 'amd64',
    system: 'linux',
    ...change,
  };
}

function reasons({ events }: ReturnType<Region['start']>): string[] {
  return events.map(({ reason }) => reason);
}

describe('ECI makes a cache by itself', () => {
  it('for a pod that finds none, which later pods with the same images start from', () => {
    const eci = region();
    expect(reasons(eci.start(start(['a:1', 'b:2']), NOW))).toEqual([
      'ImageCacheMissed',
      'ImageCacheAutoCreated',
    ]);
    eci.advance(NOW + MINUTE);
    const started = eci.start(start(['a:1', 'b:2']), NOW + MINUTE);
    expect(reasons(started)).toEqual(['SuccessfulHitImageCache']);
    expect(started.cache).toMatchObject({
      madeBy: 'eci',
      name: expect.stringMatching(/^auto-create-for-eci-/),
    });
    expect(started.present).toEqual(new Set(['a:1', 'b:2']));
  });

  it('also if the best one lacks an image, and not twice for the same images', () => {
    const eci = region();
    eci.setCluster([cacheObject({ name: 'partial', images: ['a:1'] })], {});
    const first = eci.start(start(['a:1', 'b:2']), NOW);
    expect(reasons(first)).toEqual(['SuccessfulHitImageCache', 'ImageCacheAutoCreated']);
    expect(first.present).toEqual(new Set(['a:1']));
    expect(reasons(eci.start(start(['b:2', 'a:1']), NOW))).toEqual(['SuccessfulHitImageCache']);
  });

  it('never for a pod whose automatic matching is off', () => {
    const eci = region();
    expect(reasons(eci.start(start(['a:1'], { auto: false }), NOW))).toEqual([]);
    expect(eci.usage().used.automatic).toBe(0);
  });

  it('and at the quota lets the least recently used one go', () => {
    const eci = region({ manual: 500, automatic: 2 });
    for (const image of ['a:1', 'b:1']) eci.start(start([image]), NOW);
    eci.advance(NOW + MINUTE);
    eci.start(start(['a:1']), NOW + MINUTE);
    eci.start(start(['c:1']), NOW + 2 * MINUTE);
    expect(
      eci
        .caches()
        .flatMap(({ images }) => images)
        .toSorted(),
    ).toEqual(['a:1', 'c:1']);
  });

  it('and removes it after 7 days without a use, or 30 days after the last', () => {
    const eci = region();
    for (const image of ['used:1', 'unused:1']) eci.start(start([image]), NOW);
    eci.advance(NOW + MINUTE);
    eci.start(start(['used:1']), NOW + MINUTE);
    eci.advance(NOW + 7 * DAY + MINUTE);
    expect(eci.caches().flatMap(({ images }) => images)).toEqual(['used:1']);
    eci.advance(NOW + 31 * DAY);
    expect(eci.caches()).toEqual([]);
  });
});

describe('a pod with an ID', () => {
  it('starts from that cache, and is not run if the cache is not Ready or does not exist', () => {
    const eci = region();
    eci.setCluster([cacheObject({ name: 'ready' }), cacheObject({ name: 'young', phase: 'Creating' })], {});
    expect(eci.start(start(['a:1'], { pin: 'imc-ready' }), NOW)).toMatchObject({
      runs: true,
      cache: { id: 'imc-ready' },
    });
    const young = eci.start(start(['a:1'], { pin: 'imc-young' }), NOW);
    expect([young.runs, ...reasons(young)]).toEqual([false, 'ImageCacheNotComplete']);
    const unknown = eci.start(start(['a:1'], { pin: 'imc-x' }), NOW);
    expect([unknown.runs, ...reasons(unknown)]).toEqual([false, 'ImageCacheNotFound']);
  });
});

it.each<[string, Partial<Start>]>([
  ['is too large', { storageGiB: 10 }],
  ['is for another architecture', { architecture: 'arm64' }],
  ['is for another operating system', { system: 'windows' }],
])('a pod does not start from a cache that %s', (_title, change) => {
  const eci = region();
  eci.setCluster([cacheObject({ name: 'x', images: ['a:1'] })], {});
  expect(eci.start(start(['a:1'], change), NOW).cache).toBeUndefined();
  expect(eci.start(start(['a:1']), NOW).cache?.id).toBe('imc-x');
});

describe('a cache that is made through the API', () => {
  const object = (image: string): { metadata: { name: string }; spec: { images: string[] } } => ({
    metadata: { name: 'c' },
    spec: { images: [image] },
  });
  const phaseOf = (eci: Region): string[] => eci.caches().map(({ phase }) => phase);

  it('becomes Ready, and keeps its ID when it is updated', () => {
    const eci = region();
    const id = eci.create(object('a:1'), false, NOW)!;
    expect(eci.update(id, {}, undefined, NOW)).toBe('not done yet');
    eci.advance(NOW + MINUTE);
    expect(phaseOf(eci)).toEqual(['Ready']);
    expect(eci.update(id, { images: ['a:2'] }, 3, NOW + MINUTE)).toBe('done');
    expect(phaseOf(eci)).toEqual(['Updating']);
    eci.advance(NOW + 2 * MINUTE);
    expect(eci.caches()).toMatchObject([{ id, phase: 'Ready', images: ['a:2'] }]);
    expect(eci.copiesOf(id)).toBe(3);
    eci.update(id, { images: ['broken:1'] }, undefined, NOW + 2 * MINUTE);
    eci.advance(NOW + 3 * MINUTE);
    expect(phaseOf(eci)).toEqual(['UpdateFailed']);
    expect(eci.delete(id)).toBe(true);
    expect(eci.update(id, {}, undefined, NOW)).toBe('unknown');
  });

  it('needs room, which only a cache with LRU makes', () => {
    const eci = region({ manual: 2, automatic: 0 });
    const plain = eci.create(object('a:1'), false, NOW);
    const lru = eci.create(object('b:1'), true, NOW);
    const third = eci.create(object('c:1'), false, NOW);
    expect(eci.caches().map(({ id }) => id)).toEqual(expect.arrayContaining([plain, third]));
    expect(eci.caches().map(({ id }) => id)).not.toContain(lru);
    expect(eci.create(object('d:1'), false, NOW)).toBeUndefined();
    expect(eci.usage().used.manual).toBe(2);
  });
});
