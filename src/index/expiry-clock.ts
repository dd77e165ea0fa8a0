/**
 * Finds the caches on which time alone changes what the filters say: a cache that enters the expiry margin, and one that
 * expires.
 */
import type { ImageCache } from '../core/image-cache.ts';

export class ExpiryClock {
  #marginMs = 0;
  #checkedAtMs = 0;
  /** The next time at which some cache changes by time alone. */
  #nextTurnMs = Infinity;

  /** A cache was added or changed. */
  add(cache: ImageCache): void {
    for (const turn of this.#turnsOf(cache))
      if (turn > this.#checkedAtMs) this.#nextTurnMs = Math.min(this.#nextTurnMs, turn);
  }

  /**
   * The caches that turned since the last call, or 'all' if the clock was set back. Looks at every cache, but only once
   * the next of them turns; expiry times are whole seconds, so that is at most twice a second.
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
