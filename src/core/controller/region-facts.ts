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
  /** Has ECI make snapshot copies of a cache; undefined if the API is not asked. Throws if ECI refuses. */
  readonly copy: ((id: string, count: number) => Promise<void>) | undefined;
  /** The account's quota of manual caches in the region; undefined if it is not known. */
  readonly manualQuota: () => { readonly used: number; readonly most: number } | undefined;
}

/** The API is not asked. */
export const NO_REGION: RegionFacts = {
  listed: () => undefined,
  readAtMs: () => undefined,
  copy: undefined,
  manualQuota: () => undefined,
};

/**
 * How many caches the controller may keep: what it is configured to, and what the region leaves beside the caches that others
 * made. Those that it has made or deleted since the API was asked do not change what others have.
 */
export function quotaWithin(configured: number, own: readonly OwnCache[], region: RegionFacts): number {
  const quota = region.manualQuota();
  if (!quota) return configured;
  const ours = own.filter(({ id }) => id !== undefined && region.listed(id) !== undefined).length;
  const ofOthers = Math.max(quota.used - ours, 0);
  return Math.max(Math.min(configured, quota.most - ofOthers), 0);
}

/** The cache, last used when the API says, if that is later than what the cluster shows. */
export function withUseInRegion(cache: OwnCache, region: RegionFacts): OwnCache {
  const matchedAtMs = region.listed(cache.id ?? '')?.lastMatchedAtMs ?? 0;
  return matchedAtMs > cache.lastUsedAtMs ? { ...cache, lastUsedAtMs: matchedAtMs } : cache;
}
