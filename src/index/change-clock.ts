/**
 * Owns when the caches that hold some version of an image last changed: a fixed number of places for any number of
 * repositories, which share them by hash. So one may seem to have changed when another has, but never the other way round.
 */
import type { ImageReference } from '../core/image/reference.ts';
import type { Degree } from '../core/match/score.ts';
import { hashText } from '../core/text-hash.ts';

/** So many that of 500 changes, all that happen between two pods of one workload, 1 in 15 seems to touch an image. */
const PLACES = 2 ** 15;

export class ChangeClock {
  /** By the hash of a repository: the last change, as a count of changes. */
  readonly #last = new Float64Array(PLACES);

  /** @param change larger than that of any change before */
  mark(images: readonly ImageReference[], change: number): void {
    for (const { repository } of images) this.#last[placeOf(repository)] = change;
  }

  /**
   * Whether a cache that shares at least this much with a pod may have changed. A cache that holds so many of the pod's
   * images has left its mark on the repositories of as many.
   */
  isWithinReach(since: number, images: readonly ImageReference[], { exact }: Degree): boolean {
    const changed = images.filter(({ repository }) => this.#last[placeOf(repository)]! > since);
    return changed.length >= Math.max(exact, 1);
  }
}

function placeOf(name: string): number {
  return hashText(name) & (PLACES - 1);
}
