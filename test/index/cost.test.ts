/**
 * What look-ups and changes cost, counted in references looked at and not in time: with a sidecar in every cache, the
 * counts must not grow with the index.
 */
import { describe, expect, it } from 'vitest';
import type { ImageCache } from '../../src/core/image-cache.ts';
import { parseImageReference, type ImageReference } from '../../src/core/image/reference.ts';
import { GIB } from '../../src/core/quantity.ts';
import { ImageCacheIndex } from '../../src/index/image-cache-index.ts';

let looks = 0;

/** A reference that counts how often anyone looks at it. */
function counted(text: string): ImageReference {
  const { key, repository, tag } = parseImageReference(text)!;
  return {
    repository,
    tag,
    get key() {
      looks++;
      return key;
    },
  };
}

const references = new Map<string, ImageReference>();

function shared(text: string): ImageReference {
  const known = references.get(text) ?? counted(text);
  references.set(text, known);
  return known;
}

function cacheWith(i: number, images: readonly string[]): ImageCache {
  return {
    name: `cache-${i}`,
    id: `imc-${i}`,
    images: [...images].sort().map(shared),
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
  looks = 0;
  action();
  return looks;
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
