/**
 * The state of all ImageCaches, read once: those made by hand, those of the controller, and, if ECI's API is asked, all
 * others of the region.
 */
import type { Config } from '../config/config.ts';
import { HITS, LAST_USED } from '../core/annotations.ts';
import {
  EMPTY_MAP,
  partOf,
  readStringMap,
  readText,
  type JsonObject,
  type StringMap,
} from '../core/kubernetes/json.ts';
import { byName } from '../core/kubernetes/object.ts';
import { messageOf } from '../core/kubernetes/problem.ts';
import { IMAGE_CACHE_API_VERSION, type ImageCache, type KnownFrom } from '../core/image-cache.ts';
import { formatTime } from '../core/kubernetes/time.ts';
import { isOwnCache, type OwnCache } from '../core/controller/own-cache.ts';
import { readManifest } from '../sources/kinds/manifest.ts';
import { readOwnCache } from '../sources/kinds/own-cache.ts';
import { readImageCache } from '../sources/kinds/image-cache.ts';
import type { RegionUsage } from '../sources/region/region-api.ts';
import { readRegionCaches } from '../sources/region/region-cache.ts';
import type { RegionEntry } from '../index/region-caches.ts';
import { connectImageCaches } from './connect.ts';
import { connectApi } from './region.ts';

export interface CacheStatus {
  /** `region/ID` for a cache that ECI's API alone knows. */
  readonly name: string;
  readonly id: string | null;
  readonly knownFrom: KnownFrom;
  /** The phase that ECI's API says; null if the API is not asked, or does not know the cache. */
  readonly apiPhase: string | null;
  /** As the object's spec has them, not normalised. */
  readonly images: readonly string[];
  readonly phase: string;
  readonly progress: string;
  readonly sizeBytes: number;
  /** All times are ISO 8601; null if the time is unknown, or if the event never happens. */
  readonly createdAt: string | null;
  readonly lastUsedAt: string | null;
  readonly expiresAt: string | null;
  /** As the controller recorded it; null for a cache made by hand, whose use is not recorded. */
  readonly hits: number | null;
  /** `eci`: an automatic cache. `region`: by hand, in the console or in another cluster, as far as the API tells. */
  readonly madeBy: 'hand' | 'controller' | 'eci' | 'region';
  /** The image sets that the controller made the cache for, by when each was last used; null for a cache made by hand. */
  readonly sets: readonly { readonly images: readonly string[]; readonly lastUsedAt: string }[] | null;
}

export interface RegionStatus {
  readonly caches: readonly CacheStatus[];
  /** Null if the API is not asked, or does not answer. */
  readonly usage: RegionUsage | null;
}

/**
 * The caches are sorted by name.
 * @param onProblem called for each object that cannot be read, and if the API does not answer
 * @throws if the source cannot be read
 */
export async function readStatus(
  config: Config,
  onProblem: (problem: string) => void,
): Promise<RegionStatus> {
  const objects = await (await connectImageCaches(config)).caches();
  const read = objects.flatMap((object): CacheStatus[] => {
    try {
      return [statusOf(object)];
    } catch (error) {
      const { name } = partOf(object, 'metadata');
      onProblem(`ImageCache ${readText(name) ?? ''}: ${messageOf(error)}`);
      return [];
    }
  });
  const region = config.region.api ? await readRegion(config, onProblem) : undefined;
  const known = new Set(read.map(({ id }) => id));
  const alone = region?.entries.filter(({ cache }) => !known.has(cache.id)).map(ofRegion) ?? [];
  const byId = new Map(region?.entries.map((entry) => [entry.cache.id, entry]));
  const caches = [...read.map((status) => joined(status, byId.get(status.id ?? ''))), ...alone];
  return { caches: caches.toSorted(byName), usage: region?.usage ?? null };
}

async function readRegion(
  config: Config,
  onProblem: (problem: string) => void,
): Promise<{ entries: readonly RegionEntry[]; usage: RegionUsage } | undefined> {
  try {
    const api = connectApi(config);
    const entries = readRegionCaches(await api.caches(), config.region.name);
    return { entries, usage: await api.usage() };
  } catch (error) {
    onProblem(`caches of the region: ${messageOf(error)}`);
    return undefined;
  }
}

function joined(status: CacheStatus, entry: RegionEntry | undefined): CacheStatus {
  if (!entry) return status;
  const matchedAt = entry.lastMatchedAtMs === undefined ? null : formatTime(entry.lastMatchedAtMs);
  const lastUsedAt =
    matchedAt !== null && matchedAt > (status.lastUsedAt ?? '') ? matchedAt : status.lastUsedAt;
  return { ...status, knownFrom: 'both', apiPhase: entry.cache.phase, lastUsedAt };
}

function ofRegion({ cache, lastMatchedAtMs, isAutomatic }: RegionEntry): CacheStatus {
  const { name, id, phase, progress, sizeBytes, createdAtMs, expiresAtMs, images } = cache;
  return {
    name,
    id,
    knownFrom: 'api',
    apiPhase: phase,
    images: images.map(({ key }) => key),
    phase,
    progress,
    sizeBytes,
    createdAt: createdAtMs === 0 ? null : new Date(createdAtMs).toISOString(),
    expiresAt: expiresAtMs === undefined ? null : new Date(expiresAtMs).toISOString(),
    lastUsedAt: lastMatchedAtMs === undefined ? null : formatTime(lastMatchedAtMs),
    hits: null,
    madeBy: isAutomatic ? 'eci' : 'region',
    sets: null,
  };
}

function statusOf(object: JsonObject): CacheStatus {
  const kind = { apiVersion: IMAGE_CACHE_API_VERSION, kind: 'ImageCache' };
  const manifest = readManifest({ ...kind, ...object });
  const cache: ImageCache = readImageCache(manifest);
  const annotations = readStringMap(manifest.metadata['annotations'], 'metadata.annotations');
  const isOwn = isOwnCache(object);
  const { images } = partOf(object, 'spec');
  return {
    name: cache.name,
    id: cache.id ?? null,
    knownFrom: 'object',
    apiPhase: null,
    images: Array.isArray(images) ? images.map(String) : [],
    phase: cache.deleting ? 'Deleting' : cache.retiring ? 'Retiring' : cache.phase,
    progress: cache.progress,
    sizeBytes: cache.sizeBytes,
    createdAt: cache.createdAtMs === 0 ? null : new Date(cache.createdAtMs).toISOString(),
    expiresAt: cache.expiresAtMs === undefined ? null : new Date(cache.expiresAtMs).toISOString(),
    madeBy: isOwn ? 'controller' : 'hand',
    sets: isOwn ? setsOf(readOwnCache(manifest)) : null,
    ...useOf(isOwn ? annotations : EMPTY_MAP, isOwn),
  };
}

function setsOf({ sets }: OwnCache): CacheStatus['sets'] {
  return sets
    .toSorted((a, b) => b.lastUsedAtMs - a.lastUsedAtMs)
    .map(({ keys, lastUsedAtMs }) => ({ images: keys, lastUsedAt: formatTime(lastUsedAtMs) }));
}

function useOf(annotations: StringMap, isOwn: boolean): Pick<CacheStatus, 'hits' | 'lastUsedAt'> {
  const hits = Number(annotations.get(HITS) ?? 0);
  return {
    lastUsedAt: annotations.get(LAST_USED) ?? null,
    hits: isOwn ? (Number.isFinite(hits) ? hits : 0) : null,
  };
}
