/**
 * Owns the latest changes to caches, found by the images that those caches hold. Images and repositories share a fixed
 * number of places by hash; each place leads to its latest change, and each change to the one before it at each of its
 * places. A cache that holds so many of a pod's images has changed at as many places, so that the look is at the changes
 * to one image of the pod, the one that changes least, and hardly ever at another.
 */
import { isUsable, type ImageCache } from '../core/image-cache.ts';
import { compareDegree } from '../core/match/pick.ts';
import { isWithin, type Depth, type Reach } from '../core/match/reach.ts';
import { hashText } from '../core/text-hash.ts';
import type { IndexedCache } from './group.ts';

const PLACES = 2 ** 15;
/** A few seconds of a cluster in which a thousand caches change in each. Of older ones only the places are known. */
const KEPT = 2 ** 12;

/** A cache as it was, or as it became, and the changes before at its places: a place, its change, and so on. */
interface Change {
  readonly cache: IndexedCache;
  readonly before: readonly number[];
}

export class RecentChanges {
  /** By place, as a count of changes. */
  readonly #latest = new Float64Array(PLACES);
  /** By the last bits of their number. */
  readonly #kept: (Change | undefined)[] = Array.from({ length: KEPT }, () => undefined);
  #count = 0;

  /** How many changes there were. */
  get count(): number {
    return this.#count;
  }

  /** A cache has come, or is going. */
  add(cache: IndexedCache): void {
    const change = ++this.#count;
    const before: number[] = [];
    for (const { place, inRepository } of cache.images)
      for (const at of [place, inRepository.place]) {
        const latest = this.#latest[at]!;
        // Two of its names may share a place.
        if (latest === change) continue;
        before.push(at, latest);
        this.#latest[at] = change;
      }
    this.#kept[change % KEPT] = { cache, before };
  }

  /** Whether a cache within reach has come, gone or changed since then; may say so where none has. */
  isWithinReach(since: number, reach: Reach): boolean {
    return (
      this.#isWithin(since, reach, reach.usable, isUsable) ||
      this.#isWithin(since, reach, reach.unusable, (cache) => !isUsable(cache))
    );
  }

  #isWithin(since: number, reach: Reach, depth: Depth, isOfKind: (cache: ImageCache) => boolean): boolean {
    const { images } = reach;
    const { exact } = depth.degree;
    if (compareDegree({ exact: images.length, sameRepository: 0 }, depth.degree) > 0) return false;
    return images
      .map(({ key, repository }) => placeOf(exact > 0 ? key : repository))
      .toSorted((a, b) => this.#latest[a]! - this.#latest[b]!)
      .slice(0, images.length + 1 - Math.max(exact, 1))
      .some((place) => {
        for (let change = this.#latest[place]!; change > since; change = this.#changeBefore(change, place)) {
          const kept = this.#keptOf(change);
          if (!kept || (isOfKind(kept.cache) && isWithin(kept.cache, reach, depth))) return true;
        }
        return false;
      });
  }

  #keptOf(change: number): Change | undefined {
    return change > this.#count - KEPT ? this.#kept[change % KEPT] : undefined;
  }

  /** @param change one that is kept, and was at this place */
  #changeBefore(change: number, place: number): number {
    const { before } = this.#keptOf(change)!;
    for (let i = 0; i < before.length; i += 2) if (before[i] === place) return before[i + 1]!;
    throw new Error(`change ${change} was not at place ${place}`);
  }
}

/** @param name an image's key, or a repository's name */
export function placeOf(name: string): number {
  return hashText(name) & (PLACES - 1);
}
