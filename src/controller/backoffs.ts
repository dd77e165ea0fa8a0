/** Remembers which objects the API server refused, so that one object is tried less and less often, and others go on. */

/** Milliseconds. */
const WAIT = { first: 5000, longest: 300_000 };
/** Names that are remembered. The controller handles fewer objects than this. */
const MOST_NAMES = 10_000;

interface Failure {
  readonly failures: number;
  readonly againAtMs: number;
}

export class Backoffs {
  readonly #failures = new Map<string, Failure>();

  isWaiting(name: string, now: number): boolean {
    return now < (this.#failures.get(name)?.againAtMs ?? 0);
  }

  /** When the first of the waits ends; Infinity if there is none. */
  nextAtMs(now: number): number {
    let next = Infinity;
    for (const { againAtMs } of this.#failures.values())
      if (againAtMs > now) next = Math.min(next, againAtMs);
    return next;
  }

  /** @returns whether it is the first failure in a row, which is worth a report */
  failed(name: string, now: number): boolean {
    const failures = (this.#failures.get(name)?.failures ?? 0) + 1;
    const wait = Math.min(WAIT.first * 2 ** Math.min(failures - 1, 30), WAIT.longest);
    this.#failures.delete(name);
    this.#failures.set(name, { failures, againAtMs: now + wait });
    for (const oldest of this.#failures.keys()) {
      if (this.#failures.size <= MOST_NAMES) break;
      this.#failures.delete(oldest);
    }
    return failures === 1;
  }

  succeeded(name: string): void {
    this.#failures.delete(name);
  }
}
