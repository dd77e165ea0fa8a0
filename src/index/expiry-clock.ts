/**
 * Finds the caches for which the result of the filters changes although no event arrives: a cache that enters the
 * expiry margin, and a cache that expires.
 */
import type { ImageCache } from '../core/image-cache.ts';

export class ExpiryClock {
  #marginMs = 0;
  #checkedAtMs = 0;
  /** The next time at which a cache enters the margin or expires. */
  #nextTurnMs = Infinity;

  /** Call it for each cache that was added or changed. */
  add(cache: ImageCache): void {
    for (const turn of this.#turnsOf(cache))
      if (turn > this.#checkedAtMs) this.#nextTurnMs = Math.min(this.#nextTurnMs, turn);
  }

  /**
   * The caches that entered the margin or expired since the last call; 'all' if the clock was set back, or the margin
   * changed. Looks at every cache at most twice a second, because expiry times are whole seconds.
   */
  turnedUntil(
    nowMs: number,
    marginMs: number,
    caches: readonly (ImageCache | undefined)[],
  ): 'all' | readonly ImageCache[] {
    const isSetBack = nowMs < this.#checkedAtMs || marginMs !== this.#marginMs;
    if (!isSetBack && nowMs < this.#nextTurnMs) return [];
    this.#marginMs = marginMs;
    this.#nextTurnMs = Infinity;
    const turned: ImageCache[] = [];
    for (const cache of caches) {
      if (!cache) continue;
      const turns = this.#turnsOf(cache);
      if (turns.some((turn) => turn > this.#checkedAtMs && turn <= nowMs)) turned.push(cache);
      this.#nextTurnMs = Math.min(this.#nextTurnMs, ...turns.filter((turn) => turn > nowMs));
    }
    this.#checkedAtMs = nowMs;
    return isSetBack ? 'all' : turned;
  }

  #turnsOf({ expiresAtMs }: ImageCache): readonly number[] {
    return expiresAtMs === undefined ? [] : [expiresAtMs - this.#marginMs, expiresAtMs];
  }
}
