/**
 * Owns a sorted list with cheap insertion and removal at any size: items in short sorted chunks, found by binary search.
 * A cost of O(log n + chunk), where one flat array would move megabytes for each change to a popular image.
 */

/** Longer chunks are split. Short enough to be copied in well under a microsecond. */
const MAX_CHUNK = 256;

export class OrderedList<T> implements Iterable<T> {
  readonly #compare: (a: T, b: T) => number;
  /** Never holds an empty chunk. */
  readonly #chunks: T[][] = [];
  #size = 0;

  /** @param compare a total order: 0 only for the same item */
  constructor(compare: (a: T, b: T) => number) {
    this.#compare = compare;
  }

  get size(): number {
    return this.#size;
  }

  get first(): T | undefined {
    return this.#chunks[0]?.[0];
  }

  add(item: T): void {
    const before = (other: T): boolean => this.#compare(other, item) < 0;
    const at = Math.min(this.#firstChunkWith(before), this.#chunks.length - 1);
    const chunk = this.#chunks[at];
    this.#size++;
    if (!chunk) {
      this.#chunks.push([item]);
      return;
    }
    chunk.splice(firstIndex(chunk, before), 0, item);
    if (chunk.length > MAX_CHUNK) this.#chunks.splice(at + 1, 0, chunk.splice(chunk.length >> 1));
  }

  /** Removes an item that is in the list; its order must not have changed since it was added. */
  delete(item: T): void {
    const before = (other: T): boolean => this.#compare(other, item) < 0;
    const at = this.#firstChunkWith(before);
    const chunk = this.#chunks[at];
    const index = chunk ? firstIndex(chunk, before) : 0;
    if (!chunk || chunk[index] !== item)
      throw new Error('OrderedList.delete: the item is not where its order says');
    chunk.splice(index, 1);
    if (chunk.length === 0) this.#chunks.splice(at, 1);
    this.#size--;
  }

  [Symbol.iterator](): Iterator<T> {
    return this.from(() => false);
  }

  /** The items from the first for which `before` is false; `before` must be true up to some place and false after. */
  *from(before: (item: T) => boolean): Generator<T, undefined> {
    for (let at = this.#firstChunkWith(before), skip = true; at < this.#chunks.length; at++, skip = false) {
      const chunk = this.#chunks[at]!;
      for (let i = skip ? firstIndex(chunk, before) : 0; i < chunk.length; i++) yield chunk[i]!;
    }
    return undefined;
  }

  /** The last item for which `before` is true. */
  lastBefore(before: (item: T) => boolean): T | undefined {
    const at = this.#firstChunkWith(before);
    const chunk = this.#chunks[at];
    const index = chunk ? firstIndex(chunk, before) : 0;
    return index > 0 ? chunk?.[index - 1] : this.#chunks[at - 1]?.at(-1);
  }

  /** The first chunk that holds an item for which `before` is false, or the number of chunks. */
  #firstChunkWith(before: (item: T) => boolean): number {
    return partitionPoint(this.#chunks.length, (at) => before(this.#chunks[at]!.at(-1)!));
  }
}

function firstIndex<T>(chunk: readonly T[], before: (item: T) => boolean): number {
  return partitionPoint(chunk.length, (index) => before(chunk[index]!));
}

/** The first of 0..length for which `before` is false, by binary search. */
function partitionPoint(length: number, before: (index: number) => boolean): number {
  let low = 0;
  let high = length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (before(middle)) low = middle + 1;
    else high = middle;
  }
  return low;
}
