/**
 * The caches that ECI makes by itself: how many it keeps, how long they live, and which one goes first (docs/domain.md,
 * "Create on miss"). For the stand-in and for replays.
 */
import { DAY } from '../kubernetes/time.ts';

export interface AutomaticCache {
  readonly readyAtMs: number;
  /** When a pod last started from it, in milliseconds since 1970; undefined: none did. */
  usedAtMs: number | undefined;
}

/** The vendor's quota a region, the lives of caches, the size of one without extra storage, and how its name begins. */
export const AUTOMATIC = {
  quota: 25,
  unusedFor: 7 * DAY,
  usedFor: 30 * DAY,
  gib: 30,
  namePrefix: 'auto-create-for-',
};

export class AutomaticCaches<T extends AutomaticCache> {
  readonly #quota: number;
  /** The least recently used first; never more than the quota. */
  #caches: T[] = [];

  constructor(quota = AUTOMATIC.quota) {
    this.#quota = quota;
  }

  /** The least recently used first. */
  get all(): readonly T[] {
    return this.#caches;
  }

  /** Adds a cache. At the quota, the least recently used one goes. */
  add(cache: T): void {
    if (this.#caches.length >= this.#quota) this.#caches.shift();
    if (this.#quota > 0) this.#caches.push(cache);
  }

  use(cache: T, now: number): void {
    cache.usedAtMs = now;
    this.#caches = [...this.#caches.filter((each) => each !== cache), cache];
  }

  remove(cache: T): void {
    this.#caches = this.#caches.filter((each) => each !== cache);
  }

  /** Removes those that nothing has used for too long. */
  letExpire(now: number): void {
    this.#caches = this.#caches.filter(({ readyAtMs, usedAtMs }) =>
      usedAtMs === undefined ? now - readyAtMs < AUTOMATIC.unusedFor : now - usedAtMs < AUTOMATIC.usedFor,
    );
  }
}
