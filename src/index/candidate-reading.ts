/**
 * Owns the reading of candidates in the order of core/match/pick.ts, without looking at more of them than it takes.
 *
 * A group that holds e of a pod's n images is missing from n - e of their lists, and so is in one of any n - e + 1: of
 * the shortest ones. A sidecar that nearly every cache holds is thereby hardly ever read, and where it is, its list is
 * read in order, and only as far as the reader goes. What is passed over costs a look at a number (group-table.ts).
 */
import type { ImageCache } from '../core/image-cache.ts';
import { compareDegree, compareTies } from '../core/match/pick.ts';
import { NO_MATCH, type Degree } from '../core/match/score.ts';
import type { Candidate, DegreeLevel } from '../core/view.ts';
import type { Accepted, GroupList } from './group-list.ts';
import { REPOSITORY_WORDS, signatureBits, type GroupTable } from './group-table.ts';
import type { IndexedImage, IndexedRepository } from './group.ts';
import { mergeSorted } from './merge.ts';

/** An image or a repository of the pod's that some group holds. */
export interface SharedList<T extends IndexedImage | IndexedRepository> {
  readonly of: T;
  /** How many of the pod's images it stands for. */
  weight: number;
  /** The best degree in it; undefined where nobody has looked through it yet. */
  best: Degree | undefined;
}

/** Fewer groups than this are found sooner by a look through the whole list than in order. */
const FEW = 4;

type AnyList = SharedList<IndexedImage> | SharedList<IndexedRepository>;

/**
 * See View.usableCandidates.
 * @param short how long a list may be to be looked through whole before it is read in order
 */
export function* readCandidates(
  byImage: SharedList<IndexedImage>[],
  byRepository: SharedList<IndexedRepository>[],
  table: GroupTable,
  targetBytes: number,
  short: number,
): Generator<DegreeLevel, undefined> {
  byImage.sort(shortestFirst);
  byRepository.sort(shortestFirst);
  const pod = new PodLists(byImage, byRepository, table);
  for (let exact = byImage.length; exact >= 0; exact--) {
    for (let total = pod.weight; total >= Math.max(exact, 1); total--) {
      const degree = { exact, sameRepository: total - exact };
      const lists = pod.listsFor(exact, total).filter((list) => {
        if (!list.best && (list.of.groups.size <= short || pod.isRare(degree, list)))
          list.best = pod.bestIn(list.of.groups);
        return !list.best || compareDegree(list.best, degree) <= 0;
      });
      if (lists.length > 0) yield { degree, candidates: pod.read(degree, lists, targetBytes) };
    }
  }
  return undefined;
}

function shortestFirst(a: AnyList, b: AnyList): number {
  return a.of.groups.size - b.of.groups.size;
}

/** The lists that share something with one pod, each kind the shortest first. */
class PodLists {
  /** How many of the pod's images could come from the repositories of one group. */
  readonly weight: number;
  readonly #byImage: readonly SharedList<IndexedImage>[];
  readonly #byRepository: readonly SharedList<IndexedRepository>[];
  readonly #table: GroupTable;
  readonly #images: WantedBits;
  readonly #repositories: WantedBits;

  constructor(
    byImage: readonly SharedList<IndexedImage>[],
    byRepository: readonly SharedList<IndexedRepository>[],
    table: GroupTable,
  ) {
    this.#byImage = byImage;
    this.#byRepository = byRepository;
    this.#table = table;
    this.#images = new WantedBits(byImage);
    this.#repositories = new WantedBits(byRepository);
    this.weight = byRepository.reduce((sum, list) => sum + list.weight, 0);
  }

  /** Lists among which every group with this many exact images, and this many from its repositories, is found. */
  listsFor(exact: number, total: number): readonly AnyList[] {
    let rest = this.weight;
    const enough = this.#byRepository.findIndex((list) => (rest -= list.weight) < total);
    const byRepository = this.#byRepository.slice(0, enough + 1);
    if (exact === 0) return byRepository;
    const byImage = this.#byImage.slice(0, this.#byImage.length - exact + 1);
    return lengthOf(byImage) <= lengthOf(byRepository) ? byImage : byRepository;
  }

  /** Whether a list is likely to hold no more than a few groups of this degree, were images independent. */
  isRare({ exact, sameRepository }: Degree, list: AnyList): boolean {
    const count = this.#table.size;
    let expected = list.of.groups.size;
    let images = exact;
    for (let i = this.#byImage.length - 1; i >= 0 && images > 0; i--) {
      const other = this.#byImage[i]!;
      if (other !== list) expected *= other.of.groups.size / count;
      images--;
    }
    let repositories = exact + sameRepository;
    for (let i = this.#byRepository.length - 1; i >= 0 && repositories > 0; i--) {
      const { of, weight } = this.#byRepository[i]!;
      if (repositories <= sameRepository) expected *= of.groups.size / count;
      repositories -= weight;
    }
    return expected < FEW;
  }

