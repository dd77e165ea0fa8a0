/** Reads a cache as ECI's API describes it (DescribeImageCaches, version 2018-08-08) into the form of the index. */
import { DEFAULT_CACHE_GIB, MAX_CACHE_IMAGES, type ImageCache } from '../../core/image-cache.ts';
import { isObject, readText } from '../../core/kubernetes/json.ts';
import { GIB } from '../../core/kubernetes/quantity.ts';
import { Unreadable } from '../../core/kubernetes/problem.ts';
import { parseTime } from '../../core/kubernetes/time.ts';
import { nameInRegion, type RegionEntry } from '../../index/region-caches.ts';
import { readImages } from '../kinds/image-cache.ts';

/** How ECI names the caches that it makes by itself; nothing else in the API's answer distinguishes them. */
const AUTOMATIC_NAME = 'auto-create-for-';

/**
 * The API says neither architecture nor operating system, nor whose secrets made the cache: it counts as one for linux on
 * amd64, as ECI's default is.
 * @throws Unreadable if nothing of it can be used
 */
export function readRegionCache(item: unknown, region: string): RegionEntry {
  if (!isObject(item)) throw new Unreadable('ImageCaches[]', 'must be an object');
  const id = readText(item['ImageCacheId']);
  if (id === undefined) throw new Unreadable('ImageCacheId', 'is missing');
  if (Array.isArray(item['Images']) && item['Images'].length > MAX_CACHE_IMAGES)
    throw new Unreadable('Images', `must be at most ${MAX_CACHE_IMAGES}`);
  const isAutomatic = readText(item['ImageCacheName'])?.startsWith(AUTOMATIC_NAME) === true;
  const size = item['ImageCacheSize'];
  const phase = readText(item['Status']) ?? '';
  const cache: ImageCache & { id: string } = {
    name: nameInRegion(id),
    id,
    images: readImages(item['Images']),
    sizeBytes: (typeof size === 'number' && size > 0 ? size : DEFAULT_CACHE_GIB) * GIB,
    phase,
    apiPhase: phase,
    progress: readText(item['Progress']) ?? '',
    createdAtMs: parseTime(item['CreationTime']) ?? 0,
    expiresAtMs: parseTime(item['ExpireDateTime']),
    deleting: false,
    retiring: false,
    region: readText(item['RegionId']) ?? region,
    architecture: 'amd64',
    operatingSystem: 'linux',
    madeByController: false,
    namespaces: undefined,
    namespaceUid: undefined,
    secretNamespaces: '',
    hasRegistryCredentials: false,
    insecureRegistries: '',
    knownFrom: 'api',
    mayVanish: isAutomatic || readText(item['EliminationStrategy']) !== undefined,
  };
  return { cache, lastMatchedAtMs: parseTime(item['LastMatchedTime']), isAutomatic };
}

/** Leaves out a cache without images or without an ID, which is of no use to a decision. */
export function readRegionCaches(items: readonly unknown[], region: string): RegionEntry[] {
  return items.flatMap((item) => {
    try {
      return [readRegionCache(item, region)];
    } catch {
      return [];
    }
  });
}
