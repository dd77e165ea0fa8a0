/**
 * Packs: caches that hold several image sets, because a cache takes one place of the quota whatever it holds. Near the quota
 * the controller merges caches, as a log-structured store compacts its files: the pack is made first, and its parts go once
 * it is Ready. A pack is taken apart once half of its sets are of no use (docs/warm-starts.md, "Packs").
 */
import { FAILED, MAX_CACHE_IMAGES, READY } from '../image-cache.ts';
import { imageSetHash } from '../image/image-set.ts';
import { byName } from '../kubernetes/object.ts';
import { DAY } from '../kubernetes/time.ts';
import { LEAST_GIB } from './cache-size.ts';
import { cacheName, type DesiredCache, type Unsized } from './desired-cache.ts';
import { MAX_SETS, type CachedSet } from './image-sets.ts';
import type { OwnCache } from './own-cache.ts';
import { MAX_PULL_SECRETS } from './watched-pod.ts';

export interface Merge {
  /** The name of the new cache. */
  readonly name: string;
  readonly desired: DesiredCache;
  readonly sets: readonly CachedSet[];
  /** The caches whose places it takes once it is Ready: several that are merged, or one pack that is taken apart. */
  readonly parts: readonly OwnCache[];
}

/** Stands for the tenant in the hourly limits; no tenant has this name. */
export const PACKER = '';
/** Merging begins when at most so many places of the quota are left. */
const BEGINS_AT = 4;
/** Places that misses leave to packs. */
export const LEFT_TO_PACKS = 2;
/** With a smaller quota, the places that packs need while they are made are worth more than those that they free. */
export const LEAST_QUOTA = 10;
/** Merges at the same time. */
const MOST_IN_FLIGHT = 2;
/** Fewer caches are not merged: to make the pack would cost as much as the few places are worth. */
const LEAST_PARTS = 6;
/** Milliseconds. A set that nobody used for so long is not carried into a pack. */
const MERGED_IF_USED_WITHIN = DAY;
/** Milliseconds. A pack is taken apart if half of its sets were not used for so long. */
const UNUSED_FOR = 7 * DAY;

/** What packs are made of. */
export interface PackingSituation {
  /** All caches that take a place, marked ones included. */
  readonly kept: readonly OwnCache[];
  readonly isMarked: (cache: OwnCache) => boolean;
  /** Whether the API server refused a change of the cache of this name a moment ago. */
  readonly isBlocked: (name: string) => boolean;
  /** GiB that a cache of these images needs. */
  readonly neededGib: (keys: readonly string[]) => number;
}

export interface Packing {
  readonly merges: readonly Merge[];
  /** The caches that go once a pack is Ready that is being made. */
  readonly inFlight: ReadonlySet<OwnCache>;
}

/** @param now milliseconds since 1970 */
export function planPacks(situation: PackingSituation, quota: number, now: number): Packing {
  const { kept, isMarked, isBlocked } = situation;
  const standing = kept.filter((cache) => !isMarked(cache));
  const ready = standing.filter(({ phase }) => phase === READY);
  // A failed pack counts until it has expired, because what failed once is not tried again at once.
  const unready = standing.filter((cache) => isPack(cache) && cache.phase !== READY);
  const making = setsOf(unready.filter(({ phase }) => phase !== FAILED));
  const taken = setsOf(unready);
  const inFlight = ready.filter(({ sets }) => sets.every(({ hash }) => making.has(hash)));
  const names = new Set(kept.map(({ name }) => name));
  const free = ready.filter(
    (cache) => isWhole(cache) && !cache.doNotEvict && !cache.sets.some(({ hash }) => taken.has(hash)),
  );
  const isNear = quota - kept.length <= BEGINS_AT;
  const merges = [
    ...free.flatMap((cache) => restOf(cache, now)),
    ...(isNear ? mergesOf(free, situation, now) : []),
  ].filter(({ name }) => !names.has(name) && !isBlocked(name));
  const most = Math.min(MOST_IN_FLIGHT - unready.length, quota - kept.length);
  return { merges: merges.slice(0, Math.max(most, 0)), inFlight: new Set(inFlight) };
}

export function isPack({ sets }: OwnCache): boolean {
  return sets.length > 1;
}

function setsOf(caches: readonly OwnCache[]): ReadonlySet<string> {
  return new Set(caches.flatMap(({ sets }) => sets.map(({ hash }) => hash)));
}

/** Whether the cache is for whole image sets, and not for a part of the images of a pod with too many for one cache. */
function isWhole(cache: OwnCache): boolean {
  return isPack(cache) || cache.contents.imageSet === cache.sets[0]?.hash;
}

/** What caches that are merged have in common. The pull secrets of a namespace are put together. */
function kinOf({ contents: { architecture, operatingSystem, registry, owner } }: OwnCache): string {
  const annotations = Array.from(registry, ([key, value]) => `${key}=${value}`).toSorted();
  return JSON.stringify([architecture, operatingSystem, annotations, owner ?? null]);
}