  /** The best degree of a list's groups, by a look at all of them. */
  bestIn(list: GroupList): Degree {
    let best = NO_MATCH;
    list.visit((slot, signatures, at) => {
      if (!this.#mayExceed(best, signatures, at) || this.#table.gone[slot] === 1) return false;
      const degree = this.#degreeOf(slot);
      if (compareDegree(degree, best) < 0) best = degree;
      return true;
    });
    return best;
  }

  /** The candidates of this degree, all of which are in these lists, in the order of core/match/pick.ts. */
  *read(degree: Degree, lists: readonly AnyList[], targetBytes: number): Generator<Candidate, undefined> {
    const accepted = (slot: number, signatures: Int32Array, at: number): boolean =>
      this.#mayHave(degree, signatures, at) &&
      this.#table.gone[slot] === 0 &&
      compareDegree(this.#degreeOf(slot), degree) === 0;
    const slots = this.#slotsInOrder(lists, accepted, targetBytes);
    let isEmpty = true;
    for (const cache of cachesInOrder(slots, this.#table, targetBytes)) {
      isEmpty = false;
      yield { cache, degree };
    }
    // They have been looked through in vain: to know what else is in them spares the lower degrees that.
    if (isEmpty) for (const list of lists) list.best ??= this.bestIn(list.of.groups);
    return undefined;
  }

  /** The accepted groups of some lists: the closest in size first, then in the order of their first caches. */
  #slotsInOrder(lists: readonly AnyList[], accepted: Accepted, targetBytes: number): Iterable<number> {
    const table = this.#table;
    const distance = (slot: number): number => Math.abs(table.sizeOf(slot) - targetBytes);
    const byCloseness = (a: number, b: number): number =>
      distance(a) - distance(b) || table.compareFirst(a, b);
    const streams = lists.flatMap(({ of: { groups } }) => [
      groups.select(accepted, (slot) => table.sizeOf(slot) < targetBytes),
      below(groups, table, targetBytes, accepted),
    ]);
    return mergeSorted(streams, byCloseness);
  }

  /** False where the signature rules out that a group has this degree. */
  #mayHave({ exact, sameRepository }: Degree, signatures: Int32Array, at: number): boolean {
    return (
      this.#repositories.most(signatures, at + REPOSITORY_WORDS) >= exact + sameRepository &&
      this.#images.most(signatures, at) >= exact
    );
  }

  /** False where the signature rules out that a group has a higher degree. */
  #mayExceed({ exact, sameRepository }: Degree, signatures: Int32Array, at: number): boolean {
    const total = this.#repositories.most(signatures, at + REPOSITORY_WORDS);
    // No group holds more images than there are among its repositories.
    if (total <= exact) return false;
    const most = this.#images.most(signatures, at);
    return most === exact ? total > exact + sameRepository : most > exact;
  }

  #degreeOf(slot: number): Degree {
    let exact = 0;
    let total = 0;
    let previous: IndexedRepository | undefined;
    for (const image of this.#table.imagesOf(slot)) {
      for (const { of } of this.#byImage) if (of === image) exact++;
      const { inRepository } = image;
      if (inRepository === previous) continue;
      for (const { of, weight } of this.#byRepository) if (of === inRepository) total += weight;
      previous = inRepository;
    }
    return { exact, sameRepository: total - exact };
  }
}

function lengthOf(lists: readonly AnyList[]): number {
  return lists.reduce((sum, list) => sum + list.of.groups.size, 0);
}

/** The bits of what one pod wants, side by side for a loop that runs once for each group that is passed over. */
class WantedBits {
  readonly #low: readonly number[];
  readonly #high: readonly number[];
  readonly #weights: readonly number[];

  constructor(lists: readonly AnyList[]) {
    const bits = lists.map((list) => signatureBits(list.of.number));
    this.#low = bits.map(({ low }) => low);
    this.#high = bits.map(({ high }) => high);
    this.#weights = lists.map((list) => list.weight);
  }

  /** How many of the pod's images a group with this signature can hold at most. */
  most(signatures: Int32Array, at: number): number {
    const low = ~signatures[at]!;
    const high = ~signatures[at + 1]!;
    let weight = 0;
    for (let i = 0; i < this.#low.length; i++)
      if (((low & this.#low[i]!) | (high & this.#high[i]!)) === 0) weight += this.#weights[i]!;
    return weight;
  }
}

/** The accepted groups that are smaller than a size, the largest first; those of one size in their order. */
function* below(
  list: GroupList,
  table: GroupTable,
  targetBytes: number,
  accepted: Accepted,
): Generator<number, undefined> {
  let limit = targetBytes;
  for (;;) {
    const last = list.lastBefore((slot) => table.sizeOf(slot) < limit);
    if (last === undefined) return undefined;
    const size = table.sizeOf(last);
    yield* list.select(
      accepted,
      (slot) => table.sizeOf(slot) < size,
      (slot) => table.sizeOf(slot) < limit,
    );
    limit = size;
  }
}

/** A group that is being read, at its next cache. */
interface Reading {
  readonly caches: readonly ImageCache[];
  at: number;
}

/** The caches of groups that come in the order of their first caches, all in one order. */
function* cachesInOrder(
  slots: Iterable<number>,
  table: GroupTable,
  targetBytes: number,
): Generator<ImageCache, undefined> {
  /** Groups with more caches than have been read, the next to read last. */
  const begun: Reading[] = [];
  const nextOf = ({ caches, at }: Reading): ImageCache => caches[at]!;
  const goOn = (reading: Reading): void => {
    if (++reading.at === reading.caches.length) return;
    const place = begun.findIndex((other) => compareTies(nextOf(other), nextOf(reading), targetBytes) < 0);
    begun.splice(place < 0 ? begun.length : place, 0, reading);
  };
  for (const slot of slots) {
    const first = table.firstOf(slot);
    for (let next = begun.at(-1); next; next = begun.at(-1)) {
      if (compareTies(nextOf(next), first, targetBytes) > 0) break;
      begun.pop();
      yield nextOf(next);
      goOn(next);
    }
    yield first;
    goOn({ caches: table.cachesOf(slot), at: 0 });
  }
  for (let next = begun.pop(); next; next = begun.pop()) {
    yield nextOf(next);
    goOn(next);
  }
  return undefined;
}
