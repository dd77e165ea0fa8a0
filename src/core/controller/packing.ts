/**
 * Packs: caches that hold several image sets, because a cache takes one place of the quota whatever it holds. Near the quota
 * the controller merges caches, as a log-structured store compacts its files: the pack is made first, and its parts go once
 * it is Ready. A pack is taken apart once half of its sets are of no use (docs/warm-starts.md, "Packs").
 */
import { ENDED, MAX_CACHE_IMAGES, READY } from '../image-cache.ts';
import { sha256Hex } from '../image/sha256.ts';
import { imageSetHash } from '../image/image-set.ts';
import { byName } from '../kubernetes/object.ts';
import { DAY } from '../kubernetes/time.ts';
import { LEAST_GIB } from '../cache-size.ts';
import { cacheName, kinOf, type DesiredCache, type Unsized } from './desired-cache.ts';
import { MAX_SETS, type CachedSet } from './image-sets.ts';
import { MAKING_TAKES, type OwnCache } from './own-cache.ts';
import { MAX_PULL_SECRETS } from './watched-pod.ts';

export interface Merge {
  /** The name of the new cache. */
  readonly name: string;
  readonly desired: DesiredCache;
  readonly sets: readonly CachedSet[];
  /** The caches whose places it takes once it is Ready: several that are merged, or one pack that is taken apart. */
  readonly parts: readonly OwnCache[];
}

/** Stands for the namespace that packs are made for, and for the tenant in the hourly limits; no namespace has this name. */
export const PACKER = '(packs)';
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
  const isNear = quota - kept.length <= BEGINS_AT;
  if (!isNear && !standing.some(isMadeByPacking)) return { merges: [], inFlight: new Set() };
  const ready = standing.filter(({ phase }) => phase === READY);
  const unready = standing.filter((cache) => isMadeByPacking(cache) && cache.phase !== READY);
  const beingMade = unready.filter(
    ({ phase, createdAtMs }) => !ENDED.has(phase) && now - createdAtMs < MAKING_TAKES,
  );
  const making = placesOfAll(beingMade);
  // What failed stays until ECI has removed it, so that its parts are not tried again at once.
  const taken = placesOfAll(unready);
  const inFlight = ready.filter((cache) => {
    const used = placesOf(cache, setsInUse(cache, now));
    return used.length > 0 && used.every((place) => making.has(place));
  });
  const names = new Set(kept.map(({ name }) => name));
  const free = ready.filter(
    (cache) =>
      isWhole(cache) &&
      !cache.doNotEvict &&
      !hasOutgrownPacks(cache) &&
      !placesOf(cache, cache.sets).some((place) => taken.has(place)),
  );
  const merges = [
    ...free.flatMap((cache) => restOf(cache, situation, now)),
    ...(isNear ? mergesOf(free, situation, now) : []),
  ].filter(({ name }) => !names.has(name) && !isBlocked(name));
  const most = Math.min(MOST_IN_FLIGHT - beingMade.length, quota - kept.length);
  return { merges: merges.slice(0, Math.max(most, 0)), inFlight: new Set(inFlight) };
}

export function isPack({ sets }: OwnCache): boolean {
  return sets.length > 1;
}

/** Also the rest of a pack, which may have a single set. */
function isMadeByPacking(cache: OwnCache): boolean {
  return isPack(cache) || cache.madeFor === PACKER;
}

/** Whether its images did not fit into the size of a pack when they were tried. */
function hasOutgrownPacks({ attempt, sizeGib }: OwnCache): boolean {
  return attempt > 1 && sizeGib > LEAST_GIB;
}

/** Whether the cache is for whole image sets, and not for a part of the images of a pod with too many for one cache. */
function isWhole(cache: OwnCache): boolean {
  return isPack(cache) || cache.contents.imageSet === cache.sets[0]?.hash;
}

/** A cache for the rest of a pack, if half of its sets were not used for long. */
function restOf(pack: OwnCache, { neededGib }: PackingSituation, now: number): Merge[] {
  const used = setsInUse(pack, now);
  const isWorn = isPack(pack) && used.length > 0 && used.length * 2 <= pack.sets.length;
  if (!isWorn) return [];
  const rest = mergeOf([pack], used, pack.contents);
  return neededGib(rest.desired.images.map(({ key }) => key)) > LEAST_GIB ? [] : [rest];
}

/** One merge for the caches of each kin, if enough of them fit into one cache. */
function mergesOf(free: readonly OwnCache[], { neededGib }: PackingSituation, now: number): Merge[] {
  const inUse = free.filter(({ sets }) =>
    sets.every(({ lastUsedAtMs }) => now - lastUsedAtMs < MERGED_IF_USED_WITHIN),
  );
  return Array.from(Map.groupBy(inUse, ({ contents }) => kinOf(contents)).values(), (kin) => {
    const parts = partsThatFit(kin, neededGib, Math.floor(now / DAY));
    const sets = parts.flatMap((part) => part.sets);
    return parts[0] && parts.length >= LEAST_PARTS ? [mergeOf(parts, sets, parts[0].contents)] : [];
  }).flat();
}

/**
 * As many caches as fit into one: those with the fewest images come first, and else in another order each day. So an image
 * that can no longer be pulled, which makes a pack fail for a day, is not in the way of the same caches for ever.
 */
function partsThatFit(
  kin: readonly OwnCache[],
  neededGib: PackingSituation['neededGib'],
  day: number,
): OwnCache[] {
  const parts: OwnCache[] = [];
  let [images, sets, secrets] = [new Set<string>(), new Set<string>(), new Set<string>()];
  const turns = new Map(kin.map((cache) => [cache, { name: sha256Hex(`${day} ${cache.name}`) }]));
  const fewestFirst = kin.toSorted(
    (a, b) => a.contents.images.length - b.contents.images.length || byName(turns.get(a)!, turns.get(b)!),
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
  if (!standing.some(isMadeByPacking)) return new Set();
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
    const used = setsInUse(cache, now);
    const isElsewhere = (place: string): boolean => {
      const other = latest.get(place);
      return other !== undefined && isLater(other, cache) && other.sizeGib <= cache.sizeGib;
    };
    return used.length > 0 && placesOf(cache, used).every(isElsewhere);
  });
  return new Set(replaced);
}

function setsInUse({ sets }: OwnCache, now: number): CachedSet[] {
  return sets.filter(({ lastUsedAtMs }) => now - lastUsedAtMs < UNUSED_FOR);
}

function placesOfAll(caches: readonly OwnCache[]): ReadonlySet<string> {
  return new Set(caches.flatMap((cache) => placesOf(cache, cache.sets)));
}

/** The sets with what the cache must have in common with others: the same set of another owner is another. */
function placesOf(cache: OwnCache, sets: readonly CachedSet[]): string[] {
  const kin = kinOf(cache.contents);
  return sets.map(({ hash }) => `${hash} ${kin}`);
}

function isLater(a: OwnCache, b: OwnCache): boolean {
  return a.createdAtMs > b.createdAtMs || (a.createdAtMs === b.createdAtMs && a.name > b.name);
}
