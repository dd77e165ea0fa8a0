/**
 * Owns the table of things that are found by a text, whose hash whoever asks may know already. Where a hash is the same,
 * the text and the thing are fetched from memory at once. A `Map` fetches each text that it passes, and the thing last:
 * that was a third of the time to fill an index (docs/performance.md).
 */
import { hashText } from '../core/text-hash.ts';
import { HashPlaces } from './hash-places.ts';

export class TextTable<T extends object> {
  readonly #places = new HashPlaces();
  /** By entry, two each: the text, and beside it, because both are wanted at once, what is found by it. */
  readonly #entries: (string | T | undefined)[] = [];
  readonly #vacant: number[] = [];

  get size(): number {
    return this.#places.size;
  }

  /** The things, in no order. */
  *[Symbol.iterator](): Generator<T, undefined> {
    for (const entry of this.#entries) if (typeof entry === 'object') yield entry;
    return undefined;
  }

  /** @param hash of the text, always the same for it */
  get(text: string, hash = hashText(text)): T | undefined {
    const place = this.#find(text, hash);
    const thing = place < 0 ? undefined : this.#entries[this.#places.entryAt(place) * 2 + 1];
    return typeof thing === 'object' ? thing : undefined;
  }

  /** @param text nothing is found by it yet */
  add(text: string, thing: T, hash = hashText(text)): void {
    const entry = this.#vacant.pop();
    if (entry === undefined) this.#entries.push(text, thing);
    else this.#set(entry, text, thing);
    this.#places.add(hash, entry ?? (this.#entries.length >> 1) - 1);
  }

  /** @param text something is found by it */
  delete(text: string, hash = hashText(text)): void {
    const place = this.#find(text, hash);
    if (place < 0) throw new Error(`TextTable.delete: nothing is found by ${text}`);
    const entry = this.#places.entryAt(place);
    this.#places.delete(hash, entry);
    this.#set(entry, undefined, undefined);
    this.#vacant.push(entry);
  }

  /** The place that leads to a text, or -1. */
  #find(text: string, hash: number): number {
    const places = this.#places;
    let place = places.firstOf(hash);
    while (place >= 0 && this.#entries[places.entryAt(place) * 2] !== text)
      place = places.nextOf(hash, place);
    return place;
  }

  #set(entry: number, text: string | undefined, thing: T | undefined): void {
    this.#entries[entry * 2] = text;
    this.#entries[entry * 2 + 1] = thing;
  }
}
