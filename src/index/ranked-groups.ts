/**
 * Owns the inverted index: image → groups of caches, and repository → groups, over interned references; and the reading
 * of candidates in the order of core/match/pick.ts without looking at more of them than it takes.
 *
 * A group is the caches that hold the same images in the same size. They differ in age and name alone, so their order
 * among themselves is the same for every pod, and the group stands in each list where its first cache does:
 *
 *   image       ─┐
 *                ├─► OrderedList<Group> by (size, age and name of the first cache) ─► OrderedList<ImageCache> by (age, name)
 *   repository  ─┘
 *
 * Reading. A group that shares anything rare with the pod is found through a short list, and those lists are read whole.
 * What is left shares only what is common (a sidecar that nearly every cache holds); such groups are read from the long
 * lists lazily, closest size first, and only as far as the reader goes.
 */
import type { ImageCache } from '../core/image-cache.ts';
import type { ImageReference } from '../core/image/reference.ts';
import { compareAge, compareDegree, compareTies } from '../core/match/pick.ts';
import { degreeOf, wantedImages, type Degree, type WantedImages } from '../core/match/score.ts';
import type { Candidate, DegreeLevel } from '../core/view.ts';
import { mergeSorted } from './merge.ts';
import { OrderedList } from './ordered-list.ts';

interface Group {
  readonly key: string;
  readonly images: readonly ImageReference[];
  readonly sizeBytes: number;
  /** Never empty while the group is in a list. */
  readonly caches: OrderedList<ImageCache>;
}

/** All groups that hold one image, or one repository. */
type GroupList = OrderedList<Group>;

/** What reading costs is decided here, and no answer. Measured: see the commit that set them. */
export interface ReadingLimits {
  /** Lists up to this length are read whole. */
  readonly short: number;
  /** Of the longer ones, so many are kept for lazy reading, of images and of repositories each; the others are short enough beside them. */
  readonly lazy: number;
}

const LIMITS: ReadingLimits = { short: 32, lazy: 6 };

export class RankedGroups {
  readonly #groups = new Map<string, Group>();
  readonly #byImage = new Map<string, GroupList>();
  readonly #byRepository = new Map<string, GroupList>();
  /** One object for each reference, so that a million caches share its strings. */
  readonly #references = new Map<string, ImageReference>();
  readonly #limits: ReadingLimits;

  constructor(limits = LIMITS) {
    this.#limits = limits;
  }

  /** @returns the cache as it is kept, its references interned; `delete` wants this one. */
  add(cache: ImageCache): ImageCache {
    const key = groupKey(cache);
    const group = this.#groups.get(key) ?? this.#newGroup(key, cache);
    const kept = { ...cache, images: group.images };
    const { first } = group.caches;
    this.#change(group, first === undefined || compareAge(kept, first) < 0, () => group.caches.add(kept));
    return kept;
  }

  /** @param kept what `add` returned */
  delete(kept: ImageCache): void {
    const group = this.#groups.get(groupKey(kept));
    if (!group) throw new Error(`ImageCache ${kept.name} is in no group`);
    this.#change(group, group.caches.first === kept, () => group.caches.delete(kept));
  }

  /** See View.usableCandidates. */
  *candidates(images: readonly ImageReference[], targetBytes: number): Generator<DegreeLevel, undefined> {
    const wanted = wantedImages(images);
    const byImage = this.#splitLists(this.#byImage, wanted.keys);
    const byRepository = this.#splitLists(this.#byRepository, wanted.perRepository.keys());

    const found = new Map<Group, Degree>();
    for (const [, list] of [...byImage.whole, ...byRepository.whole]) {
      for (const group of list) if (!found.has(group)) found.set(group, degreeOf(wanted, group.images));
    }
    const lazy: LazyLists = {
      byImage: byImage.lazy.map(([, list]) => list),
      byRepository: byRepository.lazy.map(([, list]) => list),
      shared: subsetSums(byRepository.lazy.map(([repository]) => wanted.perRepository.get(repository) ?? 0)),
    };
    for (const degree of possibleDegrees(found.values(), lazy)) {
      yield { degree, candidates: readLevel(degree, wanted, found, lazy, targetBytes) };
    }
    return undefined;
  }

