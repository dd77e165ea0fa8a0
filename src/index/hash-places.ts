/**
 * Owns where the entries of a table are noted by their hashes. The hashes stand side by side, and are all that a search
 * looks at until one is the same; whoever searches then says whether the entry is the wanted one. Only numbers are kept
 * here, so that a table that grows moves nothing else.
 *
 * Open addressing with linear probing: an entry is noted where its hash says, or in the next place that was free.
 */

const FIRST_CAPACITY = 64;
/** Numbers a place takes: the hash, and which entry has it, counted from 1; 0 where nothing is noted. */
const STRIDE = 2;

export class HashPlaces {
  #places = new Int32Array(FIRST_CAPACITY * STRIDE);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /**
   * @param hash 32 bits, signed
   * @returns the first place at which an entry with this hash is noted, or -1
   */
  firstOf(hash: number): number {
    return this.#from(this.#home(hash), hash);
  }

  /** @returns the next place after one at which an entry with the same hash is noted, or -1 */
  nextOf(hash: number, place: number): number {
    return this.#from((place + STRIDE) & (this.#places.length - 1), hash);
  }

  /** The entry noted at a place that `firstOf` or `nextOf` gave, until something is added or deleted. */
  entryAt(place: number): number {
    return this.#places[place + 1]! - 1;
  }

  /** @param entry not noted yet, at least 0 */
  add(hash: number, entry: number): void {
    this.#size++;
    // Three eighths stay free: the longer a search, the more often a processor guesses wrong where it ends.
    if (this.#size * STRIDE * 8 > this.#places.length * 5) this.#grow();
    this.#append(hash, entry + 1);
  }

  /** @param entry noted with this hash */
  delete(hash: number, entry: number): void {
    let free = this.firstOf(hash);
    while (free >= 0 && this.entryAt(free) !== entry) free = this.nextOf(hash, free);
    if (free < 0) throw new Error(`HashPlaces.delete: entry ${entry} is not noted with the hash ${hash}`);
    const places = this.#places;
    const last = places.length - 1;
    this.#size--;
    // What follows moves up where it may, because a search ends at the first gap.
    for (let at = (free + STRIDE) & last; places[at + 1] !== 0; at = (at + STRIDE) & last) {
      if (((at - this.#home(places[at]!)) & last) < ((at - free) & last)) continue;
      places[free] = places[at]!;
      places[free + 1] = places[at + 1]!;
      free = at;
    }
    places[free + 1] = 0;
  }

  /** Where the search for a hash begins; spread by Fibonacci hashing. */
  #home(hash: number): number {
    return ((Math.imul(hash, 0x9e3779b1) >>> 8) * STRIDE) & (this.#places.length - 1);
  }

  #from(begin: number, hash: number): number {
    const places = this.#places;
    const last = places.length - 1;
    for (let at = begin; places[at + 1] !== 0; at = (at + STRIDE) & last) if (places[at] === hash) return at;
    return -1;
  }

  /** Puts into the first gap what is noted nowhere yet. */
  #append(hash: number, number: number): void {
    const places = this.#places;
    const last = places.length - 1;
    let at = this.#home(hash);
    while (places[at + 1] !== 0) at = (at + STRIDE) & last;
    places[at] = hash;
    places[at + 1] = number;
  }

  #grow(): void {
    const places = this.#places;
    this.#places = new Int32Array(places.length * 2);
    for (let at = 0; at < places.length; at += STRIDE)
      if (places[at + 1] !== 0) this.#append(places[at]!, places[at + 1]!);
  }
}
