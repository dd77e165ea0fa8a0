/** Remembers the results of pure functions, up to a limit. */

/**
 * The same function with a memory for the texts that were asked for last: at least `limit` of them, and at most twice
 * as many.
 */
export function memoize<R>(limit: number, find: (text: string) => R): (text: string) => R {
  const memory = new Memory<R>(limit);
  return (text) => {
    const known = memory.get(text);
    if (known !== undefined) return known;
    const result = find(text);
    memory.set(text, result);
    return result;
  };
}

/** A map of the entries that were used last: at least `limit` of them, and at most twice as many. */
export class Memory<T> {
  readonly #limit: number;
  #recent = new Map<string, T>();
  #older = new Map<string, T>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  get(key: string): T | undefined {
    const known = this.#recent.get(key);
    if (known !== undefined) return known;
    const older = this.#older.get(key);
    if (older !== undefined) this.set(key, older);
    return older;
  }

  set(key: string, value: T): void {
    if (this.#recent.size >= this.#limit && !this.#recent.has(key)) {
      this.#older = this.#recent;
      this.#recent = new Map();
    }
    this.#recent.set(key, value);
  }

  clear(): void {
    this.#recent.clear();
    this.#older.clear();
  }
}