  /** The lists of these keys, the shortest first: those to read whole, and those to read as far as it takes. */
  #splitLists(lists: ReadonlyMap<string, GroupList>, keys: Iterable<string>): SplitLists {
    const present: [string, GroupList][] = [];
    for (const key of keys) {
      const list = lists.get(key);
      if (list) present.push([key, list]);
    }
    present.sort(([, a], [, b]) => a.size - b.size);
    const { short, lazy } = this.#limits;
    const firstLong = present.findIndex(([, list]) => list.size > short);
    const firstLazy = firstLong < 0 ? present.length : Math.max(firstLong, present.length - lazy);
    return { whole: present.slice(0, firstLazy), lazy: present.slice(firstLazy) };
  }

  #newGroup(key: string, { images, sizeBytes }: ImageCache): Group {
    const shared = images.map((image) => this.#references.get(image.key) ?? image);
    for (const image of shared) this.#references.set(image.key, image);
    const group: Group = { key, images: shared, sizeBytes, caches: new OrderedList<ImageCache>(compareAge) };
    this.#groups.set(key, group);
    return group;
  }

  /** @param moves whether the change gives the group another first cache, and so another place in its lists */
  #change(group: Group, moves: boolean, change: () => void): void {
    if (!moves) {
      change();
      return;
    }
    const repositories = new Set(group.images.map((image) => image.repository));
    if (group.caches.size > 0) {
      for (const { key } of group.images) this.#unlist(this.#byImage, key, group);
      for (const repository of repositories) this.#unlist(this.#byRepository, repository, group);
    }
    change();
    if (group.caches.size > 0) {
      for (const { key } of group.images) enlist(this.#byImage, key, group);
      for (const repository of repositories) enlist(this.#byRepository, repository, group);
      return;
    }
    this.#groups.delete(group.key);
    for (const { key } of group.images) if (!this.#byImage.has(key)) this.#references.delete(key);
  }

  #unlist(lists: Map<string, GroupList>, key: string, group: Group): void {
    const list = lists.get(key);
    list?.delete(group);
    if (list?.size === 0) lists.delete(key);
  }
}

interface SplitLists {
  readonly whole: readonly [string, GroupList][];
  readonly lazy: readonly [string, GroupList][];
}

/** The lists that are read lazily. A group that is in none of the others is in these alone. */
interface LazyLists {
  /** The shortest first. */
  readonly byImage: readonly GroupList[];
  readonly byRepository: readonly GroupList[];
  /** How many of the pod's images can come from the repositories of such a group. */
  readonly shared: ReadonlySet<number>;
}

function subsetSums(numbers: readonly number[]): ReadonlySet<number> {
  return numbers.reduce(
    (sums, number) => new Set([...sums, ...Array.from(sums, (sum) => sum + number)]),
    new Set([0]),
  );
}

/**
 * The degrees that any candidate can have, the highest first: those that were found, and those that groups in lazy
 * lists alone might have.
 */
function possibleDegrees(found: Iterable<Degree>, lazy: LazyLists): Degree[] {
  const degrees = new Map<string, Degree>();
  const add = (degree: Degree): unknown => degrees.set(`${degree.exact}/${degree.sameRepository}`, degree);
  for (const degree of found) add(degree);
  for (const shared of lazy.shared) {
    for (let exact = 0; exact <= Math.min(shared, lazy.byImage.length); exact++) {
      // The image of an exact one comes from a shared repository too, and does not count twice.
      if (shared > 0) add({ exact, sameRepository: shared - exact });
    }
  }
  return [...degrees.values()].toSorted(compareDegree);
}

function* readLevel(
  degree: Degree,
  wanted: WantedImages,
  found: ReadonlyMap<Group, Degree>,
  lazy: LazyLists,
  targetBytes: number,
): Generator<Candidate, undefined> {
  const compare = (a: Group, b: Group): number => compareTies(firstOf(a), firstOf(b), targetBytes);
  const rare: Group[] = [];
  for (const [group, of] of found) if (compareDegree(of, degree) === 0) rare.push(group);
  rare.sort(compare);

  const common = mergeSorted(
    listsToRead(degree, lazy).map((list) => byCloseness(list, targetBytes, compare)),
    compare,
  ).filter((group) => !found.has(group) && compareDegree(degreeOf(wanted, group.images), degree) === 0);

  for (const cache of cachesInOrder(mergeSorted([rare, common], compare), targetBytes))
    yield { cache, degree };
  return undefined;
}

