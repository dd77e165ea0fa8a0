/**
 * Owns the groups that are in no list yet. Whoever reads next has them put there all at once: sorted once, and dealt to
 * their lists in order, which is far cheaper than finding the place of each in each of its lists.
 */
import { forEachListed, type IndexedCache, type Listed } from './group.ts';
import type { GroupTable } from './group-table.ts';
import { NumberColumn } from './number-column.ts';
import { placesByRank } from './rank-order.ts';

export class WaitingGroups {
  readonly #table: GroupTable;
  readonly #limit: number;
  /** In the order in which they came. */
  readonly #slots = new NumberColumn();
  /** What they wait to be listed under; each knows its place here. */
  readonly #awaited: Listed[] = [];
  /** The places in #awaited of each group, one group after another: noted while they are at hand. */
  readonly #places = new NumberColumn();
  /** Where in #places those of each group end. */
  readonly #ends = new NumberColumn();

  /** @param limit so many do not wait any longer */
  constructor(table: GroupTable, limit: number) {
    this.#table = table;
    this.#limit = limit;
  }

  has(slot: number): boolean {
    return this.#table.waiting[slot] === 1;
  }

  /** @param cache any of the group */
  add(slot: number, cache: IndexedCache): void {
    this.#slots.push(slot);
    this.#table.waiting[slot] = 1;
    forEachListed(cache, (listed) => {
      listed.awaitedAt ??= this.#awaited.push(listed) - 1;
      this.#places.push(listed.awaitedAt);
    });
    this.#ends.push(this.#places.length);
    if (this.#slots.length >= this.#limit) this.settle();
  }

  settle(): void {
    if (this.#slots.length === 0) return;
    const { dealt, ends } = this.#deal();
    let begin = 0;
    for (let place = 0; place < ends.length; place++) {
      const listed = this.#awaited[place]!;
      const end = ends[place]!;
      listed.awaitedAt = undefined;
      listed.groups.insert(dealt, begin, end);
      begin = end;
    }
    for (const slot of this.#slots.numbers) this.#table.waiting[slot] = 0;
    for (const column of [this.#slots, this.#places, this.#ends]) column.clear();
    this.#awaited.length = 0;
  }

  /** @returns the slots of one list after another, in order, and where those of each end */
  #deal(): { readonly dealt: Int32Array; readonly ends: Int32Array } {
    const slots = this.#slots.numbers;
    const places = this.#places.numbers;
    const endsOfGroups = this.#ends.numbers;
    const dealt = new Int32Array(places.length);
    const ends = this.#beginnings(places);
    for (const turn of placesByRank(slots, this.#table)) {
      const end = endsOfGroups[turn]!;
      for (let at = turn === 0 ? 0 : endsOfGroups[turn - 1]!; at < end; at++)
        dealt[ends[places[at]!]!++] = slots[turn]!;
    }
    return { dealt, ends };
  }

  /** Where in what is dealt the slots of each list begin. */
  #beginnings(places: Int32Array): Int32Array {
    const beginnings = new Int32Array(this.#awaited.length);
    // By index: most of a million of these run before they are compiled well, and an iterator takes five times as long.
    for (let at = 0; at < places.length; at++) beginnings[places[at]!]!++;
    let sum = 0;
    for (let place = 0; place < beginnings.length; place++) {
      const count = beginnings[place]!;
      beginnings[place] = sum;
      sum += count;
    }
    return beginnings;
  }
}
