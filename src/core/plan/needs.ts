/** What the pods of a workload need to start warm: the cache that they would ask the controller for if there were none. */
import type { DesiredCache } from '../controller/desired-cache.ts';
import { desiredCaches, type CacheRules } from '../controller/missing-images.ts';
import type { PodContent } from '../controller/watched-pod.ts';
import { decide } from '../decision/decide.ts';
import type { DecisionOptions } from '../decision/options.ts';
import { withoutCaches } from '../decision/narrowed-view.ts';
import type { View } from '../decision/view.ts';
import { storageGib } from '../cache-size.ts';
import { MAX_CACHE_IMAGES } from '../image-cache.ts';

/** Pods of one template. */
export interface PlannedPods {
  readonly namespace: string;
  /** `Deployment web`. */
  readonly workload: string;
  /** How many pods of it there are, or will be. */
  readonly pods: number;
}

export interface Need extends PlannedPods {
  readonly desired: DesiredCache;
  /** GiB: its pods can use no larger cache. */
  readonly storageGib: number;
}

export interface LeftOut extends PlannedPods {
  /** Why no cache is planned for them, as a clause. */
  readonly why: string;
}

/**
 * @param nowMs milliseconds since 1970
 * @returns undefined for pods that do not go to ECI
 */
export function needOf(
  content: PodContent,
  pods: PlannedPods,
  view: View,
  rules: CacheRules,
  options: DecisionOptions,
  nowMs: number,
): Need | LeftOut | undefined {
  const asked: DecisionOptions = {
    ...options,
    bindTime: false,
    waitForCache: 'never',
    createOnMiss: { when: 'incomplete', by: 'controller' },
  };
  const cacheless = withoutCaches(view);
  const decision = decide(content.pod, cacheless, asked, nowMs);
  const { outcome, reason, why, images, request } = decision;
  if (reason === 'NotForEci' || reason === 'AcsPod') return undefined;
  if (request?.pin !== undefined) return { ...pods, why: `it pins ${request.pin}` };
  if (outcome !== 'miss' || !images || !request) return { ...pods, why };
  if (images.count > MAX_CACHE_IMAGES)
    return { ...pods, why: `the pod has ${images.count} images, and a cache at most ${MAX_CACHE_IMAGES}` };
  const [desired] = desiredCaches(content, decision, { ...rules, maxSizeGib: Infinity }, cacheless);
  if (!desired)
    return { ...pods, why: 'no cache can be made for it, because an image or its credentials forbid it' };
  return {
    ...pods,
    // The uid of a namespace has no place in a manifest that is applied to several clusters.
    desired: { ...desired, owner: desired.owner && { ...desired.owner, uid: undefined } },
    storageGib: Math.min(storageGib(request.storageBytes), rules.maxSizeGib),
  };
}

export function isNeed(each: Need | LeftOut): each is Need {
  return 'desired' in each;
}
