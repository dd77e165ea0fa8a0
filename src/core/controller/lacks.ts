/**
 * What pods lack: decides them again, by the rules of the webhook. The result is remembered, because each change in the
 * cluster makes the controller look at all pods again, and hardly any change concerns one of them.
 */
import { WAIT_FOR_CACHE } from '../annotations.ts';
import { MAX_CACHE_IMAGES } from '../image-cache.ts';
import { decide, type Decision } from '../decision/decide.ts';
import type { DecisionOptions } from '../decision/options.ts';
import type { TrackedView } from '../decision/view.ts';
import { cacheName, type DesiredCache } from './desired-cache.ts';
import { desiredCaches, isCompleteInTheMaking, type CacheRules } from './missing-images.ts';
import type { PodContent } from './watched-pod.ts';

/** What the pods with one content lack. */
export interface Lack {
  /** The marker that the webhook would write now. */
  readonly marker: string | undefined;
  /** What the pods found when they were last decided: no cache, or one that lacks images and is used or left to ECI. */
  readonly found: 'nothing' | 'partial, used' | 'partial, left to ECI';
  /** The caches that would end the miss, by name; empty if nothing is missed, or the cache is being made. */
  readonly desired: ReadonlyMap<string, DesiredCache>;
  /** Whether a cache with all images is being made; only looked up for pods that wait for it. */
  readonly isBeingMade: boolean;
}

interface Remembered {
  readonly lack: Lack;
  readonly clusterGeneration: number;
  /** The cacheGeneration up to which it is known to hold. */
  cacheGeneration: number;
  /** The keys of all images of the pod: it holds until a cache with all of them changes. */
  readonly keys: readonly string[];
}

export class Lacks {
  /** Goes with the contents; pod-store.ts has their limit. */
  readonly #remembered = new WeakMap<PodContent, Remembered>();

  /** @param now milliseconds since 1970 */
  of(
    content: PodContent,
    view: TrackedView,
    options: CacheRules & { readonly decision: DecisionOptions },
    now: number,
  ): Lack {
    const clusterGeneration = view.clusterGeneration();
    const cacheGeneration = view.cacheGeneration(now, options.decision.expiryMarginMs);
    const known = this.#remembered.get(content);
    const stillHolds =
      known?.clusterGeneration === clusterGeneration &&
      !view.cachesChangedSince(known.cacheGeneration, known.keys, known.keys.length);
    if (stillHolds) {
      known.cacheGeneration = cacheGeneration;
      return known.lack;
    }
    const waits = content.pod.gates.includes(WAIT_FOR_CACHE);
    // Whether a pod waits was decided when it was created.
    const decided = waits ? options.decision : { ...options.decision, waitForCache: 'never' as const };
    const decision = decide(content.pod, view, decided, now);
    const desired = desiredCaches(content, decision, options, view);
    const lack = {
      marker: decision.createOnMiss,
      found: foundBy(decision),
      desired: new Map(desired.map((cache) => [cacheName(cache), cache])),
      isBeingMade: waits && desired.length === 0 && isCompleteInTheMaking(decision, now, view),
    };
    const keys = decision.images?.references.map(({ key }) => key) ?? [];
    if (dependsOnCompleteCaches(lack, decision, keys, options.decision))
      this.#remembered.set(content, { lack, clusterGeneration, cacheGeneration, keys });
    return lack;
  }
}

/**
 * Whether only caches with all images of the pod decide what it lacks. Time decides nothing either, because time only ends
 * what a pod waits for.
 */
function dependsOnCompleteCaches(
  { desired }: Lack,
  { maker }: Decision,
  keys: readonly string[],
  { createOnMiss }: DecisionOptions,
): boolean {
  const isAskedFor = desired.size > 0 || maker === 'eci';
  return isAskedFor && keys.length <= MAX_CACHE_IMAGES && createOnMiss.when === 'incomplete';
}

function foundBy({ outcome, cacheId }: Decision): Lack['found'] {
  if (outcome !== 'partial') return 'nothing';
  return cacheId === undefined ? 'partial, left to ECI' : 'partial, used';
}
