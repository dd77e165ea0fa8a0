/**
 * Plans the fewest ImageCaches with which every pod starts fully warm, or the best within a number of caches. The rules are those of
 * the controller's packs: 20 images, the pull secrets of one namespace, one platform, and no larger than the pods' storage.
 */
import { kinOf, type Unsized } from '../controller/desired-cache.ts';
import { MAX_PULL_SECRETS } from '../controller/watched-pod.ts';
import type { CostOptions } from '../decision/break-even.ts';
import type { View } from '../decision/view.ts';
import { MAX_CACHE_IMAGES } from '../image-cache.ts';
import { byName } from '../kubernetes/object.ts';
import { Bin, servedBy, type Bins, type Item, type Limits } from './bin.ts';
import { cover, coverWithin, fitsAlone } from './cover.ts';
import type { LeftOut, Need } from './needs.ts';
import { imageGib, leastGibWith, plannedCache, type PlannedCache } from './planned-cache.ts';

export interface CachePlan {
  readonly caches: readonly PlannedCache[];
  readonly leftOut: readonly LeftOut[];
  /** Pods that need a cache, and how many of them have one in the plan. */
  readonly pods: number;
  readonly warmPods: number;
}

export interface PlanOptions {
  readonly costs: CostOptions;
  /** Undefined: as many as all pods need. */
  readonly maxCaches: number | undefined;
  /** The caches of an earlier plan, which are kept if they make no cache more; empty: plans anew. */
  readonly previous: readonly Unsized[];
}

/** Needs that may be in one cache, as a packing sees them. */
interface Group {
  readonly needs: readonly Need[];
  readonly items: readonly Item[];
  readonly limits: Limits;
  /** The caches of an earlier plan for this group. */
  readonly previous: readonly Unsized[];
}

export function planCaches(
  needs: readonly Need[],
  view: View,
  { costs, maxCaches, previous }: PlanOptions,
): CachePlan {
  const tooLarge: LeftOut[] = [];
  const groups = groupNeeds(needs, view, previous, tooLarge);
  const packed = groups.map((group) => packGroup(group));
  const count = packed.reduce((sum, bins) => sum + bins.length, 0);
  const isLimited = maxCaches !== undefined && count > maxCaches;
  // The texts of an earlier plan stay, so that a manifest does not change because somebody writes an image in another way.
  const textOf = new Map(
    previous.flatMap(({ images }) => images.map(({ key, text }) => [key, text] as const)),
  );
  const chosen = isLimited ? withinLimit(groups, maxCaches) : packed;
  const caches = chosen.flatMap((bins, g) =>
    bins.map((bin) =>
      plannedCache(
        bin.map((i) => groups[g]!.needs[i]!),
        textOf,
        view,
        costs,
      ),
    ),
  );
  const unserved = chosen.flatMap((bins, g) => {
    const served = new Set(bins.flat());
    const left = groups[g]!.needs.filter((_need, i) => !served.has(i));
    return left.map(({ namespace, workload, pods }) => ({
      namespace,
      workload,
      pods,
      why: `--max-caches ${maxCaches} leaves no cache for it`,
    }));
  });
  return {
    caches: caches.toSorted((a, b) => b.pods - a.pods || byName(a, b)),
    leftOut: [...tooLarge, ...unserved],
    pods: needs.reduce((sum, { pods }) => sum + pods, 0),
    warmPods: caches.reduce((sum, { pods }) => sum + pods, 0),
  };
}

/** Needs with the same images are one item of their group. @param tooLarge gets those that no cache can serve */
function groupNeeds(
  needs: readonly Need[],
  view: View,
  previous: readonly Unsized[],
  tooLarge: LeftOut[],
): Group[] {
  // The same needs in another order lead to the same plan.
  const sorted = needs
    .map((need) => ({ need, name: orderOf(need) }))
    .toSorted(byName)
    .map(({ need }) => need);
  return Array.from(
    Map.groupBy(sorted, ({ desired }) => kinOf(desired)),
    ([kin, ofKin]): Group => {
      const keys = numbered(ofKin.flatMap(({ desired }) => desired.images.map(({ key }) => key)));
      const secrets = numbered(ofKin.flatMap(({ desired }) => desired.pullSecrets));
      const gibs = keys.texts.map((key) => imageGib(key, view));
      const least = keys.texts.map((key) => leastGibWith(key, view));
      const limits: Limits = {
        images: MAX_CACHE_IMAGES,
        secrets: MAX_PULL_SECRETS,
        gibOf: (image) => gibs[image] ?? 0,
        leastGibWith: (image) => least[image] ?? 0,
      };
      const itemOf = ({ desired, storageGib, pods }: Need): Item => ({
        images: desired.images.map(({ key }) => keys.numbers.get(key)!),
        secrets: desired.pullSecrets.map((each) => secrets.numbers.get(each)!),
        capGib: storageGib,
        weight: pods,
      });
      const fitting = ofKin.filter((need) => {
        const item = itemOf(need);
        if (fitsAlone(item, limits)) return true;
        const { namespace, workload, pods } = need;
        const alone = new Bin(limits);
        alone.add(0, item);
        const why = `its images need ${alone.sizeGib} GiB, more than the ${need.storageGib} GiB of its storage`;
        tooLarge.push({ namespace, workload, pods, why });
        return false;
      });
      return {
        needs: fitting,
        items: fitting.map(itemOf),
        limits,
        previous: previous.filter((each) => kinOf(each) === kin),
      };
    },
  );
}

