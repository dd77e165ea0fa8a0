/**
 * Owns the group: the caches that hold the same images in the same size. They differ in age and name alone, so their
 * order among themselves is the same for every pod, and the group stands in a list where its first cache does.
 */
import type { ImageCache } from '../core/image-cache.ts';
import type { ImageReference } from '../core/image/reference.ts';
import { compareAge } from '../core/match/pick.ts';
import type { OrderedList } from './ordered-list.ts';

export interface Group {
  readonly key: string;
  readonly images: readonly ImageReference[];
  readonly sizeBytes: number;
  /** Never empty while the group is in a list. */
  readonly caches: OrderedList<ImageCache>;
}

/** All groups that hold one image, or one repository. */
export type GroupList = OrderedList<Group>;

/** Same images in the same size, same group. Keys hold no space. */
export function groupKey({ images, sizeBytes }: ImageCache): string {
  return `${sizeBytes} ${images.map((image) => image.key).join(' ')}`;
}

export function firstOf(group: Group): ImageCache {
  const { first } = group.caches;
  if (!first) throw new Error(`the group ${group.key} is in a list and holds no cache`);
  return first;
}

/** The order of groups in a list: the one part of the ranking that no pod changes. */
export function compareInList(a: Group, b: Group): number {
  return a.sizeBytes - b.sizeBytes || compareAge(firstOf(a), firstOf(b));
}
