/**
 * Owns what a group of caches is made of. The caches that hold the same images in the same size are one group: they differ
 * in age and name alone, so their order among themselves is the same for every pod, and the group stands in a list where
 * its first cache does. Nearly every group is one cache.
 */
import type { ImageCache } from '../core/image-cache.ts';
import type { ImageReference } from '../core/image/reference.ts';
import type { GroupList } from './group-list.ts';

/** What groups are listed under: an image by its key, a repository by its name. */
export interface Listed {
  readonly key: string;
  readonly keyHash: number;
  /** No other image or repository of the index has it; it decides the bits in a signature (group-table.ts). */
  readonly number: number;
  /** The groups that hold it; of a repository, those that hold any image of it. */
  readonly groups: GroupList;
  /** Its place among those that groups wait to be listed under (waiting-groups.ts); undefined where none does. */
  awaitedAt: number | undefined;
}

/** An image that some group holds: one object each, so that a million caches share it, and identity is equality. */
export interface IndexedImage extends ImageReference, Listed {
  readonly inRepository: IndexedRepository;
}

export type IndexedRepository = Listed;

/** A cache as the index keeps it. */
export interface IndexedCache extends ImageCache {
  /** Sorted by key, so that those of one repository stand together; one list for all caches of a group. */
  readonly images: readonly IndexedImage[];
}

/** The distinct repositories of a group's images. */
export function repositoriesOf(images: readonly IndexedImage[]): IndexedRepository[] {
  const repositories: IndexedRepository[] = [];
  for (const { inRepository } of images)
    if (inRepository !== repositories.at(-1)) repositories.push(inRepository);
  return repositories;
}

/** What the group of a cache is listed under. */
export function forEachListed({ images }: IndexedCache, act: (listed: Listed) => void): void {
  let previous: IndexedRepository | undefined;
  for (const image of images) {
    act(image);
    const { inRepository } = image;
    if (inRepository !== previous) act(inRepository);
    previous = inRepository;
  }
}
