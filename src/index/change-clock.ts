/**
 * Owns when the caches that hold an image, or any version of it, last changed: a fixed number of places for any number
 * of names, which share them by hash. So one may seem to have changed when another has, but never the other way round.
 */
import type { ImageReference } from '../core/image/reference.ts';
import type { Degree } from '../core/match/score.ts';
import { hashText } from '../core/text-hash.ts';
import type { IndexedImage } from './group.ts';

/** So many that after 100 changes to caches of five images, 3 in 100 other images seem to have changed. */
const PLACES = 2 ** 15;

export class ChangeClock {
  /** By the place of an image's key, or of a repository's name: the last change, as a count of changes. */
  readonly #last = new Float64Array(PLACES);

  /** @param change larger than that of any change before */
  mark(images: readonly IndexedImage[], change: number): void {
    for (const { place, inRepository } of images) {
      this.#last[place] = change;
      this.#last[inRepository.place] = change;
    }
  }

  /**
   * Whether a cache that shares at least this much with a pod may have changed. A cache that holds so many of the pod's
   * images has left its mark on as many.
   */
  isWithinReach(since: number, images: readonly ImageReference[], { exact }: Degree): boolean {
    const changed = images.filter(({ key, repository }) => {
      const name = exact > 0 ? key : repository;
      return this.#last[placeOf(name)]! > since;
    });
    return changed.length >= Math.max(exact, 1);
  }
}

/** @param name an image's key, or a repository's name */
export function placeOf(name: string): number {
  return hashText(name) & (PLACES - 1);
}
