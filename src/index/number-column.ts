/**
 * Owns a column of numbers that grows. An array of numbers takes twice the memory, and what it leaves behind as it grows
 * brings forward the collection of all garbage, which then falls into the filling of an index.
 */

const FIRST_CAPACITY = 64;

export class NumberColumn {
  #numbers = new Int32Array(FIRST_CAPACITY);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** Valid until the next is pushed. */
  get numbers(): Int32Array {
    return this.#numbers.subarray(0, this.#length);
  }

  push(number: number): void {
    if (this.#length === this.#numbers.length) {
      const grown = new Int32Array(this.#length * 2);
      grown.set(this.#numbers);
      this.#numbers = grown;
    }
    this.#numbers[this.#length++] = number;
  }

  /** Gives its memory back, if that is more than a few numbers. */
  clear(): void {
    if (this.#numbers.length > FIRST_CAPACITY) this.#numbers = new Int32Array(FIRST_CAPACITY);
    this.#length = 0;
  }
}
