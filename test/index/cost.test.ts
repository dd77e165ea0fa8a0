/**
 * What look-ups and changes cost, counted in groups looked at and not in time: with a sidecar in every cache, the counts
 * must not grow with the index. Where it is time that is compared, it is in one process, by turns, with a wide margin.
 */
import { describe, expect, it, vi } from 'vitest';
import type { ImageCache } from '../../src/core/image-cache.ts';
import { parseImageReference } from '../../src/core/image/reference.ts';
import { GIB } from '../../src/core/quantity.ts';
import { GroupList } from '../../src/index/group-list.ts';
import { GroupTable } from '../../src/index/group-table.ts';
import { ImageCacheIndex } from '../../src/index/image-cache-index.ts';
import { median } from '../bench/measure.ts';
import { describeCaches, describeImageSets, toImageCache } from '../bench/population.ts';

/** How often anyone looks at a group itself, instead of passing over it by its signature. */
const looks = vi.spyOn(GroupTable.prototype, 'firstOf');

function cacheWith(i: number, images: readonly string[]): ImageCache {
  return {
    name: `cache-${i}`,
    id: `imc-${i}`,
    images: [...images].sort().map((image) => parseImageReference(image)!),
    sizeBytes: (20 + (i % 7)) * GIB,
    phase: 'Ready',
    progress: '100%',
    createdAt: i,
    expiresAt: undefined,
    deleting: false,
    region: undefined,
  };
}

/** Caches of an app of its own each, and a sidecar that all of them have. */
function fill(count: number): ImageCacheIndex {
  const index = new ImageCacheIndex();
  for (let i = 0; i < count; i++) index.apply(cacheWith(i, [`app-${i}:1`, `base-${i % 50}:1`, 'sidecar:1']));
  return index;
}

function counting(action: () => unknown): number {
  looks.mockClear();
  action();
  return looks.mock.calls.length;
}

function firstOf(index: ImageCacheIndex, images: readonly string[]): string | undefined {
  for (const { candidates } of index.usableCandidates(
    images.map((image) => parseImageReference(image)!),
    22 * GIB,
  )) {
    for (const { cache } of candidates) return cache.name;
  }
  return undefined;
}

const SMALL = fill(1000);
const LARGE = fill(30_000);

describe('the cost of an index of 30,000 caches with a common sidecar is that of one of 1,000', () => {
  it.each([
    ['a known app with the sidecar', ['app-7:1', 'sidecar:1'], 'cache-7'],
    ['a new version of a known app with the sidecar', ['app-7:2', 'sidecar:1'], 'cache-7'],
    ['an unknown app without the sidecar', ['unknown:1'], undefined],
  ])('to look up %s', (_title, images, found) => {
    expect(firstOf(SMALL, images)).toBe(found);
    expect(firstOf(LARGE, images)).toBe(found);
    const [small, large] = [SMALL, LARGE].map((index) => counting(() => firstOf(index, images)));
    expect(large).toBeLessThanOrEqual(small! + 50);
  });

  it('to look up an unknown app with the sidecar: the newest of the closest size, found at once', () => {
    expect(firstOf(LARGE, ['unknown:1', 'sidecar:1'])).toBe('cache-29997');
    expect(counting(() => firstOf(LARGE, ['unknown:1', 'sidecar:1']))).toBeLessThan(50);
  });

  it('to look up what a pod never had before, of images as popular as Zipf would have them: within ten times', () => {
    const measure = [1000, 50_000].map((caches) => {
      const index = new ImageCacheIndex();
      for (const each of describeCaches(caches)) index.apply(toImageCache(each));
      const sets = describeImageSets(caches);
      return (): number => {
        const pods = Array.from({ length: 300 }, () => sets.next().value);
        const began = performance.now();
        for (const images of pods) firstOf(index, images);
        return performance.now() - began;
      };
    });
    const rounds = Array.from({ length: 9 }, () => measure.map((run) => run()));
    const [small, large] = [0, 1].map((i) => median(rounds.map((round) => round[i]!)));
    expect(large! / small!).toBeLessThan(10);
  });

  it('to take one out and put it back where it was, Ready again or further on: no list is touched', () => {
    const index = fill(1000);
    const cache = cacheWith(7, ['app-7:1', 'base-7:1', 'sidecar:1']);
    index.settle();
    const inserted = vi.spyOn(GroupList.prototype, 'insert');
    const deleted = vi.spyOn(GroupList.prototype, 'delete');
    const touched = (): number[] => [inserted.mock.calls.length, deleted.mock.calls.length];
    index.delete(cache.name);
    expect(firstOf(index, ['app-7:1'])).toBeUndefined();
    index.apply(cache);
    expect(firstOf(index, ['app-7:1'])).toBe('cache-7');
    index.apply({ ...cache, region: 'cn-beijing' });
    index.settle();
    expect(touched()).toEqual([0, 0]);
    index.apply({ ...cache, createdAt: 0 });
    index.settle();
    // Three images of as many repositories.
    expect(touched()).toEqual([6, 6]);
  });

  it('to add, change and remove one', () => {
    const change = (index: ImageCacheIndex): void => {
      const cache = cacheWith(1_000_000, ['new:1', 'base-3:1', 'sidecar:1']);
      index.apply(cache);
      index.apply({ ...cache, phase: 'Updating' });
      index.apply(cache);
      index.delete(cache.name);
    };
    const [small, large] = [SMALL, LARGE].map((index) => counting(() => change(index)));
    expect(large).toBe(small);
  });
});

describe('the index', () => {
  it('says whether anything changed', () => {
    const index = fill(3);
    expect(index.apply(cacheWith(1, ['app-1:1', 'base-1:1', 'sidecar:1']))).toBe(false);
    expect(index.apply(cacheWith(1, ['app-1:2']))).toBe(true);
    expect(index.delete('cache-1')).toBe(true);
    expect(index.delete('cache-1')).toBe(false);
  });

  it('holds after a reset what it was given and nothing else', () => {
    const index = fill(5);
    index.reset([cacheWith(3, ['app-3:1', 'base-3:1', 'sidecar:1']), cacheWith(9, ['app-9:1'])]);
    expect(index.size).toBe(2);
    expect(firstOf(index, ['app-1:1'])).toBeUndefined();
    expect(firstOf(index, ['app-9:1'])).toBe('cache-9');
    expect(index.byId('imc-1')).toBeUndefined();
    expect(index.countByPhase).toEqual(new Map([['Ready', 2]]));
  });
});
