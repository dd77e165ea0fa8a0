/**
 * Snapshot copies: a cache that more than a thousand pods start from at the same time needs one more for each further thousand
 * (docs/region.md, "Snapshot copies"). It gets them before pods are given it, because ECI cannot start a pod from a cache that
 * is being updated.
 */
import { ENDED } from '../image-cache.ts';
import { podCount, type Miss } from './misses.ts';
import { firstNameOf } from './desired-cache.ts';
import { MOST_COPIES } from './held-copies.ts';
import type { OwnCache } from './own-cache.ts';

const PODS_A_COPY = 1000;

/** The caches that are being made, that nobody holds back yet, and how many copies each should get. */
export function cachesToHold(
  own: readonly OwnCache[],
  misses: ReadonlyMap<string, Miss>,
): readonly { readonly cache: OwnCache; readonly copies: number }[] {
  return own.flatMap((cache) => {
    const miss = misses.get(firstNameOf(cache.name));
    const copies = Math.min(Math.ceil((miss ? podCount(miss) : 0) / PODS_A_COPY), MOST_COPIES);
    const isBeingMade = !ENDED.has(cache.phase) && !cache.deleting && cache.copies === undefined;
    return isBeingMade && copies > 1 ? { cache, copies } : [];
  });
}
