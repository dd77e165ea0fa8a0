/**
 * The ImageCaches in memory, by name, by ID, and as lists of cache numbers for each image and each repository; each
 * event updates them. A look-up reads only the lists of the pod's images and repositories, so that other caches cost
 * nothing.
 */
import { hasSameImages, isSame, isUsable, repositoriesOf, type ImageCache } from '../core/image-cache.ts';
import { byName } from '../core/kubernetes/object.ts';
import type { ImageReference } from '../core/image/reference.ts';
import type { Degree } from '../core/decision/match/degree.ts';
import type { CandidateLevel } from '../core/decision/view.ts';
import { ChangeLog } from './change-log.ts';
import { ExpiryClock } from './expiry-clock.ts';

/** An image, and the caches that hold it. To save memory, these share one reference object. */
interface HeldImage {
  readonly reference: ImageReference;
  readonly numbers: number[];
}

const NO_NUMBERS: readonly number[] = [];

export class ImageCacheIndex {
  /** By number. A cache keeps its number as long as the index has a cache of its name. */
  readonly #caches: (ImageCache | undefined)[] = [];
  readonly #freeNumbers: number[] = [];
  readonly #numbers = new Map<string, number>();
  /** By cache ID. Several objects may claim one ID; the first by name has it, so that every replica agrees. */
  readonly #claimants = new Map<string, readonly ImageCache[]>();
  readonly #images = new Map<string, HeldImage>();
  /** By repository, the numbers of the caches that hold an image of it. */
  readonly #repositories = new Map<string, number[]>();
  readonly #changes = new ChangeLog();
  readonly #expiries = new ExpiryClock();
  readonly #countByPhase = new Map<string, number>();
  /** The counters of a look-up. All look-ups share them, because new arrays would take longer than the counting. */
  #counts = countsFor(64);
  #lookUps = 0;

  /** Grows with each change to a cache. */
  get generation(): number {
    return this.#changes.generation;
  }

  get size(): number {
    return this.#numbers.size;
  }

  /** For metrics. */
  get countByPhase(): ReadonlyMap<string, number> {
    return this.#countByPhase;
  }

  hasChangedSince(generation: number, names: readonly string[], atLeast: number): boolean {
    return this.#changes.hasChangedSince(generation, names, atLeast);
  }

  /** Counts a cache as changed once it expires, or enters the margin before that. */
  noteExpiries(nowMs: number, marginMs: number): void {
    const turned = this.#expiries.turnedUntil(nowMs, marginMs, this.#caches);
    if (turned === 'all') this.#changes.forget();
    else for (const cache of turned) this.#changes.note(cache);
  }

  get(name: string): ImageCache | undefined {
    return this.#caches[this.#numbers.get(name) ?? -1];
  }

  byId(id: string): ImageCache | undefined {
    return this.claimants(id)[0];
  }

  claimants(id: string): readonly ImageCache[] {
    return this.#claimants.get(id) ?? [];
  }

