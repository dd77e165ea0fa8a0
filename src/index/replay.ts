/** Owns sequences that are made as they are read, and made once, however often they are read. */

export class Replay<T> implements Iterable<T> {
  readonly #made: T[] = [];
  #rest: Iterator<T> | undefined;

  constructor(source: Iterable<T>) {
    this.#rest = source[Symbol.iterator]();
  }

  [Symbol.iterator](): Iterator<T> {
    let at = 0;
    return { next: () => this.#read(at++) };
  }

  #read(at: number): IteratorResult<T> {
    if (at < this.#made.length) return { done: false, value: this.#made[at]! };
    const result = this.#rest?.next() ?? { done: true, value: undefined };
    if (result.done === true) this.#rest = undefined;
    else this.#made.push(result.value);
    return result;
  }
}
