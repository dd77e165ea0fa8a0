/** Sums by key, such as bytes by namespace or connections by address. A key whose sum is 0 takes no memory. */
export class Totals {
  readonly #byKey = new Map<string, number>();
  #all = 0;

  /** The sum of all keys. */
  get all(): number {
    return this.#all;
  }

  of(key: string): number {
    return this.#byKey.get(key) ?? 0;
  }

  /** @param amount below 0 to take back what was added before */
  add(key: string, amount: number): void {
    this.#all += amount;
    const sum = this.of(key) + amount;
    if (sum === 0) this.#byKey.delete(key);
    else this.#byKey.set(key, sum);
  }
}
