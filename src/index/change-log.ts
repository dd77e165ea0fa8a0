/**
 * The latest changes to ImageCaches: which images and repositories each changed cache holds. A remembered answer stays
 * valid unless a cache that changed later holds enough of the pod's images.
 */
import type { ImageCache } from '../core/image-cache.ts';

/**
 * How many changes are kept; an update of a cache takes two. An answer that is older than the oldest kept change is no
 * longer valid, and deciding the pod again is cheap.
 */
const KEPT = 64;

export class ChangeLog {
  /** At index `generation % KEPT`: the keys and repositories of the images of the changed cache. */
  readonly #changed: ReadonlySet<string>[] = [];
  #generation = 0;
  /** Changes up to this generation are not kept. */
  #forgottenUntil = 0;

  /** Grows with each change. */
  get generation(): number {
    return this.#generation;
  }

  /** Notes a cache that was added or deleted; for an update, call it for the cache before and for the cache after. */
  note({ images }: ImageCache): void {
    this.#changed[++this.#generation % KEPT] = new Set(
      images.flatMap(({ key, repository }) => [key, repository]),
    );
  }

  /** Counts every cache as changed. */
  forget(): void {
    this.#forgottenUntil = ++this.#generation;
  }

  /** Whether a cache with at least `atLeast` of these images or repositories has changed since the generation. */
  hasChangedSince(generation: number, names: readonly string[], atLeast: number): boolean {
    if (generation < Math.max(this.#forgottenUntil, this.#generation - KEPT)) return true;
    for (let change = generation + 1; change <= this.#generation; change++) {
      const changed = this.#changed[change % KEPT];
      if (changed && names.filter((name) => changed.has(name)).length >= atLeast) return true;
    }
    return false;
  }
}
