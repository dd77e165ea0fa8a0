/**
 * Owns what a decision depends on: it reads the caches in their order, as far down as it has to, and no cache that comes
 * after where it stopped makes a difference to it.
 */
import type { ImageReference } from '../image/reference.ts';
import type { Candidate } from '../view.ts';
import { compareDegree, compareTies, type Ranked } from './pick.ts';
import { NO_MATCH, type Degree } from './score.ts';

/** How far down the order of pick.ts something has looked. */
export interface Depth {
  readonly degree: Degree;
  /** The last cache of this degree that was looked at; undefined: all of this degree. */
  readonly last: Ranked | undefined;
}

/**
 * Which ImageCaches something may depend on. An answer in this form stays what it is while all others come and go, which
 * in a large cluster they do every second.
 */
export interface Reach {
  /** Distinct by key. */
  readonly images: readonly ImageReference[];
  /** Total size of the pod's images in bytes, as for the order. */
  readonly targetBytes: number;
  /** Of the caches that a pod can use, and of the others. */
  readonly usable: Depth;
  readonly unusable: Depth;
}

const ALL: Depth = { degree: NO_MATCH, last: undefined };

/** Of what depends on no ImageCache. */
export const NO_REACH: Reach = { images: [], targetBytes: 0, usable: ALL, unusable: ALL };

/** Whether a cache stands where something has looked, or would if it came. */
export function isWithin({ cache, degree }: Candidate, depth: Depth, targetBytes: number): boolean {
  const order = compareDegree(degree, depth.degree);
  return order < 0 || (order === 0 && (!depth.last || compareTies(cache, depth.last, targetBytes) <= 0));
}
