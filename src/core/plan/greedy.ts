/** Fills one bin after the other, always with the item that suits best. */
import { Bin, weightOf, type Bins, type Item, type Limits } from './bin.ts';

type Rank = (added: number, item: Item) => number;

/** What is taken next into a bin: the item with the lowest rank. Each of them is best for some instances. */
const RANKS: readonly Rank[] = [
  // The fewest images; of two that add as many, the larger one, which shares more with the bin.
  (added, { images }) => added - images.length / 1000,
  // The largest share of its images that is there already.
  (added, { images }) => added / images.length + added / 1000,
  // The most images that are there already.
  (added, { images }) => added - images.length + added / 1000,
];

/** Packings of all items, by each of the ways. */
export function packings(items: readonly Item[], limits: Limits): Bins[] {
  return RANKS.map((rank) => fillBins(items, limits, largestFirst, rank, Infinity));
}

/** Bins that serve as much weight as possible for the images that they hold, the heaviest first. */
export function heaviestBins(items: readonly Item[], limits: Limits, most: number): Bins {
  const bins = fillBins(items, limits, densestFirst, weightForImages, most);
  return bins.toSorted((a, b) => weightOf(b, items) - weightOf(a, items));
}

function largestFirst(a: Item, b: Item): number {
  return b.images.length - a.images.length || b.weight - a.weight;
}

function densestFirst(a: Item, b: Item): number {
  return b.weight / b.images.length - a.weight / a.images.length;
}

function weightForImages(added: number, { weight }: Item): number {
  return added === 0 ? -Infinity : -weight / added;
}

/**
 * @param order of the items that open bins
 * @param rank of an item that would add so many images to the bin; the lowest is taken
 */
function fillBins(
  items: readonly Item[],
  limits: Limits,
  order: (a: Item, b: Item) => number,
  rank: Rank,
  most: number,
): Bins {
  const waiting = new Set(items.map((_item, i) => i).toSorted((a, b) => order(items[a]!, items[b]!)));
  const holders = holdersOf(items);
  const bins: (readonly number[])[] = [];
  for (const first of waiting) {
    if (bins.length >= most) break;
    const bin = new Bin(limits);
    /** How many images each item would add, kept up to date as the bin grows: to count anew takes too long. */
    const added = items.map(({ images }) => images.length);
    const take = (i: number): void => {
      waiting.delete(i);
      const news = items[i]!.images.filter((image) => !bin.images.has(image));
      bin.add(i, items[i]!);
      for (const image of news) for (const holder of holders.get(image)!) added[holder]! -= 1;
    };
    take(first);
    /** What did not fit once fits never again, as the bin only grows. */
    const unfit = new Set<number>();
    for (;;) {
      const room = limits.images - bin.images.size;
      let [best, bestRank] = [-1, Infinity];
      for (const i of waiting) {
        if (added[i]! > room || unfit.has(i)) continue;
        const ranked = rank(added[i]!, items[i]!);
        if (ranked >= bestRank) continue;
        if (bin.cost(items[i]!) === undefined) unfit.add(i);
        else [best, bestRank] = [i, ranked];
      }
      if (best < 0) break;
      take(best);
    }
    bins.push(bin.items);
  }
  return bins;
}

/** The items that have each image. */
function holdersOf(items: readonly Item[]): ReadonlyMap<number, readonly number[]> {
  const holders = new Map<number, number[]>();
  for (const [i, { images }] of items.entries()) {
    for (const image of images) {
      const known = holders.get(image);
      if (known) known.push(i);
      else holders.set(image, [i]);
    }
  }
  return holders;
}
