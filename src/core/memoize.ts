/** Remembers the results of pure functions, up to a limit. */

/**
 * A function that returns the same results as `find`, and remembers the results for the latest texts: at least for
 * `limit` texts, and at most for twice as many.
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

/** A map that keeps the most recently used entries: at least `limit` entries, and at most twice as many. */
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
