/**
 * The image sets that a cache of the controller was made for: one, or several if the cache is a pack (packing.ts). They are
 * kept in an annotation of the ImageCache, with the last use of each.
 */
import { imageSetHash } from '../image/image-set.ts';
import { MAX_CACHE_IMAGES } from '../image-cache.ts';
import { isObject } from '../kubernetes/json.ts';
import { formatTime, parseTime } from '../kubernetes/time.ts';

export interface CachedSet {
  /** As in the marker of the pods (image-set.ts). */
  readonly hash: string;
  /** Normalised references, sorted. */
  readonly keys: readonly string[];
  /** When the youngest pod with this set got the cache; when the cache was made for it, if none has. */
  readonly lastUsedAtMs: number;
}

/** Sets of one cache: more than its images could be only if some are parts of others. */
export const MAX_SETS = MAX_CACHE_IMAGES;

/**
 * The value of the annotation, JSON: `[{"set":"2fb4…","images":[0,3],"lastUsed":"2026-11-30T12:00:00Z"}]`, where `images`
 * counts in `spec.images`.
 * @param keys of the cache's images, in the order of its spec
 */
export function describeSets(sets: readonly CachedSet[], keys: readonly string[]): string {
  return JSON.stringify(
    sets.map(({ hash, keys: ofSet, lastUsedAtMs }) => ({
      set: hash,
      images: ofSet.map((key) => keys.indexOf(key)),
      lastUsed: formatTime(lastUsedAtMs),
    })),
  );
}

/**
 * Reads the annotation; anybody may have edited it, and what does not fit the images of the cache is left out.
 * @param keys of the cache's images, in the order of its spec
 * @param createdAtMs the earliest possible use
 * @returns the image set of all its images if the annotation has none
 */
export function readSets(
  text: string | undefined,
  keys: readonly string[],
  createdAtMs: number,
): CachedSet[] {
  const stated = text === undefined ? [] : parsed(text).flatMap((each) => readSet(each, keys, createdAtMs));
  const distinct = [...new Map(stated.map((each) => [each.hash, each])).values()].slice(0, MAX_SETS);
  return distinct.length > 0 ? distinct : [setOf(keys, createdAtMs)];
}

/** The set of these images, last used at a time. */
export function setOf(keys: readonly string[], lastUsedAtMs: number): CachedSet {
  const sorted = [...new Set(keys)].toSorted();
  return { hash: imageSetHash(sorted.map((key) => ({ key }))), keys: sorted, lastUsedAtMs };
}

function parsed(text: string): readonly unknown[] {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? value.slice(0, MAX_SETS) : [];
  } catch {
    return [];
  }
}

function readSet(value: unknown, keys: readonly string[], createdAtMs: number): CachedSet[] {
  if (!isObject(value) || !Array.isArray(value['images'])) return [];
  const ofSet = value['images'].slice(0, MAX_CACHE_IMAGES).map((index: unknown) => keys[Number(index)]);
  if (ofSet.length === 0 || ofSet.includes(undefined)) return [];
  const lastUsedAtMs = Math.max(parseTime(value['lastUsed']) ?? createdAtMs, createdAtMs);
  const set = setOf(
    ofSet.filter((key) => key !== undefined),
    lastUsedAtMs,
  );
  return set.hash === value['set'] ? [set] : [];
}
