/**
 * Owns what a group of caches is made of. The caches that hold the same images in the same size are one group: they differ
 * in age and name alone, so their order among themselves is the same for every pod, and the group stands in a list where
 * its first cache does. Nearly every group is one cache.
 */
import type { ImageCache } from '../core/image-cache.ts';
import type { ImageReference } from '../core/image/reference.ts';
import type { GroupList } from './group-list.ts';

/** An image that some group holds: one object each, so that a million caches share it, and identity is equality. */
export interface IndexedImage extends ImageReference {
  readonly inRepository: IndexedRepository;
  /** No other image or repository of the index has it; it decides the bits in a signature (group-table.ts). */
  readonly number: number;
  /** Its place in a ChangeClock. */
  readonly place: number;
  /** The groups that hold it. */
  readonly groups: GroupList;
}

export interface IndexedRepository {
  readonly name: string;
  readonly number: number;
  readonly place: number;
  /** The groups that hold any image of it. */
  readonly groups: GroupList;
}

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