  /** See View.candidates. The levels can be read until the next look-up, which reuses the memory. */
  candidates(images: readonly ImageReference[]): CandidateLevel[] {
    const { tallies, touched, keys } = this.#counts;
    const lookUp = ++this.#lookUps;
    const { length, common } = this.#count(images);
    // A degree as one number, exact * stride + sameRepository: neither part exceeds the number of images.
    const stride = images.length + 1;
    const degrees = new Map<number, Degree>();
    const isKnown = new Uint8Array(stride * stride);
    if (common.length > 0) degrees.set(stride, { exact: 1, sameRepository: 0 });
    for (let i = 0; i < length; i++) {
      const number = touched[i]!;
      const tally = tallies[number]!;
      const held = Math.floor(tally / EXACT);
      const sameRepository = (tally % EXACT) - held;
      tallies[number] = 0;
      const key = held * stride + sameRepository;
      keys[i] = key;
      if (isKnown[key] === 0) degrees.set(key, { exact: held, sameRepository });
      isKnown[key] = 1;
    }
    const select = (key: number, usable: boolean): ImageCache[] => {
      if (lookUp !== this.#lookUps) throw new Error('the candidates are those of an earlier look-up');
      return this.#select(length, key, usable, key === stride ? common : NO_NUMBERS);
    };
    return Array.from(degrees)
      .toSorted(([a], [b]) => b - a)
      .map(([key, degree]) => ({
        degree,
        // Getters, so that the caches of a degree are selected only if somebody reads them.
        get usable() {
          return select(key, true);
        },
        get unusable() {
          return select(key, false);
        },
      }));
  }

  /** The caches of one degree: the counted ones, and those of the common list (see #count) that were not counted. */
  #select(length: number, key: number, usable: boolean, common: readonly number[]): ImageCache[] {
    const { touched, keys, touchedBy } = this.#counts;
    const selected: ImageCache[] = [];
    const take = (number: number): void => {
      const cache = this.#caches[number];
      if (cache && isUsable(cache) === usable) selected.push(cache);
    };
    for (let i = 0; i < length; i++) if (keys[i] === key) take(touched[i]!);
    for (const number of common) if (touchedBy[number] !== this.#lookUps) take(number);
    return selected;
  }

  /**
   * Counts the images that each cache holds. Nearly all caches may hold one common image, such as a sidecar: caches
   * that share only the common image with the pod are not counted, because they all have the same degree.
   * @returns how many caches were counted, and the numbers of the caches with the common image; empty if there is none
   */
  #count(images: readonly ImageReference[]): { readonly length: number; readonly common: readonly number[] } {
    const { tallies, touched, touchedBy } = this.#counts;
    const wanted = Array.from(
      Map.groupBy(images, ({ repository }) => repository),
      ([repository, references]) => ({
        weight: references.length,
        holders: this.#repositories.get(repository) ?? NO_NUMBERS,
        exactHolders: references.map(({ key }) => this.#images.get(key)?.numbers ?? NO_NUMBERS),
      }),
    );
    const common = wanted
      .filter(
        ({ weight, holders, exactHolders }) => weight === 1 && exactHolders[0]!.length === holders.length,
      )
      .reduce<readonly number[]>(
        (longest, { holders }) => (holders.length > longest.length ? holders : longest),
        NO_NUMBERS,
      );
    let length = 0;
    for (const { weight, holders, exactHolders } of wanted) {
      if (holders === common) continue;
      for (let i = 0; i < holders.length; i++) {
        const number = holders[i]!;
        if (tallies[number] === 0) {
          touched[length++] = number;
          touchedBy[number] = this.#lookUps;
        }
        tallies[number]! += weight;
      }
      for (const numbers of exactHolders)
        for (let i = 0; i < numbers.length; i++) tallies[numbers[i]!]! += EXACT;
    }
    for (let i = 0; i < common.length; i++) {
      const number = common[i]!;
      if (tallies[number] !== 0) tallies[number]! += EXACT + 1;
    }
    return { length, common };
  }

  /** Adds a cache, or replaces the cache of the same name. @returns whether anything changed */
  apply(cache: ImageCache): boolean {
    const before = this.get(cache.name);
    if (before && isSame(before, cache)) return false;
    if (before && hasSameImages(before, cache)) {
      this.#forget(before);
      this.#keep({ ...cache, images: before.images }, this.#numbers.get(cache.name)!);
      return true;
    }
    if (before) this.delete(cache.name);
    this.#add(cache);
    return true;
  }

  /** @returns whether there was a cache with this name */
  delete(name: string): boolean {
    const number = this.#numbers.get(name);
    const cache = this.get(name);
    if (number === undefined || !cache) return false;
    this.#forget(cache);
    for (const { key } of cache.images) removeFrom(this.#images, key, number, ({ numbers }) => numbers);
    for (const repository of repositoriesOf(cache))
      removeFrom(this.#repositories, repository, number, (numbers) => numbers);
    this.#caches[number] = undefined;
    this.#numbers.delete(name);
    this.#freeNumbers.push(number);
    return true;
  }

  /** Makes the index hold these caches and no others. Unchanged caches are not touched. */
  reset(caches: Iterable<ImageCache>): void {
    const gone = new Set(this.#numbers.keys());
    for (const cache of caches) {
      gone.delete(cache.name);
      this.apply(cache);
    }
    for (const name of gone) this.delete(name);
  }

  #add(cache: ImageCache): void {
    const number = this.#freeNumbers.pop() ?? this.#caches.length;
    if (number >= this.#counts.tallies.length) this.#counts = countsFor(2 * number);
    const images = cache.images.map((reference) => {
      const known = this.#images.get(reference.key);
      if (known) known.numbers.push(number);
      else this.#images.set(reference.key, { reference, numbers: [number] });
      return known?.reference ?? reference;
    });
    for (const repository of repositoriesOf(cache)) {
      const numbers = this.#repositories.get(repository);
      if (numbers) numbers.push(number);
      else this.#repositories.set(repository, [number]);
    }
    this.#numbers.set(cache.name, number);
    this.#keep({ ...cache, images }, number);
  }

  #keep(cache: ImageCache, number: number): void {
    this.#caches[number] = cache;
    this.#changes.note(cache);
    this.#expiries.add(cache);
    this.#countPhase(cache, 1);
    if (cache.id !== undefined)
      this.#setClaimants(cache.id, [...(this.#claimants.get(cache.id) ?? []), cache]);
  }

  #forget(cache: ImageCache): void {
    this.#changes.note(cache);
    this.#countPhase(cache, -1);
    if (cache.id === undefined) return;
    const claimants = this.#claimants.get(cache.id) ?? [];
    this.#setClaimants(
      cache.id,
      claimants.filter((each) => each !== cache),
    );
  }

  #setClaimants(id: string, claimants: readonly ImageCache[]): void {
    if (claimants.length === 0) this.#claimants.delete(id);
    else this.#claimants.set(id, claimants.toSorted(byName));
  }

  #countPhase({ phase }: ImageCache, by: number): void {
    const count = (this.#countByPhase.get(phase) ?? 0) + by;
    if (count > 0) this.#countByPhase.set(phase, count);
    else this.#countByPhase.delete(phase);
  }
}

/** More than a pod has images, so that the two parts of a tally never meet. */
const EXACT = 0x1_0000;

interface Counts {
  /**
   * By cache number, 0 between look-ups: EXACT times how many of the pod's images the cache holds exactly, and how many
   * of them come from a repository of which the cache holds an image. One number, because two would be two misses of the
   * processor's cache.
   */
  readonly tallies: Uint32Array;
  /** The numbers of the counted caches, and at the same index in `keys` the degree of each, as one number. */
  readonly touched: Uint32Array;
  readonly keys: Float64Array;
  /** By cache number: the last look-up that counted the cache. */
  readonly touchedBy: Float64Array;
}

function countsFor(caches: number): Counts {
  return {
    tallies: new Uint32Array(caches),
    touched: new Uint32Array(caches),
    keys: new Float64Array(caches),
    touchedBy: new Float64Array(caches),
  };
}

/** Removes a number from the list of a key, and the key with the last number. */
function removeFrom<T>(
  lists: Map<string, T>,
  key: string,
  number: number,
  numbersOf: (entry: T) => number[],
): void {
  const entry = lists.get(key);
  if (entry === undefined) return;
  const numbers = numbersOf(entry);
  const last = numbers.pop();
  if (last !== undefined && last !== number) numbers[numbers.indexOf(number)] = last;
  if (numbers.length === 0) lists.delete(key);
}
