/**
 * Owns the latest changes to caches, found by the images that those caches hold. Images and repositories share a fixed
 * number of places by hash; each place leads to its latest change, and each change to the one before it at each of its
 * places. A cache that holds so many of a pod's images has changed at as many places, so that the look is at the changes
 * to one image of the pod, the one that changes least, and hardly ever at another. Changes are chained once somebody asks,
 * or the source confirms: nobody does while an index is filled.
 */
import { isUsable, type ImageCache } from '../core/image-cache.ts';
import { compareDegree } from '../core/match/pick.ts';
import { isWithin, type Depth, type Reach } from '../core/match/reach.ts';
import { degreeOf, wantedImages, type Degree, type WantedImages } from '../core/match/score.ts';

const PLACES = 2 ** 15;
/** A few seconds of a cluster in which a thousand caches change in each. Of older ones only the places are known. */
const KEPT = 2 ** 12;
/** Of caches of eight images. */
const KEPT_PLACES = KEPT * 16;

export class RecentChanges {
  /** By place, as a count of changes. */
  readonly #latest = new Float64Array(PLACES);
  /** The caches, as they were or as they became: by the last bits of the change, as all that follows. */
  readonly #caches: (ImageCache | undefined)[] = [];
  /** Where in #before the places of each change begin. */
  readonly #starts = new Float64Array(KEPT);
  /** The change before at each place of a change, for each image its own and then that of its repository. */
  readonly #before = new Float64Array(KEPT_PLACES);
  /** How many were ever written there. */
  #noted = 0;
  #count = 0;
  /** Up to which change all are chained, or were too many. */
  #chained = 0;

  /** How many changes there were. */
  get count(): number {
    return this.#count;
  }

  /** A cache has come, or is going. */
  add(cache: ImageCache): void {
    this.#caches[++this.#count & (KEPT - 1)] = cache;
  }

  /** Chains what has changed, as the next who asks would have to do first. */
  settle(): void {
    if (this.#count - this.#chained > KEPT) {
      // Which images the first of them were of is not known any more: it may have been any.
      this.#latest.fill(this.#count);
      this.#caches.fill(undefined);
      this.#chained = this.#count;
    }
    while (this.#chained < this.#count) this.#chain(++this.#chained);
  }

  #chain(change: number): void {
    this.#starts[change & (KEPT - 1)] = this.#noted;
    for (const { keyHash, repositoryHash } of this.#caches[change & (KEPT - 1)]!.images) {
      this.#note(placeOf(keyHash), change);
      this.#note(placeOf(repositoryHash), change);
    }
  }

  #note(place: number, change: number): void {
    this.#before[this.#noted++ & (KEPT_PLACES - 1)] = this.#latest[place]!;
    this.#latest[place] = change;
  }

  /** Whether a cache within reach has come, gone or changed since then; may say so where none has. */
  isWithinReach(since: number, reach: Reach): boolean {
    this.settle();
    return (
      this.#isWithin(since, reach, reach.usable, isUsable) ||
      this.#isWithin(since, reach, reach.unusable, (cache) => !isUsable(cache))
    );
  }

  #isWithin(since: number, reach: Reach, depth: Depth, isOfKind: (cache: ImageCache) => boolean): boolean {
    const { images, targetBytes } = reach;
    const { exact } = depth.degree;
    if (compareDegree({ exact: images.length, sameRepository: 0 }, depth.degree) > 0) return false;
    // Arranged once, and only where there is a change to look at.
    let wanted: WantedImages | undefined;
    const degreeWith = (cache: ImageCache): Degree =>
      degreeOf((wanted ??= wantedImages(images)), cache.images);
    return images
      .map(({ keyHash, repositoryHash }) => placeOf(exact > 0 ? keyHash : repositoryHash))
      .toSorted((a, b) => this.#latest[a]! - this.#latest[b]!)
      .slice(0, images.length + 1 - Math.max(exact, 1))
      .some((place) => {
        let change = this.#latest[place]!;
        while (change > since) {
          const cache = this.#cacheOf(change);
          if (!cache) return true;
          if (isOfKind(cache) && isWithin({ cache, degree: degreeWith(cache) }, depth, targetBytes))
            return true;
          change = this.#changeBefore(change, cache, place);
        }
        return false;
      });
  }

  /** Undefined for a change that is not kept any more. */
  #cacheOf(change: number): ImageCache | undefined {
    if (change <= this.#count - KEPT) return undefined;
    const isOverwritten = this.#noted - this.#starts[change & (KEPT - 1)]! > KEPT_PLACES;
    return isOverwritten ? undefined : this.#caches[change & (KEPT - 1)];
  }

  /** @param cache that of the change, which is kept, and was at this place */
  #changeBefore(change: number, { images }: ImageCache, place: number): number {
    let at = this.#starts[change & (KEPT - 1)]!;
    for (const { keyHash, repositoryHash } of images) {
      // The first of several that share a place has the change before; the others have this one.
      if (placeOf(keyHash) === place) return this.#before[at & (KEPT_PLACES - 1)]!;
      if (placeOf(repositoryHash) === place) return this.#before[(at + 1) & (KEPT_PLACES - 1)]!;
      at += 2;
    }
    throw new Error(`change ${change} was not at place ${place}`);
  }
}

function placeOf(hash: number): number {
  return hash & (PLACES - 1);
}
