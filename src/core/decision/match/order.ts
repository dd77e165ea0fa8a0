/**
 * The order of candidates: by degree, closeness in size, age and name (docs/domain.md, "Which cache ECI chooses"). The
 * name decides last, so that every replica chooses the same cache.
 */
import { byName } from '../../kubernetes/object.ts';
import type { ImageCache } from '../../image-cache.ts';
import type { Candidate } from '../view.ts';
import type { Degree } from './degree.ts';

/** The fields of a cache that the order compares after the degree. */
export type Ranked = Pick<ImageCache, 'sizeBytes' | 'createdAtMs' | 'name'>;

type Compare<T> = (a: T, b: T) => number;

/** The sizes of the pod's images, as far as nodes report them. */
export interface KnownSizes {
  /** Total bytes; an unknown size counts as 0. */
  readonly targetBytes: number;
  /** The number of images whose size is known. */
  readonly knownSizes: number;
  readonly images: { readonly length: number };
}

interface TieBreak {
  /** Why the first of two caches comes first, as a clause about that cache. */
  readonly because: string | ((sizes: KnownSizes) => string);
  /** Negative if `a` comes first. @param targetBytes total size of the pod's images; an unknown size counts as 0 */
  readonly compare: (a: Ranked, b: Ranked, targetBytes: number) => number;
}

const newestFirst: Compare<Ranked> = (a, b) => b.createdAtMs - a.createdAtMs;

export const TIE_BREAKS: readonly TieBreak[] = [
  {
    because: ({ knownSizes, images }) => {
      if (knownSizes === 0) return "is smaller, as no size of the pod's images is known";
      const known = knownSizes < images.length ? ', as far as their sizes are known' : '';
      return `is closer in size to the pod's images${known}`;
    },
    compare: (a, b, targetBytes) => Math.abs(a.sizeBytes - targetBytes) - Math.abs(b.sizeBytes - targetBytes),
  },
  { because: 'is newer', compare: newestFirst },
  { because: 'comes first by name', compare: byName },
];

/** Negative if `a` is the higher degree: more exact images, then more of the other images in another version. */
export function compareDegree(a: Degree, b: Degree): number {
  return b.exact - a.exact || b.sameRepository - a.sameRepository;
}

/** The lowest degree above the given degree; a degree that no cache can have is possible too. */
export function nextBetter({ exact, sameRepository }: Degree): Degree {
  return { exact, sameRepository: sameRepository + 1 };
}

/** Compares caches of equal degree by each tie-break in turn. */
export function compareTies(a: Ranked, b: Ranked, targetBytes: number): number {
  for (const { compare } of TIE_BREAKS) {
    const order = compare(a, b, targetBytes);
    if (order !== 0) return order;
  }
  return 0;
}

/** The first `count` caches of one degree, in order. Looks at each cache once, and sorts only the first ones. */
export function firstInOrder<T extends Ranked>(
  caches: readonly T[],
  count: number,
  targetBytes: number,
): T[] {
  if (count >= caches.length) return caches.toSorted((a, b) => compareTies(a, b, targetBytes));
  const first: T[] = [];
  for (const cache of caches) {
    const last = first.at(-1);
    if (first.length === count && last && compareTies(last, cache, targetBytes) < 0) continue;
    const place = first.findIndex((each) => compareTies(cache, each, targetBytes) < 0);
    first.splice(place < 0 ? first.length : place, 0, cache);
    if (first.length > count) first.pop();
  }
  return first;
}

/** Why the winner comes before the runner-up, as a clause about the winner. */
export function whyBefore(winner: Candidate, runnerUp: Candidate, sizes: KnownSizes): string {
  if (compareDegree(winner.degree, runnerUp.degree) !== 0) return "matches more of the pod's images";
  const decisive = TIE_BREAKS.find(
    ({ compare }) => compare(winner.cache, runnerUp.cache, sizes.targetBytes) !== 0,
  );
  const because = decisive?.because ?? 'comes first';
  return typeof because === 'string' ? because : because(sizes);
}
