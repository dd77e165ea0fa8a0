/**
 * Owns a sorted list of groups with cheap insertion and removal at any size: groups in short sorted chunks, found by
 * binary search. A cost of O(log n + chunk), where one flat array would move megabytes for each change to a popular
 * image. A long list keeps the signatures of its groups beside them, because looking through it would otherwise wait
 * for memory at each group (docs/performance.md).
 */
import { fewOf, itemsOf, type Few } from './few.ts';
import { SIGNATURE_WORDS, type GroupTable } from './group-table.ts';
import { partitionPoint } from './partition-point.ts';

/** Lists up to this length are one array of slots, and nothing else: most are, and they are to cost little. */
const SHORT = 16;
/** Groups. A chunk that has come to hold so many is split. */
const MAX_CHUNK = 256;
const FULL = MAX_CHUNK - 1;
/** Groups for which a full chunk is given room. */
const ROOM = 32;
/** Numbers a group takes in a long list: its slot, and its signature. */
const STRIDE = 1 + SIGNATURE_WORDS;

/** One for all lists: they are made by the hundred thousand, and empty for as long as groups wait for them. */
const NONE: readonly number[] = [];

/** Some groups of a list, in order. */
interface Chunk {
  /** Slots; in a long list each is followed by the group's signature. */
  readonly entries: readonly number[] | Int32Array;
  readonly stride: number;
  readonly length: number;
}

interface LongChunk extends Chunk {
  entries: Int32Array;
  length: number;
}

/** Whether a group is wanted, by its slot and the place of its signature. */
export type Accepted = (slot: number, signatures: Int32Array, at: number) => boolean;

export class GroupList {
  readonly #table: GroupTable;
  /** All of a short list. */
  #slots: Few<number> = NONE;
  /** All of a long one; holds no empty chunk. */
  #long: LongChunk[] | undefined;
  #size = 0;

  constructor(table: GroupTable) {
    this.#table = table;
  }

  get size(): number {
    return this.#size;
  }

