/**
 * Owns the reading of candidates in the order of core/match/pick.ts, without looking at more of them than it takes.
 *
 * A group that shares anything rare with the pod is found through a short list, and those lists are read whole. What is
 * left shares only what is common (a sidecar that nearly every cache holds); such groups are read from the long lists
 * lazily, closest size first, and only as far as the reader goes.
 */
import type { ImageCache } from '../core/image-cache.ts';
import { compareDegree, compareTies } from '../core/match/pick.ts';
import { degreeOf, type Degree, type WantedImages } from '../core/match/score.ts';
import type { Candidate, DegreeLevel } from '../core/view.ts';
import { firstOf, type Group, type GroupList } from './group.ts';
import { mergeSorted } from './merge.ts';
import { OrderedList } from './ordered-list.ts';

/** Lists that share something with the pod, by image or repository, the shortest first. */
export interface SharedLists {
  readonly whole: readonly (readonly [string, GroupList])[];
  readonly lazy: readonly (readonly [string, GroupList])[];
}

/** See View.usableCandidates. */
export function* readCandidates(
  wanted: WantedImages,
  byImage: SharedLists,
  byRepository: SharedLists,
  targetBytes: number,
): Generator<DegreeLevel, undefined> {
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
