/**
 * The last changes to ImageCaches: which images and repositories each changed cache holds. What was decided for a pod
 * still holds unless one of the caches that changed since holds enough of the pod's images.
 */
import type { ImageCache } from '../core/image-cache.ts';

/**
 * How many changes are kept; an update is noted twice, for the cache before it and after it. An answer from before the
 * oldest of them counts as changed: it is decided anew, which is cheap.
 */
const KEPT = 64;

export class ChangeLog {
  /** By the last bits of its generation, the images and repositories of the changed cache. */
  readonly #changed: ReadonlySet<string>[] = [];
  #generation = 0;
  /** Changes up to this generation are not kept. */
  #forgottenUntil = 0;

  /** Grows with each change. */
  get generation(): number {
    return this.#generation;
  }

  /** A cache was added, deleted or changed; a change is noted for the cache before and after it. */
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
