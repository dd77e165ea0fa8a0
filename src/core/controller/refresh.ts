/**
 * Replaces a cache of which a tag has moved: its next attempt is made while it is still used, and takes its place once it is
 * Ready (retirement.ts). One that must not be evicted is replaced by its user.
 */
import { READY } from '../image-cache.ts';
import type { Alarm } from './alarm.ts';
import type { OwnCache } from './own-cache.ts';

export interface Refresh {
  readonly cache: OwnCache;
  /** The number of the attempt that takes its place. */
  readonly attempt: number;
  /** The images whose tags have moved, as the cache pulled them. */
  readonly images: readonly string[];
}

/** Milliseconds. A cache younger than this is not replaced: a tag that moves all the time would have one made all the time. */
const REFRESH_EVERY = 21_600_000;

/**
 * @param candidates the caches that may be given to pods: the latest attempts, without those that are marked
 * @param places how many more caches there may be
 * @param mayBeMade whether the hourly limits of its users allow a cache now; counts it if so
 */
export function planRefreshes(
  candidates: readonly OwnCache[],
  moved: (cache: OwnCache) => readonly string[],
  places: number,
  mayBeMade: (cache: OwnCache) => boolean,
  alarm: Alarm,
): Refresh[] {
  const refreshes: Refresh[] = [];
  for (const cache of candidates) {
    if (refreshes.length >= places) break;
    if (cache.phase !== READY || cache.doNotEvict) continue;
    const images = moved(cache);
    if (images.length === 0 || !alarm.isDue(cache.createdAtMs + REFRESH_EVERY) || !mayBeMade(cache)) continue;
    refreshes.push({ cache, attempt: cache.attempt + 1, images });
  }
  return refreshes;
}
