/** Solves small packings exactly, by what is best for each subset of the items. */
import { Bin, type Bins, type Item, type Limits } from './bin.ts';

/** Items up to which the exact solution takes some milliseconds: its steps are 3 to the power of their number. */
export const SMALL = 11;

export interface Solution {
  /** As few bins as possible for all items. */
  readonly fewest: Bins;
  /** For each number of bins from 0 on, those that serve the most weight; the last one serves all. */
  readonly best: readonly Bins[];
}

export function solveSmall(items: readonly Item[], limits: Limits): Solution {
  const all = (1 << items.length) - 1;
  const weight = (mask: number): number =>
    items.reduce((sum, item, i) => (mask & (1 << i) ? sum + item.weight : sum), 0);
  const fits = feasible(items, limits);
  /** By subset: the fewest bins that hold it, and the last of them. */
  const counts = new Float64Array(all + 1).fill(Infinity);
  const last = new Int32Array(all + 1);
  counts[0] = 0;
  for (let mask = 1; mask <= all; mask++) {
    // The lowest item is in some bin, so that only bins with it are tried.
    const lowest = mask & -mask;
    for (let part = mask; part > 0; part = (part - 1) & mask) {
      if (!(part & lowest) || fits[part] !== 1) continue;
      const count = counts[mask ^ part]! + 1;
      if (count < counts[mask]!) {
        counts[mask] = count;
        last[mask] = part;
      }
    }
  }
  const binsOf = (mask: number): Bins => {
    const bins: number[][] = [];
    for (let left = mask; left > 0; left ^= last[left]!) bins.push(itemsOf(last[left]!));
    return bins;
  };
  const best: number[] = [];
  for (let mask = 0; mask <= all; mask++) {
    const count = counts[mask]!;
    if (count === Infinity) continue;
    const known = best[count];
    if (known === undefined || weight(mask) > weight(known)) best[count] = mask;
  }
  return { fewest: binsOf(all), best: best.slice(0, counts[all]! + 1).map(binsOf) };
}

function itemsOf(mask: number): number[] {
  const items: number[] = [];
  for (let i = 0; mask >> i > 0; i++) if (mask & (1 << i)) items.push(i);
  return items;
}

/** By subset, 1 if a single bin holds it. */
function feasible(items: readonly Item[], limits: Limits): Uint8Array {
  const fits = new Uint8Array(1 << items.length);
  fits[0] = 1;
  const build = (mask: number, from: number, bin: Bin): void => {
    for (let i = from; i < items.length; i++) {
      const item = items[i]!;
      if (bin.cost(item) === undefined) continue;
      const next = new Bin(limits);
      for (const each of bin.items) next.add(each, items[each]!);
      next.add(i, item);
      fits[mask | (1 << i)] = 1;
      build(mask | (1 << i), i + 1, next);
    }
  };
  build(0, 0, new Bin(limits));
  return fits;
}
