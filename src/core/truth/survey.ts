/**
 * The ground truth of many pods together: how often the webhook was right, how long images were really pulled, and which
 * caches are known from what pods were given alone. For `imc status` and `imc explain`.
 */
import type { PodTruth, Result } from './pod-truth.ts';
import type { Pull } from './pull.ts';

export interface PullTotals {
  readonly pulled: number;
  readonly present: number;
  readonly seconds: number;
}

export interface TruthSurvey {
  /** Pods by the result of the prediction. */
  readonly results: Readonly<Record<Result, number>>;
  /** By image, the most seconds first: pulls of pods that ECI started from a cache, and of the others. */
  readonly images: readonly {
    readonly image: string;
    readonly warm: PullTotals;
    readonly cold: PullTotals;
  }[];
  readonly warm: PullTotals;
  readonly cold: PullTotals;
  /** Caches that pods were given, by ID. */
  readonly caches: readonly LearnedCache[];
}

export interface LearnedCache {
  readonly id: string;
  readonly pods: number;
  /** Images that were there already when a pod started from it, as pods write them, sorted. */
  readonly images: readonly string[];
}

/** Caches and images that are told apart; further ones are not counted. */
const MOST = { caches: 1000, images: 1000, imagesOfCache: 20 };

export function surveyTruths(truths: Iterable<PodTruth>, pulls: Iterable<Pull>): TruthSurvey {
  const results: Record<Result, number> = { right: 0, wrong: 0, eci: 0, unpredicted: 0 };
  const usedBy = new Map<string, string | undefined>();
  const caches = new Map<string, { pods: number; images: Set<string> }>();
  for (const { uid, result, used } of truths) {
    results[result] += 1;
    usedBy.set(uid, used);
    if (used === undefined) continue;
    const cache = caches.get(used) ?? { pods: 0, images: new Set<string>() };
    cache.pods += 1;
    if (caches.has(used) || caches.size < MOST.caches) caches.set(used, cache);
  }
  const images = new Map<string, { warm: Totals; cold: Totals }>();
  const all = { warm: new Totals(), cold: new Totals() };
  const told = new Set<string>();
  for (const pull of [...pulls].toSorted((a, b) => a.atMs - b.atMs)) {
    // What a pod shows of an image later, it shows of what it has pulled itself.
    const what = `${pull.podUid} ${pull.image}`;
    if (!usedBy.has(pull.podUid) || told.has(what)) continue;
    told.add(what);
    const used = usedBy.get(pull.podUid);
    const start = used === undefined ? 'cold' : 'warm';
    all[start].add(pull);
    const image = images.get(pull.image) ?? { warm: new Totals(), cold: new Totals() };
    image[start].add(pull);
    if (images.has(pull.image) || images.size < MOST.images) images.set(pull.image, image);
    const held = used === undefined ? undefined : caches.get(used)?.images;
    if (pull.wasPresent && held && held.size < MOST.imagesOfCache) held.add(pull.image);
  }
  return {
    results,
    images: Array.from(images, ([image, totals]) => ({ image, ...totals })).toSorted(
      (a, b) => b.warm.seconds + b.cold.seconds - a.warm.seconds - a.cold.seconds,
    ),
    ...all,
    caches: Array.from(caches, ([id, { pods, images: held }]) => ({
      id,
      pods,
      images: [...held].toSorted(),
    })).toSorted((a, b) => b.pods - a.pods || (a.id < b.id ? -1 : 1)),
  };
}

class Totals implements PullTotals {
  pulled = 0;
  present = 0;
  seconds = 0;

  add({ wasPresent, seconds }: Pull): void {
    if (wasPresent) this.present += 1;
    else this.pulled += 1;
    this.seconds += seconds;
  }
}