/** A cache for the rest of a pack, if half of its sets were not used for long. */
function restOf(pack: OwnCache, now: number): Merge[] {
  const used = pack.sets.filter(({ lastUsedAtMs }) => now - lastUsedAtMs < UNUSED_FOR);
  const isWorn = isPack(pack) && used.length > 0 && used.length * 2 <= pack.sets.length;
  return isWorn ? [mergeOf([pack], used, pack.contents)] : [];
}

/** One merge for the caches of each kin, if enough of them fit into one cache. */
function mergesOf(free: readonly OwnCache[], { neededGib }: PackingSituation, now: number): Merge[] {
  const inUse = free.filter(({ sets }) =>
    sets.every(({ lastUsedAtMs }) => now - lastUsedAtMs < MERGED_IF_USED_WITHIN),
  );
  return Array.from(Map.groupBy(inUse, kinOf).values(), (kin) => {
    const parts = partsThatFit(kin, neededGib);
    const sets = parts.flatMap((part) => part.sets);
    return parts[0] && parts.length >= LEAST_PARTS ? [mergeOf(parts, sets, parts[0].contents)] : [];
  }).flat();
}

/** As many caches as fit into one: those with the fewest images come first. */
function partsThatFit(kin: readonly OwnCache[], neededGib: PackingSituation['neededGib']): OwnCache[] {
  const parts: OwnCache[] = [];
  let [images, sets, secrets] = [new Set<string>(), new Set<string>(), new Set<string>()];
  const fewestFirst = kin.toSorted(
    (a, b) => a.contents.images.length - b.contents.images.length || byName(a, b),
  );
  for (const part of fewestFirst) {
    const { contents } = part;
    const withImages = new Set([...images, ...contents.images.map(({ key }) => key)]);
    const withSets = new Set([...sets, ...part.sets.map(({ hash }) => hash)]);
    const withSecrets = new Set([...secrets, ...contents.pullSecrets]);
    if (withImages.size > MAX_CACHE_IMAGES || withSets.size > MAX_SETS) continue;
    // Every pod pays for a disk of at least this size, so that a pack costs no pod anything.
    if (withSecrets.size > MAX_PULL_SECRETS || neededGib([...withImages]) > LEAST_GIB) continue;
    parts.push(part);
    [images, sets, secrets] = [withImages, withSets, withSecrets];
  }
  return parts;
}

/** @param contents of one of the parts */
function mergeOf(parts: readonly OwnCache[], sets: readonly CachedSet[], contents: Unsized): Merge {
  const byHash = new Map(sets.map((set) => [set.hash, set]));
  const distinct = [...byHash.values()].toSorted((a, b) => (a.hash < b.hash ? -1 : 1));
  const keys = [...new Set(distinct.flatMap((set) => set.keys))].toSorted();
  const texts = new Map(parts.flatMap((part) => part.contents.images.map(({ key, text }) => [key, text])));
  const pack: Unsized = {
    ...contents,
    images: keys.map((key) => ({ key, text: texts.get(key) ?? key })),
    imageSet: imageSetHash(keys.map((key) => ({ key }))),
    pullSecrets: [...new Set(parts.flatMap((part) => part.contents.pullSecrets))].toSorted(),
  };
  const desired = { ...pack, sizeGib: LEAST_GIB, largestGib: LEAST_GIB, fixedSizeGib: undefined };
  return { name: cacheName(desired), desired, sets: distinct, parts };
}

/**
 * The caches that can go, because a later cache holds each of their sets that is of use.
 * @param now milliseconds since 1970
 */
export function replacedByPacks(
  standing: readonly OwnCache[],
  isMarked: (cache: OwnCache) => boolean,
  now: number,
): ReadonlySet<OwnCache> {
  const ready = standing.filter((cache) => cache.phase === READY && !isMarked(cache));
  /** By set and kin, the latest cache that holds it. */
  const latest = new Map<string, OwnCache>();
  for (const cache of ready) {
    for (const each of placesOf(cache, cache.sets)) {
      const known = latest.get(each);
      if (!known || isLater(cache, known)) latest.set(each, cache);
    }
  }
  const replaced = ready.filter((cache) => {
    const used = cache.sets.filter(({ lastUsedAtMs }) => now - lastUsedAtMs < UNUSED_FOR);
    const isElsewhere = (place: string): boolean => {
      const other = latest.get(place);
      return other !== undefined && isLater(other, cache) && other.sizeGib <= cache.sizeGib;
    };
    return used.length > 0 && placesOf(cache, used).every(isElsewhere);
  });
  return new Set(replaced);
}

function placesOf(cache: OwnCache, sets: readonly CachedSet[]): string[] {
  const kin = kinOf(cache);
  return sets.map(({ hash }) => `${hash} ${kin}`);
}

function isLater(a: OwnCache, b: OwnCache): boolean {
  return a.createdAtMs > b.createdAtMs || (a.createdAtMs === b.createdAtMs && a.name > b.name);
}
