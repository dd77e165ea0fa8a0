/**
 * Owns the inverted index: image → groups of caches, and repository → groups, over interned references.
 *
 *   image       ─┐
 *                ├─► list of groups by (size, age and name of the first cache) ─► the group's caches by (age, name)
 *   repository  ─┘
 *
 * A change costs what the cache's images cost, a logarithm aside. How candidates are read: candidate-reading.ts.
 */
import type { ImageCache } from '../core/image-cache.ts';
import type { ImageReference } from '../core/image/reference.ts';
import { compareAge } from '../core/match/pick.ts';
import type { DegreeLevel } from '../core/view.ts';
import { readCandidates, type SharedList } from './candidate-reading.ts';
import { GoneGroups } from './gone-groups.ts';
import { GroupList } from './group-list.ts';
import { GroupTable } from './group-table.ts';
import {
  forEachListed,
  repositoriesOf,
  type IndexedCache,
  type IndexedImage,
  type IndexedRepository,
} from './group.ts';
import { partitionPoint } from './partition-point.ts';
import { TextTable } from './text-table.ts';
import { WaitingGroups } from './waiting-groups.ts';

/** What things cost is decided here, and no answer. Measured: docs/performance.md. */
export interface IndexLimits {
  /** Lists up to this length are looked through at once for the best degree in them; longer ones are read in order. */
  readonly short: number;
  /** How many groups may wait: so many that most indexes are filled at once, and so few that nobody waits a second. */
  readonly waiting: number;
  /** How many groups may stay without a cache: readers pass over them. */
  readonly gone: number;
}

const LIMITS: IndexLimits = { short: 256, waiting: 2 ** 17, gone: 512 };

export class RankedGroups {
  readonly #table = new GroupTable();
  readonly #images = new TextTable<IndexedImage>();
  readonly #repositories = new TextTable<IndexedRepository>();
  readonly #waiting: WaitingGroups;
  readonly #gone: GoneGroups;
  #numbered = 0;
  readonly #limits: IndexLimits;

  constructor(limits: Partial<IndexLimits> = {}) {
    this.#limits = { ...LIMITS, ...limits };
    this.#waiting = new WaitingGroups(this.#table, this.#limits.waiting);
    this.#gone = new GoneGroups(this.#table, this.#limits.gone, (slot) => this.#removeGroup(slot));
  }

  /** @returns the cache as it is kept, its references interned; `delete` wants this one. */
  add(cache: ImageCache): IndexedCache {
    const images = this.#allInterned(cache.images);
    const slot = this.#table.find(images, cache.sizeBytes);
    if (slot === undefined) {
      const kept = { ...cache, images };
      this.#waiting.add(this.#table.add(kept), kept);
      return kept;
    }
    const kept = { ...cache, images: this.#table.imagesOf(slot) };
    const caches = this.#table.cachesOf(slot);
    if (this.#gone.has(slot)) {
      if (compareAge(caches[0]!, kept) !== 0) {
        this.#gone.remove(slot);
        return this.add(cache);
      }
      this.#gone.revive(slot);
      this.#table.setCaches(slot, [kept]);
      return kept;
    }
    const place = orderIn(caches, kept);
    this.#change(slot, caches.toSpliced(place, 0, kept), place === 0);
    return kept;
  }

  /** @param kept what `add` returned */
  delete(kept: IndexedCache): void {
    const slot = this.#table.find(kept.images, kept.sizeBytes);
    if (slot === undefined) throw new Error(`ImageCache ${kept.name} is in no group`);
    const caches = this.#table.cachesOf(slot);
    const place = orderIn(caches, kept);
    if (caches.length === 1) this.#gone.add(slot);
    else this.#change(slot, caches.toSpliced(place, 1), place === 0);
  }

  /** Does what the next reader would have to do first. */
  settle(): void {
    this.#waiting.settle();
  }

  /** See View.usableCandidates. */
  candidates(images: readonly ImageReference[], targetBytes: number): Iterable<DegreeLevel> {
    this.settle();
    const byImage: SharedList<IndexedImage>[] = [];
    const byRepository = new Map<IndexedRepository, SharedList<IndexedRepository>>();
    for (const reference of images) {
      const repository = this.#repositoryOf(reference);
      if (!repository) continue;
      const known = byRepository.get(repository);
      if (known) known.weight++;
      else byRepository.set(repository, { of: repository, weight: 1, best: undefined });
      const image = this.#imageOf(reference);
      if (image) byImage.push({ of: image, weight: 1, best: undefined });
    }
    return readCandidates(byImage, [...byRepository.values()], this.#table, targetBytes, this.#limits.short);
  }

  #imageOf({ key, keyHash }: ImageReference): IndexedImage | undefined {
    return this.#images.get(key, keyHash);
  }

  #repositoryOf({ repository, repositoryHash }: ImageReference): IndexedRepository | undefined {
    return this.#repositories.get(repository, repositoryHash);
  }

  #allInterned(references: readonly ImageReference[]): IndexedImage[] {
    // oxlint-disable-next-line unicorn/no-new-array -- `map` makes another kind of array once it is compiled well, and all that reads them would be compiled anew
    const images = new Array<IndexedImage>(references.length);
    for (let i = 0; i < images.length; i++) images[i] = this.#interned(references[i]!);
    return images;
  }

  #interned(reference: ImageReference): IndexedImage {
    return this.#imageOf(reference) ?? this.#addImage(reference);
  }

  #addImage(reference: ImageReference): IndexedImage {
    const { key, keyHash, tag, repositoryHash } = reference;
    const inRepository = this.#repositoryOf(reference) ?? this.#addRepository(reference);
    // What every change looks at comes first, to be one line of a processor's cache.
    const image: IndexedImage = {
      inRepository,
      number: this.#numbered++,
      awaitedAt: undefined,
      groups: new GroupList(this.#table),
      repository: inRepository.key,
      repositoryHash,
      key,
      keyHash,
      tag,
    };
    this.#images.add(key, image, keyHash);
    return image;
  }

  #addRepository({ repository: key, repositoryHash: keyHash }: ImageReference): IndexedRepository {
    const repository: IndexedRepository = {
      number: this.#numbered++,
      awaitedAt: undefined,
      groups: new GroupList(this.#table),
      key,
      keyHash,
    };
    this.#repositories.add(key, repository, keyHash);
    return repository;
  }

  #removeGroup(slot: number): void {
    const last = this.#table.firstOf(slot);
    // An image is known to be in no group any more by its list.
    this.settle();
    forEachListed(last, ({ groups }) => groups.delete(slot));
    this.#table.remove(slot);
    for (const image of last.images)
      if (image.groups.size === 0) this.#images.delete(image.key, image.keyHash);
    for (const repository of repositoriesOf(last.images))
      if (repository.groups.size === 0) this.#repositories.delete(repository.key, repository.keyHash);
  }

  /** @param moves whether the group gets another first cache, and so another place in its lists */
  #change(slot: number, caches: readonly IndexedCache[], moves: boolean): void {
    const moving = moves && !this.#waiting.has(slot);
    if (moving) forEachListed(this.#table.firstOf(slot), ({ groups }) => groups.delete(slot));
    this.#table.setCaches(slot, caches);
    if (moving) this.#waiting.add(slot, this.#table.firstOf(slot));
  }
}

/** Where in a group a cache is, or belongs. */
function orderIn(caches: readonly ImageCache[], cache: ImageCache): number {
  return partitionPoint(caches.length, (at) => compareAge(caches[at]!, cache) < 0);
}