/**
 * The lazy lists among which every group of this degree is found that is in no other list; none where there can be no
 * such group. With n lists of images, a group that is in `exact` of them is missing from n - exact, and so is in one of
 * any n - exact + 1.
 */
function listsToRead({ exact, sameRepository }: Degree, lazy: LazyLists): readonly GroupList[] {
  if (exact > lazy.byImage.length || !lazy.shared.has(exact + sameRepository)) return [];
  return exact === 0 ? lazy.byRepository : lazy.byImage.slice(0, lazy.byImage.length - exact + 1);
}

/** A list's groups, the closest size first, then in the order of their first caches. */
function* byCloseness(
  list: GroupList,
  targetBytes: number,
  compare: (a: Group, b: Group) => number,
): Generator<Group, undefined> {
  const sizeAfter = (before: (group: Group) => boolean): number | undefined =>
    list.from(before).next().value?.sizeBytes;
  const sizeBelow = (size: number): number | undefined =>
    list.lastBefore((group) => group.sizeBytes < size)?.sizeBytes;
  let up = sizeAfter((group) => group.sizeBytes < targetBytes);
  let down = sizeBelow(targetBytes);
  while (up !== undefined || down !== undefined) {
    const above = (up ?? Infinity) - targetBytes;
    const below = targetBytes - (down ?? -Infinity);
    const sizes: number[] = [];
    if (up !== undefined && above <= below) {
      const size = up;
      sizes.push(size);
      up = sizeAfter((group) => group.sizeBytes <= size);
    }
    if (down !== undefined && below <= above) {
      sizes.push(down);
      down = sizeBelow(down);
    }
    yield* mergeSorted(
      sizes.map((size) => ofSize(list, size)),
      compare,
    );
  }
  return undefined;
}

function* ofSize(list: GroupList, size: number): Generator<Group, undefined> {
  for (const group of list.from((each) => each.sizeBytes < size)) {
    if (group.sizeBytes !== size) return undefined;
    yield group;
  }
  return undefined;
}

/** A group that is being read, at its next cache. */
interface Reading {
  readonly next: ImageCache;
  readonly rest: Iterator<ImageCache, unknown>;
}

function readOn(rest: Iterator<ImageCache, unknown>): Reading | undefined {
  const result = rest.next();
  return result.done === true ? undefined : { next: result.value, rest };
}

/** The caches of groups that come in the order of their first caches, all in one order. */
function* cachesInOrder(groups: Iterable<Group>, targetBytes: number): Generator<ImageCache, undefined> {
  const compare = (a: Reading, b: Reading): number => compareTies(a.next, b.next, targetBytes);
  const reached = new OrderedList<Reading>(compare);
  const takeBefore = function* (limit: Reading | undefined): Generator<ImageCache> {
    for (;;) {
      const { first } = reached;
      if (!first || (limit && compare(first, limit) > 0)) return;
      reached.delete(first);
      yield first.next;
      const following = readOn(first.rest);
      if (following) reached.add(following);
    }
  };
  for (const group of groups) {
    const reading = readOn(group.caches[Symbol.iterator]());
    if (!reading) continue;
    yield* takeBefore(reading);
    reached.add(reading);
  }
  yield* takeBefore(undefined);
  return undefined;
}

/** Same images in the same size, same group. Keys hold no space. */
function groupKey({ images, sizeBytes }: ImageCache): string {
  return `${sizeBytes} ${images.map((image) => image.key).join(' ')}`;
}

function firstOf(group: Group): ImageCache {
  const { first } = group.caches;
  if (!first) throw new Error(`the group ${group.key} is in a list and holds no cache`);
  return first;
}

function compareInList(a: Group, b: Group): number {
  return a.sizeBytes - b.sizeBytes || compareAge(firstOf(a), firstOf(b));
}

function enlist(lists: Map<string, GroupList>, key: string, group: Group): void {
  const list = lists.get(key) ?? new OrderedList(compareInList);
  list.add(group);
  lists.set(key, list);
}
