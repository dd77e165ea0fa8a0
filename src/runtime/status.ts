/** The state of all ImageCaches, read once: those made by hand and those of the controller. */
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
import { IMAGE_CACHE_API_VERSION, type ImageCache } from '../core/image-cache.ts';
import { formatTime } from '../core/kubernetes/time.ts';
import { isOwnCache, type OwnCache } from '../core/controller/own-cache.ts';
import { readManifest } from '../sources/kinds/manifest.ts';
import { readOwnCache } from '../sources/kinds/own-cache.ts';
import { readImageCache } from '../sources/kinds/image-cache.ts';
import { connectImageCaches } from './connect.ts';

export interface CacheStatus {
  readonly name: string;
  readonly id: string | null;
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
  readonly madeBy: 'hand' | 'controller';
  /** The image sets that the controller made the cache for, by when each was last used; null for a cache made by hand. */
  readonly sets: readonly { readonly images: readonly string[]; readonly lastUsedAt: string }[] | null;
}

/**
 * Sorted by name.
 * @param onProblem called for each object that cannot be read
 * @throws if the source cannot be read
 */
export async function readStatus(
  config: Config,
  onProblem: (problem: string) => void,
): Promise<CacheStatus[]> {
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
  return read.toSorted(byName);
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
