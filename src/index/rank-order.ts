/**
 * Owns the sorting of many groups at once. Numbers sort several times as fast as things that are compared by a function
 * of ours, so each group is given a number that goes up with its rank, and only groups with the same are compared.
 */
import { RANK_NUMBERS, type GroupTable } from './group-table.ts';

/**
 * @param slots of the table
 * @returns the places in `slots`, in the order of `table.compare`
 */
export function placesByRank(slots: Int32Array, table: GroupTable): Int32Array {
  const count = slots.length;
  const compare = (a: number, b: number): number => table.compare(slots[a]!, slots[b]!);
  // No two are the same: the rank, and after it the place.
  const numbers = roughRanks(slots, table);
  for (let place = 0; place < count; place++) numbers[place] = numbers[place]! * count + place;
  numbers.sort();

  const places = new Int32Array(count);
  let begin = 0;
  let rank = -1;
  for (let at = 0; at < count; at++) {
    const next = Math.floor(numbers[at]! / count);
    places[at] = numbers[at]! - next * count;
    if (next === rank) continue;
    if (at - begin > 1) places.subarray(begin, at).sort(compare);
    begin = at;
    rank = next;
  }
  places.subarray(begin).sort(compare);
  return places;
}

/** Whole numbers, lower for groups that come before others; as many times that as there are groups, they are exact. */
function roughRanks(slots: Int32Array, { ranks }: GroupTable): Float64Array {
  const rough = new Float64Array(slots.length);
  const sizes = new Set<number>();
  let oldest = Infinity;
  let newest = -Infinity;
  for (const slot of slots) {
    sizes.add(ranks[slot * RANK_NUMBERS]!);
    oldest = Math.min(oldest, ranks[slot * RANK_NUMBERS + 1]!);
    newest = Math.max(newest, ranks[slot * RANK_NUMBERS + 1]!);
  }
  // How many ages are told apart without a comparison, for each size.
  const ages = Math.floor(Number.MAX_SAFE_INTEGER / slots.length / sizes.size);
  const scale = (ages - 1) / Math.max(newest - oldest, 1);
  const ascending = [...sizes].toSorted((a, b) => a - b);
  const firstOfSize = new Map(ascending.map((size, i) => [size, i * ages]));
  for (let place = 0; place < rough.length; place++) {
    const at = slots[place]! * RANK_NUMBERS;
    rough[place] = firstOfSize.get(ranks[at]!)! + Math.floor((newest - ranks[at + 1]!) * scale);
  }
  return rough;
}
