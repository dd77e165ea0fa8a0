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
  const chosen = isLimited ? bestWithin(groups, maxCaches) : packed;
  const caches = chosen.flatMap((bins, g) =>
    bins.map((bin) =>
      plannedCache(
        bin.map((i) => groups[g]!.needs[i]!),
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

/** A packing of distinct items, and then the items that are equal or contained go where they fit. */
function packGroup(group: Group): Bins {
  const anew = packDistinct(
    group,
    group.items.map((_item, i) => i),
  );
  const kept = keepPrevious(group);
  return kept && kept.length <= anew.length ? kept : anew;
}

/** Packs these items; of equal items only one takes part, and the others join it. */
function packDistinct({ items, limits }: Group, numbers: readonly number[]): Bins {
  const byContent = Map.groupBy(numbers, (i) =>
    JSON.stringify([items[i]!.images.toSorted((a, b) => a - b), items[i]!.secrets, items[i]!.capGib]),
  );
  const same = [...byContent.values()];
  const distinct = same.map((equal) => ({
    ...items[equal[0]!]!,
    weight: equal.reduce((sum, i) => sum + items[i]!.weight, 0),
  }));
  return cover(distinct, limits).map((bin) => bin.flatMap((d) => same[d]!));
}

/** The caches of the earlier plan that serve something, and new ones for the rest; undefined if none serves anything. */
function keepPrevious(group: Group): Bins | undefined {
  const { needs, previous } = group;
  const left = new Set(needs.keys());
  const kept: number[][] = [];
  const holdings = previous.map((cache) => ({
    keys: new Set(cache.images.map(({ key }) => key)),
    secrets: new Set(cache.pullSecrets),
  }));
  const servedOf = (holding: (typeof holdings)[number]): number[] =>
    [...left].filter((i) => {
      const { desired } = needs[i]!;
      return (
        desired.images.every(({ key }) => holding.keys.has(key)) &&
        desired.pullSecrets.every((secret) => holding.secrets.has(secret))
      );
    });
  for (;;) {
    const best = holdings
      .map((holding) => ({ holding, served: servedOf(holding) }))
      .toSorted((a, b) => b.served.length - a.served.length)[0];
    if (!best || best.served.length === 0) break;
    holdings.splice(holdings.indexOf(best.holding), 1);
    // A cache whose images are not all needed any more is made anew, so that nobody pays for the rest.
    const needed = new Set(best.served.flatMap((i) => needs[i]!.desired.images.map(({ key }) => key)));
    if (needed.size < best.holding.keys.size) continue;
    kept.push(best.served);
    for (const i of best.served) left.delete(i);
  }
  return kept.length === 0 ? undefined : [...kept, ...packDistinct(group, [...left])];
}

/** Shares a number of caches among the groups so that the most pods are warm. */
function bestWithin(groups: readonly Group[], most: number): Bins[] {
  const options = groups.map(({ items, limits }) => coverWithin(items, limits, most));
  /** By number of caches: the most pods that the groups so far can be given, and how. */
  let best: { readonly pods: number; readonly counts: readonly number[] }[] = [{ pods: 0, counts: [] }];
  for (const [g, choices] of options.entries()) {
    const { items } = groups[g]!;
    const served = choices.map((bins) => servedBy(bins, items));
    best = Array.from({ length: most + 1 }, (_each, total) => {
      let found = { pods: -1, counts: [] as readonly number[] };
      for (let count = 0; count < served.length && count <= total; count++) {
        const before = best[Math.min(total - count, best.length - 1)]!;
        const pods = before.pods + served[count]!;
        if (pods > found.pods) found = { pods, counts: [...before.counts, count] };
      }
      return found;
    });
  }
  const { counts } = best.at(-1)!;
  return options.map((choices, g) => choices[counts[g] ?? 0] ?? []);
}
