import { describe, expect, it } from 'vitest';
import type { ImageCache } from '../../src/core/image-cache.ts';
import { parseImageReference } from '../../src/core/image/reference.ts';
import { ImageCacheIndex } from '../../src/index/image-cache-index.ts';
import { indexedCache } from '../support/objects.ts';

function cacheWith(i: number, images: readonly string[], change: Partial<ImageCache> = {}): ImageCache {
  const references = [...images].sort().map((image) => parseImageReference(image)!);
  return indexedCache(i, { images: references, ...change });
}

function fill(count: number): ImageCacheIndex {
  const index = new ImageCacheIndex();
  for (let i = 0; i < count; i++) index.apply(cacheWith(i, [`app-${i}:1`, `base-${i % 3}:1`, 'sidecar:1']));
  return index;
}

/** The names of the candidates by degree, `exact+sameRepository`; unusable candidates are in parentheses. */
function candidates(index: ImageCacheIndex, images: readonly string[]): Record<string, string[]> {
  const references = images.map((image) => parseImageReference(image)!);
  return Object.fromEntries(
    index
      .candidates(references)
      .map(({ degree, usable, unusable }) => [
        `${degree.exact}+${degree.sameRepository}`,
        [...usable.map(({ name }) => name), ...unusable.map(({ name }) => `(${name})`)].toSorted(),
      ]),
  );
}

describe('the index of ImageCaches', () => {
  it('gives the caches that share an image or a repository with a pod, the highest degree first, and no other', () => {
    const index = fill(4);
    index.apply(cacheWith(9, ['other:1']));
    index.apply(cacheWith(10, ['app-1:1', 'sidecar:2'], { phase: 'Creating' }));
    expect(candidates(index, ['app-1:1', 'sidecar:1'])).toEqual({
      '2+0': ['cache-1'],
      '1+1': ['(cache-10)'],
      '1+0': ['cache-0', 'cache-2', 'cache-3'],
    });
    expect(Object.keys(candidates(index, ['app-1:1', 'sidecar:1']))).toEqual(['2+0', '1+1', '1+0']);
    expect(candidates(index, ['app-1:7', 'app-1:8'])).toEqual({ '0+2': ['(cache-10)', 'cache-1'] });
    expect(candidates(index, ['unknown:1'])).toEqual({});
    expect(candidates(index, [])).toEqual({});
  });

  it('gives the same candidates when it is asked again, also after other caches were added', () => {
    const index = fill(3);
    const before = candidates(index, ['sidecar:1']);
    expect(candidates(index, ['sidecar:1'])).toEqual(before);
    for (let i = 100; i < 400; i++) index.apply(cacheWith(i, [`app-${i}:1`]));
    expect(candidates(index, ['sidecar:1'])).toEqual(before);
    expect(candidates(index, ['app-399:1', 'sidecar:1'])).toEqual({
      '1+0': [...before['1+0']!, 'cache-399'],
    });
  });

  it('says whether an apply or a delete changed anything', () => {
    const index = fill(3);
    expect(index.apply(cacheWith(1, ['app-1:1', 'base-1:1', 'sidecar:1']))).toBe(false);
    expect(index.apply(cacheWith(1, ['app-1:2']))).toBe(true);
    expect(index.delete('cache-1')).toBe(true);
    expect(index.delete('cache-1')).toBe(false);
    expect(index.size).toBe(2);
  });

  it('follows a cache whose state changes and whose images stay the same', () => {
    const index = fill(2);
    const images = ['app-1:1', 'base-1:1', 'sidecar:1'];
    for (const [change, expected] of [
      [{ phase: 'Updating' }, '(cache-1)'],
      [{ phase: 'Ready', id: 'imc-new' }, 'cache-1'],
      [{ deleting: true }, '(cache-1)'],
    ] as const) {
      expect(index.apply(cacheWith(1, images, change))).toBe(true);
      expect(candidates(index, ['app-1:1'])).toEqual({ '1+0': [expected] });
    }
    expect(index.byId('imc-new')).toBeUndefined();
    expect(index.byId('imc-1')?.name).toBe('cache-1');
    expect(index.countByPhase).toEqual(new Map([['Ready', 2]]));
  });

  it('gives the number of a deleted cache to a new cache, and does not confuse the two', () => {
    const index = fill(3);
    index.delete('cache-1');
    index.apply(cacheWith(7, ['new:1', 'sidecar:1']));
    expect(candidates(index, ['app-1:1', 'base-1:1'])).toEqual({});
    expect(candidates(index, ['new:1', 'sidecar:1'])).toEqual({
      '2+0': ['cache-7'],
      '1+0': ['cache-0', 'cache-2'],
    });
  });

  it('has after a reset the given caches and no others', () => {
    const index = fill(5);
    index.reset([cacheWith(3, ['app-3:1', 'base-0:1', 'sidecar:1']), cacheWith(9, ['app-9:1'])]);
    expect(index.size).toBe(2);
    expect(candidates(index, ['app-1:1'])).toEqual({});
    expect(candidates(index, ['app-9:1'])).toEqual({ '1+0': ['cache-9'] });
    expect(index.byId('imc-1')).toBeUndefined();
    expect(index.countByPhase).toEqual(new Map([['Ready', 2]]));
  });

  it('resolves an ID that several caches have to the first cache by name, in whatever order they came', () => {
    for (const order of [
      [1, 2, 3],
      [3, 1, 2],
      [2, 3, 1],
    ]) {
      const index = new ImageCacheIndex();
      for (const i of order) index.apply(cacheWith(i, ['a:1'], { id: 'imc-shared' }));
      expect(index.byId('imc-shared')?.name).toBe('cache-1');
      index.delete('cache-1');
      expect(index.byId('imc-shared')?.name).toBe('cache-2');
      index.delete('cache-2');
      index.delete('cache-3');
      expect(index.byId('imc-shared')).toBeUndefined();
    }
  });
});
