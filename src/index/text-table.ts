/**
 * Owns the table of things that are found by a text, whose hash whoever asks may know already. The hashes stand side by
 * side, and are all that a search looks at until one is the same; then the text and the thing are fetched from memory at
 * once. A `Map` fetches each text that it passes, and the thing last: that was a third of the time to fill an index
 * (docs/performance.md).
 *
 * Open addressing with linear probing: a thing stands where its hash says, or in the next place that was free.
 */

import { hashText } from '../core/text-hash.ts';

const FIRST_CAPACITY = 64;

export class TextTable<T extends object> {
  /** By place; 0 where nothing stands. */
  #hashes = new Int32Array(FIRST_CAPACITY);
  /** By place, two each: the text, and beside it, because both are wanted at once, what is found by it. */
  #entries: (string | T | undefined)[] = vacant(FIRST_CAPACITY);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** The things, in no order. */
  *[Symbol.iterator](): Generator<T, undefined> {
    for (const entry of this.#entries) if (typeof entry === 'object') yield entry;
    return undefined;
  }

  /** @param hash of the text, always the same for it */
  get(text: string, hash = hashText(text)): T | undefined {
    const thing = this.#entries[this.#find(text, kept(hash)) * 2 + 1];
    return typeof thing === 'object' ? thing : undefined;
  }

  /** @param text nothing is found by it yet */
  add(text: string, thing: T, hash = hashText(text)): void {
    this.#size++;
    // An eighth stays free: a search of a few dozen hashes side by side is no longer than one wait for memory.
    if (this.#size * 8 > this.#hashes.length * 7) this.#grow();
    this.#append(kept(hash), text, thing);
  }

  /** @param text something is found by it */
  delete(text: string, hash = hashText(text)): void {
    let free = this.#find(text, kept(hash));
    if (this.#hashes[free] === 0) throw new Error(`TextTable.delete: nothing is found by ${text}`);
    this.#size--;
    // What follows moves up where it may, because a search ends at the first gap.
    const last = this.#hashes.length - 1;
    for (let at = (free + 1) & last; this.#hashes[at] !== 0; at = (at + 1) & last) {
      const hashHere = this.#hashes[at]!;
      if (((at - this.#home(hashHere)) & last) < ((at - free) & last)) continue;
      this.#put(free, hashHere, this.#entries[at * 2], this.#entries[at * 2 + 1]);
      free = at;
    }
    this.#put(free, 0, undefined, undefined);
  }

  /** Where a text stands, or the gap at which the search for it ends. */
  #find(text: string, hash: number): number {
    const hashes = this.#hashes;
    const entries = this.#entries;
    const last = hashes.length - 1;
    let at = this.#home(hash);
    while (hashes[at] !== 0 && (hashes[at] !== hash || entries[at * 2] !== text)) at = (at + 1) & last;
    return at;
  }

  /** Where the search for a hash begins; spread by Fibonacci hashing. */
  #home(hash: number): number {
    return (Math.imul(hash, 0x9e3779b1) >>> 8) & (this.#hashes.length - 1);
  }

  /** Puts into the first gap what stands nowhere yet. */
  #append(hash: number, text: string | T | undefined, thing: string | T | undefined): void {
    let at = this.#home(hash);
    while (this.#hashes[at] !== 0) at = (at + 1) & (this.#hashes.length - 1);
    this.#put(at, hash, text, thing);
  }

  #put(at: number, hash: number, text: string | T | undefined, thing: string | T | undefined): void {
    this.#hashes[at] = hash;
    this.#entries[at * 2] = text;
    this.#entries[at * 2 + 1] = thing;
  }

  #grow(): void {
    const hashes = this.#hashes;
    const entries = this.#entries;
    const capacity = hashes.length * 2;
    this.#hashes = new Int32Array(capacity);
    this.#entries = vacant(capacity);
    for (let i = 0; i < hashes.length; i++) {
      const hash = hashes[i]!;
      if (hash !== 0) this.#append(hash, entries[i * 2], entries[i * 2 + 1]);
    }
  }
}

/** A hash as the table keeps it. */
function kept(hash: number): number {
  return hash === 0 ? 1 : hash;
}

function vacant(capacity: number): undefined[] {
  // oxlint-disable-next-line unicorn/no-new-array -- Array.from takes eight times as long, and pushing half as much memory again
  return new Array<undefined>(capacity * 2).fill(undefined);
}