function orderOf({ desired, namespace, workload }: Need): string {
  return [kinOf(desired), desired.images.map(({ key }) => key).join(' '), namespace, workload].join('\n');
}

function numbered(texts: readonly string[]): {
  readonly texts: readonly string[];
  readonly numbers: ReadonlyMap<string, number>;
} {
  const distinct = [...new Set(texts)];
  return { texts: distinct, numbers: new Map(distinct.map((text, i) => [text, i])) };
}

/** A packing of all items of a group. */
function packGroup(group: Group): Bins {
  const anew = packDistinct(group, [...group.items.keys()]);
  const kept = keepPrevious(group);
  if (kept.length === 0) return anew;
  const served = new Set(kept.flat());
  const rest = [...group.items.keys()].filter((i) => !served.has(i));
  const stable = [...kept, ...packDistinct(group, rest)];
  return stable.length <= anew.length ? stable : anew;
}

/** Packs these items. */
function packDistinct(group: Group, numbers: readonly number[]): Bins {
  const { distinct, allOf } = distinctItems(group, numbers);
  return cover(distinct, group.limits).map(allOf);
}

/** Of equal items only one takes part in a packing, with the weight of all; the others join it. */
function distinctItems(
  { items }: Group,
  numbers: readonly number[],
): { readonly distinct: readonly Item[]; readonly allOf: (bin: readonly number[]) => number[] } {
  const same = [
    ...Map.groupBy(numbers, (i) => {
      const { images, secrets, capGib } = items[i]!;
      return JSON.stringify([images.toSorted((a, b) => a - b), secrets.toSorted((a, b) => a - b), capGib]);
    }).values(),
  ];
  const distinct = same.map((equal) => ({
    ...items[equal[0]!]!,
    weight: equal.reduce((sum, i) => sum + items[i]!.weight, 0),
  }));
  return { distinct, allOf: (bin) => bin.flatMap((d) => same[d]!) };
}

/** The caches of the earlier plan that serve something, those that serve most first, each with what it serves. */
function keepPrevious({ needs, items, limits, previous }: Group): Bins {
  const left = new Set(needs.keys());
  const kept: (readonly number[])[] = [];
  const holdings = previous.map((cache) => ({
    keys: new Set(cache.images.map(({ key }) => key)),
    secrets: new Set(cache.pullSecrets),
  }));
  const needsServedBy = ({ keys, secrets }: (typeof holdings)[number]): number[] => {
    const fitting = [...left].filter((i) => {
      const { desired } = needs[i]!;
      return (
        desired.images.every(({ key }) => keys.has(key)) &&
        desired.pullSecrets.every((secret) => secrets.has(secret))
      );
    });
    // The cache has the size of all of its images, whichever of them a pod needs.
    const whole = new Bin(limits);
    for (const i of fitting) whole.add(i, { ...items[i]!, capGib: Infinity });
    const served = fitting.filter((i) => items[i]!.capGib >= whole.sizeGib);
    const needed = new Set(served.flatMap((i) => needs[i]!.desired.images.map(({ key }) => key)));
    // A cache whose images are not all needed any more is made anew, so that nobody pays for the rest.
    return needed.size < keys.size ? [] : served;
  };
  for (;;) {
    const best = holdings
      .map((holding) => ({ holding, served: needsServedBy(holding) }))
      .toSorted((a, b) => b.served.length - a.served.length)[0];
    if (!best || best.served.length === 0) return kept;
    holdings.splice(holdings.indexOf(best.holding), 1);
    kept.push(best.served);
    for (const i of best.served) left.delete(i);
  }
}

/** The best packing within a number of caches; that of the earlier plan if it serves as many pods. */
function withinLimit(groups: readonly Group[], most: number): readonly Bins[] {
  const anew = bestWithin(groups, most);
  const kept = groups
    .flatMap((group, g) => keepPrevious(group).map((bin) => ({ g, bin, pods: servedBy([bin], group.items) })))
    .toSorted((a, b) => b.pods - a.pods)
    .slice(0, most);
  const keptPods = kept.reduce((sum, { pods }) => sum + pods, 0);
  const bestPods = anew.reduce((sum, bins, g) => sum + servedBy(bins, groups[g]!.items), 0);
  if (keptPods < bestPods) return anew;
  return groups.map((_group, g) => kept.filter((each) => each.g === g).map(({ bin }) => bin));
}

/** Shares a number of caches among the groups so that the most pods are warm. */
function bestWithin(groups: readonly Group[], most: number): readonly Bins[] {
  const options = groups.map((group) => {
    const { distinct, allOf } = distinctItems(group, [...group.items.keys()]);
    return coverWithin(distinct, group.limits, most).map((bins) => bins.map(allOf));
  });
  /** By number of caches: the most pods that the groups so far can be given. */
  let best = new Float64Array(most + 1);
  /** By group and number of caches: how many of them the group takes. */
  const taken = options.map((choices, g) => {
    const served = choices.map((bins) => servedBy(bins, groups[g]!.items));
    const next = new Float64Array(most + 1);
    const counts = new Int32Array(most + 1);
    for (let total = 0; total <= most; total++) {
      next[total] = -1;
      for (let count = 0; count < served.length && count <= total; count++) {
        const pods = best[total - count]! + served[count]!;
        if (pods > next[total]!) [next[total], counts[total]] = [pods, count];
      }
    }
    best = next;
    return counts;
  });
  const chosen: Bins[] = [];
  let left = most;
  for (let g = options.length - 1; g >= 0; g--) {
    const count = taken[g]![left]!;
    chosen.unshift(options[g]![count] ?? []);
    left -= count;
  }
  return chosen;
}
