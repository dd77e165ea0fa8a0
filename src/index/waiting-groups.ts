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
  /** Where in #places those of each group end. */
  readonly #ends: number[] = [];

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
    for (const [i, listed] of this.#awaited.entries()) {
      listed.awaitedAt = undefined;
      listed.groups.insert(dealt.slice(ends[i - 1] ?? 0, ends[i]));
    }
    for (const slot of this.#slots) this.#table.waiting[slot] = 0;
    for (const noted of [this.#slots, this.#awaited, this.#places, this.#ends]) noted.length = 0;
  }

  /** @returns the slots of one list after another, in order, and where those of each end */
  #deal(): { readonly dealt: readonly number[]; readonly ends: Int32Array } {
    const slots = this.#slots;
    const ends = this.#beginnings();
    const dealt = this.#places.map(() => 0);
    for (const i of [...slots.keys()].toSorted((a, b) => this.#table.compare(slots[a]!, slots[b]!)))
      for (let at = this.#ends[i - 1] ?? 0; at < this.#ends[i]!; at++)
        dealt[ends[this.#places[at]!]!++] = slots[i]!;
    return { dealt, ends };
  }

  /** Where the slots of each list begin. */
  #beginnings(): Int32Array {
    const beginnings = new Int32Array(this.#awaited.length);
    for (const place of this.#places) beginnings[place]!++;
    let sum = 0;
    for (const [i, count] of beginnings.entries()) {
      beginnings[i] = sum;
      sum += count;
    }
    return beginnings;
  }
}
