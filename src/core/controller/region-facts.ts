/**
 * What ECI's API says of the region, as far as the controller heeds it: when pods of any cluster last used a cache, and how
 * many caches the account may have (docs/region.md).
 */
import type { OwnCache } from './own-cache.ts';

export interface RegionFacts {
  /** Of a cache with this ID; undefined if the API is not asked, or does not list it. */
  readonly listed: (
    id: string,
  ) => { readonly lastMatchedAtMs: number | undefined; readonly phase: string } | undefined;
  /** When the list was read, in milliseconds since 1970; undefined: not yet. */
  readonly readAtMs: () => number | undefined;
  /**
   * How many manual caches the account may have beside those that others made, as it was when the API was asked; undefined if
   * it is not known. What we make and delete afterwards does not change it.
   */
  readonly places: () => number | undefined;
}

/** The API is not asked. */
export const NO_REGION: RegionFacts = {
  listed: () => undefined,
  readAtMs: () => undefined,
  places: () => undefined,
};

/** How many caches the controller may keep: what it is configured to, and what the region leaves. */
export function quotaWithin(configured: number, region: RegionFacts): number {
  return Math.max(Math.min(configured, region.places() ?? configured), 0);
}

/** The cache, last used when the API says, if that is later than what the cluster shows. */
export function withUseInRegion(cache: OwnCache, region: RegionFacts): OwnCache {
  const matchedAtMs = region.listed(cache.id ?? '')?.lastMatchedAtMs ?? 0;
  return matchedAtMs > cache.lastUsedAtMs ? { ...cache, lastUsedAtMs: matchedAtMs } : cache;
}
