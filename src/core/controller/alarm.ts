/** When time alone changes the misses or the plan: the earliest of the times that have not come yet. */
export class Alarm {
  readonly #now: number;
  #atMs = Infinity;

  /** @param now milliseconds since 1970 */
  constructor(now: number) {
    this.#now = now;
  }

  /** In milliseconds since 1970; Infinity: never. */
  get atMs(): number {
    return this.#atMs;
  }

  /** Whether a time has come; if not, the controller looks again then. */
  isDue(atMs: number): boolean {
    if (atMs <= this.#now) return true;
    this.#atMs = Math.min(this.#atMs, atMs);
    return false;
  }
}
