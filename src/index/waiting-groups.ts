/**
 * Owns the groups that are in no list yet. Whoever reads next has them put there all at once: sorted once, and dealt to
 * their lists in order, which is far cheaper than finding the place of each in each of its lists.
 */
import { forEachListed, type IndexedCache, type Listed } from './group.ts';
import type { GroupTable } from './group-table.ts';

export class WaitingGroups {
  readonly #table: GroupTable;
  readonly #limit: number;
  /** In the order in which they came. */
  readonly #slots: number[] = [];
  /** What they wait to be listed under; each knows its place here. */
  readonly #awaited: Listed[] = [];
  /** The places in #awaited of each group, one group after another: noted while they are at hand. */
  readonly #places: number[] = [];
  /** Where in #places those of each group begin, and where those of the last end. */
  readonly #bounds: number[] = [0];

  /** @param limit so many do not wait any longer */
  constructor(table: GroupTable, limit: number) {
    this.#table = table;
    this.#limit = limit;
  }

  has(slot: number): boolean {
    return this.#table.waiting[slot] !== 0;
  }

  /** @param cache any of the group */
  add(slot: number, cache: IndexedCache): void {
    this.#table.waiting[slot] = this.#slots.push(slot);
    forEachListed(cache, (listed) => {
      listed.awaitedAt ??= this.#awaited.push(listed) - 1;
      this.#places.push(listed.awaitedAt);
    });
    this.#bounds.push(this.#places.length);
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
    for (const slot of this.#slots) this.#table.waiting[slot] = 0;
    for (const noted of [this.#slots, this.#awaited, this.#places]) noted.length = 0;
    this.#bounds.length = 1;
  }

  /** @returns the slots of one list after another, in order, and where those of each end */
  #deal(): { readonly dealt: Int32Array; readonly ends: Int32Array } {
    const dealt = new Int32Array(this.#places.length);
    const ends = this.#beginnings();
    for (const slot of this.#slots.toSorted(this.#table.compare)) {
      const turn = this.#table.waiting[slot]!;
      const end = this.#bounds[turn]!;
      for (let at = this.#bounds[turn - 1]!; at < end; at++) dealt[ends[this.#places[at]!]!++] = slot;
    }
    return { dealt, ends };
  }

  /** Where in what is dealt the slots of each list begin. */
  #beginnings(): Int32Array {
    const beginnings = new Int32Array(this.#awaited.length);
    for (const place of this.#places) beginnings[place]!++;
    let sum = 0;
    for (let place = 0; place < beginnings.length; place++) {
      const count = beginnings[place]!;
      beginnings[place] = sum;
      sum += count;
    }
    return beginnings;
  }
}
