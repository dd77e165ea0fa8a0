/**
 * Owns when the caches that hold an image, or any version of it, last changed: a few numbers for any number of images,
 * which share them by hash. So an image may seem to have changed when another has, but never the other way round.
 */
import type { ImageReference } from '../core/image/reference.ts';
import type { Degree } from '../core/match/score.ts';
import { hashText } from '../core/text-hash.ts';

/** So many that few of a pod's images seem to have changed with others: at 10,000 changes of images a second, and a pod of the same workload ten times a second, 3 in 100. */
const PLACES = 2 ** 15;

export class ChangeClock {
  /** By the hash of an image's key or of a repository's name: the last change, as a count of changes. */
  readonly #last = new Float64Array(PLACES);

  /** @param change larger than that of any change before */
  mark(images: readonly ImageReference[], change: number): void {
    for (const { key, repository } of images) {
      this.#last[placeOf(key)] = change;
      this.#last[placeOf(repository)] = change;
    }
  }

  /**
   * Whether a cache that shares at least this much with a pod may have changed. A cache that holds so many of the pod's
   * images has left its mark on as many.
   */
  isWithinReach(since: number, images: readonly ImageReference[], { exact }: Degree): boolean {
    const changed = images.filter(({ key, repository }) => {
      const last = this.#last[placeOf(exact > 0 ? key : repository)]!;
      return last > since;
    });
    return changed.length >= Math.max(exact, 1);
  }
}

function placeOf(name: string): number {
  return hashText(name) & (PLACES - 1);
}
