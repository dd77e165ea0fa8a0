/**
 * Packs items into as few bins as it can. Small instances are solved exactly; larger ones by a greedy packing that is then
 * improved.
 */
import { Bin, servedBy, weightOf, type Bins, type Item, type Limits } from './bin.ts';
import { solveSmall, SMALL } from './exact.ts';
import { heaviestBins, packings } from './greedy.ts';
import { dissolve, repack } from './improve.ts';

/** Items up to which bins are packed anew; with more, one bin more or less is not worth the time. */
const REPACKED = 200;

/** Whether an item fits into a bin of its own; no packing has one that does not. */
export function fitsAlone(item: Item, limits: Limits): boolean {
  return new Bin(limits).cost(item) !== undefined;
}

/** As few bins as possible for all items, each of which fits alone. */
export function cover(items: readonly Item[], limits: Limits): Bins {
  if (items.length <= SMALL) return solveSmall(items, limits).fewest;
  const improved = packings(items, limits).map((bins) => dissolve(bins, items, limits));
  const best = improved.reduce((a, b) => (b.length < a.length ? b : a));
  return items.length <= REPACKED ? dissolve(repack(best, items, limits), items, limits) : best;
}

/**
 * For each number of bins from 0 to `most`, a packing that serves as much weight as it can; there are no more than all items
 * need.
 */
export function coverWithin(items: readonly Item[], limits: Limits, most: number): readonly Bins[] {
  if (items.length <= SMALL) return solveSmall(items, limits).best.slice(0, most + 1);
  const all = cover(items, limits);
  const heaviestOfAll = all.toSorted((a, b) => weightOf(b, items) - weightOf(a, items));
  const last = Math.min(most, all.length);
  const heavy = heaviestBins(items, limits, last);
  return Array.from({ length: last + 1 }, (_each, count) => {
    const [a, b] = [heaviestOfAll.slice(0, count), heavy.slice(0, count)];
    return servedBy(b, items) > servedBy(a, items) ? b : a;
  });
}