  /** @param slots in order from one place to another, and none of those in the list */
  insert(slots: ArrayLike<number>, from = 0, to = slots.length): void {
    if (this.#long) {
      for (let at = from; at < to; at++) this.#insert(this.#long, slots[at]!);
    } else if (this.#size === 0) {
      this.#hold(slots, from, to);
    } else {
      const all = [...itemsOf(this.#slots)];
      for (let at = from; at < to; at++) all.push(slots[at]!);
      this.#hold(all.toSorted(this.#table.compare), 0, all.length);
    }
    this.#size += to - from;
  }

  /** Holds these slots, which are in order, and no others. */
  #hold(slots: ArrayLike<number>, from: number, to: number): void {
    if (to - from > SHORT) {
      this.#long = this.#chunksOf(slots, from, to);
      this.#slots = NONE;
    } else if (to - from === 1) {
      // Most lists.
      this.#slots = slots[from]!;
    } else {
      // oxlint-disable-next-line unicorn/no-new-array -- pushing leaves room for sixteen more, and Array.from takes several times as long
      const few = new Array<number>(to - from);
      for (let at = from; at < to; at++) few[at - from] = slots[at]!;
      this.#slots = few;
    }
  }

  /** Removes a group that is in the list; its order must not have changed since it was added. */
  delete(slot: number): void {
    const { chunk, at, index } = this.#placeOf(slot);
    if (!chunk || slotAt(chunk, index) !== slot)
      throw new Error('GroupList.delete: the group is not where its order says');
    this.#size--;
    if (this.#long) remove(this.#long, at, index);
    else this.#slots = fewOf(itemsOf(this.#slots).toSpliced(index, 1));
    if (this.#long && this.#size <= SHORT >> 1) {
      this.#slots = fewOf([...this.select(() => true)]);
      this.#long = undefined;
    }
  }

  /** The last group for which `before` is true; it must be true up to some place and false after. */
  lastBefore(before: (slot: number) => boolean): number | undefined {
    const chunks = this.#chunks();
    const at = firstChunkWith(chunks, before);
    const chunk = chunks[at];
    const index = chunk ? firstIndex(chunk, before) : 0;
    if (chunk && index > 0) return slotAt(chunk, index - 1);
    const previous = chunks[at - 1];
    return previous && lastSlot(previous);
  }

  /**
   * The accepted groups, in order: from the first for which `before` is false up to the first for which `within` is,
   * or to the end. Both must be true up to some place and false after.
   */
  *select(
    accepted: Accepted,
    before?: (slot: number) => boolean,
    within?: (slot: number) => boolean,
  ): Generator<number, undefined> {
    const chunks = this.#chunks();
    const first = before ? firstChunkWith(chunks, before) : 0;
    const last = within ? firstChunkWith(chunks, within) : chunks.length;
    for (let at = first; at <= last && at < chunks.length; at++) {
      const chunk = chunks[at]!;
      const end = within && at === last ? firstIndex(chunk, within) : chunk.length;
      const start = before && at === first ? firstIndex(chunk, before) : 0;
      for (let i = start; i < end; i++) if (this.#ask(accepted, chunk, i)) yield slotAt(chunk, i);
    }
    return undefined;
  }

  /** Asks of every group, in as little time as that takes. */
  visit(ask: Accepted): void {
    if (!this.#long) for (const slot of itemsOf(this.#slots)) this.#askOf(ask, slot);
    for (const { entries, length } of this.#long ?? []) {
      const end = length * STRIDE;
      for (let at = 0; at < end; at += STRIDE) ask(entries[at]!, entries, at + 1);
    }
  }

  #ask(ask: Accepted, chunk: Chunk, index: number): boolean {
    const slot = slotAt(chunk, index);
    const { entries } = chunk;
    return entries instanceof Int32Array ? ask(slot, entries, index * STRIDE + 1) : this.#askOf(ask, slot);
  }

  #askOf(ask: Accepted, slot: number): boolean {
    return ask(slot, this.#table.signatures, slot * SIGNATURE_WORDS);
  }

  #chunks(): readonly Chunk[] {
    if (this.#long) return this.#long;
    return this.#size === 0 ? [] : [{ entries: itemsOf(this.#slots), stride: 1, length: this.#size }];
  }

  /** Where a group is, or belongs. */
  #placeOf(slot: number): {
    readonly chunk: Chunk | undefined;
    readonly at: number;
    readonly index: number;
  } {
    const { compare } = this.#table;
    const chunks = this.#chunks();
    let at = 0;
    for (let high = chunks.length; high - at > 1;) {
      const middle = (at + high) >> 1;
      if (compare(chunks[middle]!.entries[0]!, slot) <= 0) at = middle;
      else high = middle;
    }
    const chunk = chunks[at];
    const index = chunk ? firstIndex(chunk, (other) => compare(other, slot) < 0) : 0;
    return { chunk, at, index };
  }

  #insert(chunks: LongChunk[], slot: number): void {
    const { at, index } = this.#placeOf(slot);
    const chunk = chunks[at]!;
    if (chunk.length * STRIDE === chunk.entries.length)
      chunk.entries = withRoom(chunk.entries, 0, chunk.length);
    chunk.entries.copyWithin((index + 1) * STRIDE, index * STRIDE, chunk.length * STRIDE);
    write(chunk.entries, index, slot, this.#table.signatures);
    chunk.length++;
    if (chunk.length < MAX_CHUNK) return;
    const half = MAX_CHUNK >> 1;
    const rest = withRoom(chunk.entries, half, MAX_CHUNK);
    chunks.splice(at + 1, 0, { entries: rest, stride: STRIDE, length: MAX_CHUNK - half });
    chunk.entries = withRoom(chunk.entries, 0, half);
    chunk.length = half;
  }

  #chunksOf(slots: ArrayLike<number>, from: number, to: number): LongChunk[] {
    const { signatures } = this.#table;
    const chunks: LongChunk[] = [];
    for (let first = from; first < to; first += FULL) {
      const length = Math.min(to - first, FULL);
      const entries = new Int32Array(Math.min(length + ROOM, MAX_CHUNK) * STRIDE);
      for (let index = 0; index < length; index++) write(entries, index, slots[first + index]!, signatures);
      chunks.push({ entries, stride: STRIDE, length });
    }
    return chunks;
  }
}

/** Written out for each of the SIGNATURE_WORDS: most of filling long lists, it takes two thirds of a loop's time. */
function write(entries: Int32Array, index: number, slot: number, signatures: Int32Array): void {
  const to = index * STRIDE;
  const from = slot * SIGNATURE_WORDS;
  entries[to] = slot;
  entries[to + 1] = signatures[from]!;
  entries[to + 2] = signatures[from + 1]!;
  entries[to + 3] = signatures[from + 2]!;
  entries[to + 4] = signatures[from + 3]!;
}

function remove(chunks: LongChunk[], at: number, index: number): void {
  const chunk = chunks[at]!;
  chunk.entries.copyWithin(index * STRIDE, (index + 1) * STRIDE, chunk.length * STRIDE);
  chunk.length--;
  if (chunk.length === 0) chunks.splice(at, 1);
}

/** The entries from one to another, and room for more. */
function withRoom(entries: Int32Array, from: number, to: number): Int32Array {
  const copy = new Int32Array(Math.min(to - from + ROOM, MAX_CHUNK) * STRIDE);
  copy.set(entries.subarray(from * STRIDE, to * STRIDE));
  return copy;
}

function slotAt({ entries, stride }: Chunk, index: number): number {
  return entries[index * stride]!;
}

function lastSlot(chunk: Chunk): number {
  return slotAt(chunk, chunk.length - 1);
}

function firstIndex(chunk: Chunk, before: (slot: number) => boolean): number {
  return partitionPoint(chunk.length, (index) => before(slotAt(chunk, index)));
}

/** The first chunk that holds a group for which `before` is false, or the number of chunks. */
function firstChunkWith(chunks: readonly Chunk[], before: (slot: number) => boolean): number {
  return partitionPoint(chunks.length, (at) => before(lastSlot(chunks[at]!)));
}
