/** Improves a packing: takes bins apart whose items fit into the others, and packs the items of a few bins anew. */
import { Bin, type Bins, type Item, type Limits } from './bin.ts';

/** Rounds in which each bin is tried once. */
const MOST_ROUNDS = 5;

/** Takes bins apart whose items fit into the others, the emptiest first. */
export function dissolve(bins: Bins, items: readonly Item[], limits: Limits): Bins {
  let built = bins.map((each) => binOf(each, items, limits));
  for (let round = 0; round < MOST_ROUNDS; round++) {
    const before = built.length;
    for (const bin of built.toSorted((a, b) => a.images.size - b.images.size)) {
      const moved = moveAll(bin, built, items, limits);
      if (moved) built = moved;
    }
    if (built.length === before) break;
  }
  return built.map((bin) => bin.items);
}

/** The bins without one of them, whose items are in the others; undefined if they do not fit. */
function moveAll(bin: Bin, bins: readonly Bin[], items: readonly Item[], limits: Limits): Bin[] | undefined {
  const changed = new Map<Bin, Bin>();
  for (const i of bin.items) {
    const item = items[i]!;
    let [best, bestCost]: [Bin | undefined, number] = [undefined, Infinity];
    for (const other of bins) {
      if (other === bin) continue;
      const cost = (changed.get(other) ?? other).cost(item);
      if (cost !== undefined && cost < bestCost) [best, bestCost] = [other, cost];
    }
    if (!best) return undefined;
    const copy = changed.get(best) ?? binOf(best.items, items, limits);
    copy.add(i, item);
    changed.set(best, copy);
  }
  return bins.filter((each) => each !== bin).map((each) => changed.get(each) ?? each);
}

function binOf(numbers: readonly number[], items: readonly Item[], limits: Limits): Bin {
  const bin = new Bin(limits);
  for (const i of numbers) bin.add(i, items[i]!);
  return bin;
}

/**
 * Empties a few bins at random and packs their items anew, again and again, and keeps what is better: fewer bins, or as many
 * with fuller ones among them, which leaves others that can be taken apart. The same items always lead to the same packing.
 */
export function repack(bins: Bins, items: readonly Item[], limits: Limits): Bins {
  const distinct = new Set(items.flatMap(({ images }) => images)).size;
  const least = Math.ceil(distinct / limits.images);
  const random = randomNumbers();
  let best = bins.map((each) => binOf(each, items, limits));
  for (let round = 0; round < ROUNDS && best.length > least && best.length > 1; round++) {
    const emptied = new Set<Bin>();
    while (emptied.size < Math.min(2 + random(3), best.length)) emptied.add(best[random(best.length)]!);
    const loose = [...emptied].flatMap((bin) => bin.items);
    const kept = best.filter((bin) => !emptied.has(bin));
    const next = insertAll(shuffled(loose, random), kept, items, limits);
    if (next.length < best.length || (next.length === best.length && fullness(next) >= fullness(best)))
      best = next;
  }
  return best.map((bin) => bin.items);
}

/** Bins are emptied so often; each time costs some microseconds for each bin and item that is moved. */
const ROUNDS = 2000;

/** Puts each item into the bin to which it adds the fewest images, or into a new one. */
function insertAll(
  numbers: readonly number[],
  bins: readonly Bin[],
  items: readonly Item[],
  limits: Limits,
): Bin[] {
  const result = [...bins];
  for (const i of numbers) {
    const item = items[i]!;
    let [best, bestCost] = [-1, Infinity];
    for (const [at, bin] of result.entries()) {
      const cost = bin.cost(item);
      if (cost !== undefined && cost < bestCost) [best, bestCost] = [at, cost];
    }
    const known = result[best];
    // A copy, because the bins of the packing before stay as they are.
    const changed = binOf([...(known?.items ?? []), i], items, limits);
    if (known) result[best] = changed;
    else result.push(changed);
  }
  return result;
}

/** Large if some bins are full and others nearly empty. */
function fullness(bins: readonly Bin[]): number {
  return bins.reduce((sum, { images }) => sum + images.size ** 2, 0);
}

function shuffled(numbers: readonly number[], random: (below: number) => number): number[] {
  return numbers
    .map((i) => ({ i, at: random(1_000_000) }))
    .toSorted((a, b) => a.at - b.at || a.i - b.i)
    .map(({ i }) => i);
}

/** A linear congruential generator (Numerical Recipes), always with the same seed. */
function randomNumbers(): (below: number) => number {
  let state = 1;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}
