/**
 * Owns the groups whose last cache has gone. They stay in their lists for a while, passed over by readers, because most
 * of those caches come back: the same, further on or Ready again. Then nothing has to be found in all those lists.
 */
import type { GroupTable } from './group-table.ts';

export class GoneGroups {
  readonly #table: GroupTable;
  readonly #limit: number;
  readonly #remove: (slot: number) => void;
  /** The one that went first, first. */
  readonly #slots = new Set<number>();

  /**
   * @param limit so many stay
   * @param remove takes a group out of its lists and out of the table
   */
  constructor(table: GroupTable, limit: number, remove: (slot: number) => void) {
    this.#table = table;
    this.#limit = limit;
    this.#remove = remove;
  }

  has(slot: number): boolean {
    return this.#table.gone[slot] === 1;
  }

  add(slot: number): void {
    this.#table.gone[slot] = 1;
    this.#slots.add(slot);
    if (this.#slots.size <= this.#limit) return;
    // One for each that goes, and not all at once, for which pods would have to wait.
    const [first] = this.#slots;
    if (first !== undefined) this.remove(first);
  }

  /** The group has a cache again, in the same place in the order. */
  revive(slot: number): void {
    this.#table.gone[slot] = 0;
    this.#slots.delete(slot);
  }

  remove(slot: number): void {
    this.revive(slot);
    this.#remove(slot);
  }
}
