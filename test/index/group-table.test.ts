import { describe, expect, it } from 'vitest';
import { GIB } from '../../src/core/quantity.ts';
import { GroupTable } from '../../src/index/group-table.ts';
import type { IndexedCache, IndexedImage } from '../../src/index/group.ts';

/** What the table looks at of a cache of one image. */
function cacheOf(number: number, sizeGiB: number): IndexedCache {
  const image = { number, inRepository: { number } } as IndexedImage;
  return { images: [image], sizeBytes: sizeGiB * GIB, createdAt: 0 } as unknown as IndexedCache;
}

describe('GroupTable', () => {
  it('finds each of so many groups that some share a hash, and still does when others are removed', () => {
    const table = new GroupTable();
    const images = Array.from({ length: 500 }, (_, number) => cacheOf(number, 0).images);
    const caches = images.flatMap((of) =>
      Array.from({ length: 500 }, (_, i) => ({ ...cacheOf(0, 1 + i), images: of })),
    );
    const slots = caches.map((cache) => table.add(cache));
    const missing = (): number[] =>
      slots.filter((slot, i) => table.find(caches[i]!.images, caches[i]!.sizeBytes) !== slot);
    expect(missing()).toEqual([]);
    const removed = slots.filter((slot) => slot % 2 === 0);
    for (const slot of removed) table.remove(slot);
    expect(missing()).toEqual(removed);
  });
});
