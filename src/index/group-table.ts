/**
 * Owns the table of groups: each has a slot, and what reading looks at in bulk stands in columns of numbers, so that a
 * million groups are compared and passed over without touching the objects themselves.
 *
 * The signature of a group is four words: two with the bits of each of its images set, two with those of its
 * repositories. A group whose signature lacks a bit of an image does not hold it; one that has them all very likely does.
 */
import { isSameList } from '../core/json.ts';
import { GIB } from '../core/quantity.ts';
import { fewOf, firstOf, itemsOf, type Few } from './few.ts';
import type { IndexedCache, IndexedImage } from './group.ts';
import { HashPlaces } from './hash-places.ts';

const FIRST_CAPACITY = 64;
export const RANK_NUMBERS = 2;
export const SIGNATURE_WORDS = 4;
/** Where the words of the repositories begin. */
export const REPOSITORY_WORDS = 2;

/** The bits of an image, or of a repository, in each of the two words. */
interface SignatureBits {
  readonly low: number;
  readonly high: number;
}

export class GroupTable {
  /** The caches of each group, in the order of compareAge; never none: of one that is gone, its last. */
  readonly #groups: (Few<IndexedCache> | undefined)[] = [];
  readonly #free: number[] = [];
  /** Slots by the hash of what makes a group one. */
  readonly #places = new HashPlaces();
  /** By slot, two numbers each: the size in bytes, and when the group's first cache was created. */
  ranks = new Float64Array(FIRST_CAPACITY * RANK_NUMBERS);
  /** By slot, four words each. */
  signatures = new Int32Array(FIRST_CAPACITY * SIGNATURE_WORDS);
  /** By slot: 1 where the group waits to be put into its lists (waiting-groups.ts). */
  waiting = new Uint8Array(FIRST_CAPACITY);
  /** By slot: 1 where the group's last cache has gone (gone-groups.ts). */
  gone = new Uint8Array(FIRST_CAPACITY);

  /**
   * The order of groups in every list, the one part of the ranking that no pod changes: size, then the age and name of
   * the first cache.
   */
  readonly compare = (a: number, b: number): number =>
    this.ranks[a * RANK_NUMBERS]! - this.ranks[b * RANK_NUMBERS]! || this.compareFirst(a, b);

  /** The order of groups of one size. core/match/pick.ts, compareAge. */
  readonly compareFirst = (a: number, b: number): number => {
    const byAge = this.ranks[b * RANK_NUMBERS + 1]! - this.ranks[a * RANK_NUMBERS + 1]!;
    if (byAge !== 0 || a === b) return byAge;
    const first = this.firstOf(a).name;
    const second = this.firstOf(b).name;
    // One cache may have left several groups, each with other images.
    if (first === second) return a - b;
    return first < second ? -1 : 1;
  };

  get size(): number {
    return this.#groups.length - this.#free.length;
  }

  /** The group of the caches that hold these images in this size. */
  find(images: readonly IndexedImage[], sizeBytes: number): number | undefined {
    const hash = hashOf(images, sizeBytes);
    let place = this.#places.firstOf(hash);
    while (place >= 0 && !this.#isOf(this.#places.entryAt(place), images, sizeBytes))
      place = this.#places.nextOf(hash, place);
    return place < 0 ? undefined : this.#places.entryAt(place);
  }

  /**
   * Adds a group of one cache.
   * @returns the group's slot, until it is removed
   */
  add(cache: IndexedCache): number {
    const { images, sizeBytes } = cache;
    const slot = this.#free.pop() ?? this.#groups.length;
    if (slot * RANK_NUMBERS === this.ranks.length) this.#grow();
    this.#places.add(hashOf(images, sizeBytes), slot);
    this.ranks[slot * RANK_NUMBERS] = sizeBytes;
    for (const { number, inRepository } of images) {
      this.#sign(slot * SIGNATURE_WORDS, number);
      this.#sign(slot * SIGNATURE_WORDS + REPOSITORY_WORDS, inRepository.number);
    }
    this.setCaches(slot, [cache]);
    return slot;
  }

  remove(slot: number): void {
    this.#places.delete(hashOf(this.imagesOf(slot), this.sizeOf(slot)), slot);
    this.#groups[slot] = undefined;
    this.signatures.fill(0, slot * SIGNATURE_WORDS, (slot + 1) * SIGNATURE_WORDS);
    this.#free.push(slot);
  }

  /**
   * While another cache becomes the first, the group must be in no list.
   * @param caches in the order of compareAge, at least one
   */
  setCaches(slot: number, caches: readonly IndexedCache[]): void {
    this.#groups[slot] = fewOf(caches);
    this.ranks[slot * RANK_NUMBERS + 1] = this.firstOf(slot).createdAt;
  }

  sizeOf(slot: number): number {
    return this.ranks[slot * RANK_NUMBERS]!;
  }

  imagesOf(slot: number): readonly IndexedImage[] {
    return this.firstOf(slot).images;
  }

  /** In the order of compareAge. */
  cachesOf(slot: number): readonly IndexedCache[] {
    return itemsOf(this.#groups[slot] ?? []);
  }

  firstOf(slot: number): IndexedCache {
    const first = firstOf(this.#groups[slot] ?? []);
    if (!first) throw new Error(`no group has the slot ${slot}`);
    return first;
  }

  #isOf(slot: number, images: readonly IndexedImage[], sizeBytes: number): boolean {
    return this.sizeOf(slot) === sizeBytes && isSameList(this.imagesOf(slot), images);
  }

  #sign(at: number, number: number): void {
    const { low, high } = signatureBits(number);
    this.signatures[at]! |= low;
    this.signatures[at + 1]! |= high;
  }

  #grow(): void {
    const { ranks, signatures, waiting, gone } = this;
    this.ranks = new Float64Array(ranks.length * 2);
    this.signatures = new Int32Array(signatures.length * 2);
    this.waiting = new Uint8Array(waiting.length * 2);
    this.gone = new Uint8Array(gone.length * 2);
    this.ranks.set(ranks);
    this.signatures.set(signatures);
    this.waiting.set(waiting);
    this.gone.set(gone);
  }
}

/** Two bits in each word, spread by Fibonacci hashing; the same for the same number. */
export function signatureBits(number: number): SignatureBits {
  const hash = Math.imul(number + 1, 0x9e3779b1);
  const bit = (shift: number): number => 1 << ((hash >>> shift) & 31);
  return { low: bit(27) | bit(22), high: bit(17) | bit(12) };
}

function hashOf(images: readonly IndexedImage[], sizeBytes: number): number {
  let hash = Math.imul(sizeBytes / GIB, 0x9e3779b1);
  for (const { number } of images) hash = Math.imul(hash ^ number, 0x01000193) ^ (hash >>> 15);
  return hash;
}
