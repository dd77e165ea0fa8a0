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
import { GIB } from '../core/quantity.ts';
import type { DegreeLevel } from '../core/view.ts';
import { readCandidates, type SharedList } from './candidate-reading.ts';
import { GroupList } from './group-list.ts';
import { GroupTable } from './group-table.ts';
import {
  repositoriesOf,
  type Group,
  type IndexedCache,
  type IndexedImage,
  type IndexedRepository,
} from './group.ts';
import { partitionPoint } from './partition-point.ts';

/** What reading costs is decided here, and no answer. Measured: docs/performance.md. */
export interface ReadingLimits {
  /** Lists up to this length are looked through at once for the best degree in them; longer ones are read in order. */
  readonly short: number;
}

const LIMITS: ReadingLimits = { short: 256 };

export class RankedGroups {
  readonly #table = new GroupTable();
  readonly #slots = new Map<string, number>();
  readonly #images = new Map<string, IndexedImage>();
  readonly #repositories = new Map<string, IndexedRepository>();
  #numbered = 0;
  readonly #limits: ReadingLimits;

  constructor(limits = LIMITS) {
    this.#limits = limits;
  }

  /** @returns the cache as it is kept, its references interned; `delete` wants this one. */
  add(cache: ImageCache): IndexedCache {
    const images = cache.images.map((image) => this.#intern(image));
    const key = groupKey(images, cache.sizeBytes);
    const slot = this.#slots.get(key);
    if (slot === undefined) {
      const kept = { ...cache, images };
      this.#addGroup(key, { images, caches: [kept] }, cache.sizeBytes);
      return kept;
    }
    const { caches, images: shared } = this.#table.groupOf(slot);
    const kept = { ...cache, images: shared };
    const place = placeOf(kept, caches);
    this.#change(slot, place === 0, () => caches.splice(place, 0, kept));
    return kept;
  }

  /** @param kept what `add` returned */
  delete(kept: IndexedCache): void {
    const key = groupKey(kept.images, kept.sizeBytes);
    const slot = this.#slots.get(key);
    if (slot === undefined) throw new Error(`ImageCache ${kept.name} is in no group`);
    const group = this.#table.groupOf(slot);
    const place = placeOf(kept, group.caches);
    if (group.caches.length === 1) this.#removeGroup(key, slot, group);
    else this.#change(slot, place === 0, () => group.caches.splice(place, 1));
  }

  /** See View.usableCandidates. */
  candidates(images: readonly ImageReference[], targetBytes: number): Iterable<DegreeLevel> {
    const byImage: SharedList<IndexedImage>[] = [];
    const byRepository = new Map<string, SharedList<IndexedRepository>>();
    for (const { key, repository: name } of images) {
      const repository = this.#repositories.get(name);
      if (!repository) continue;
      const known = byRepository.get(name);
      if (known) known.weight++;
      else byRepository.set(name, { of: repository, weight: 1, best: undefined });
      const image = this.#images.get(key);
      if (image) byImage.push({ of: image, weight: 1, best: undefined });
    }
    return readCandidates(byImage, [...byRepository.values()], this.#table, targetBytes, this.#limits.short);
  }

  #intern(reference: ImageReference): IndexedImage {
    const known = this.#images.get(reference.key);
    if (known) return known;
    const { repository: name, key, tag } = reference;
    let inRepository = this.#repositories.get(name);
    if (!inRepository) {
      inRepository = { name, number: this.#numbered++, groups: new GroupList(this.#table) };
      this.#repositories.set(name, inRepository);
    }
    const image: IndexedImage = {
      repository: inRepository.name,
      key,
      tag,
      inRepository,
      number: this.#numbered++,
      groups: new GroupList(this.#table),
    };
    this.#images.set(key, image);
    return image;
  }

  #addGroup(key: string, group: Group, sizeBytes: number): void {
    const slot = this.#table.add(group, sizeBytes);
    this.#slots.set(key, slot);
    this.#enlist(slot, group);
  }

  #removeGroup(key: string, slot: number, group: Group): void {
    this.#unlist(slot, group);
    this.#table.remove(slot);
    this.#slots.delete(key);
    for (const image of group.images) if (image.groups.size === 0) this.#images.delete(image.key);
    for (const repository of repositoriesOf(group.images))
      if (repository.groups.size === 0) this.#repositories.delete(repository.name);
  }

  /** @param moves whether the change gives the group another first cache, and so another place in its lists */
  #change(slot: number, moves: boolean, change: () => void): void {
    if (!moves) {
      change();
      return;
    }
    const group = this.#table.groupOf(slot);
    this.#unlist(slot, group);
    change();
    this.#table.noteFirst(slot);
    this.#enlist(slot, group);
  }

  #enlist(slot: number, { images }: Group): void {
    for (const image of images) image.groups.add(slot);
    for (const repository of repositoriesOf(images)) repository.groups.add(slot);
  }

  #unlist(slot: number, { images }: Group): void {
    for (const image of images) image.groups.delete(slot);
    for (const repository of repositoriesOf(images)) repository.groups.delete(slot);
  }
}

/** Where in a group a cache is, or belongs. */
function placeOf(cache: ImageCache, caches: readonly ImageCache[]): number {
  return partitionPoint(caches.length, (at) => compareAge(caches[at]!, cache) < 0);
}

/** Same images in the same size, same group. */
function groupKey(images: readonly IndexedImage[], sizeBytes: number): string {
  return `${sizeBytes / GIB} ${images.map(({ number }) => number.toString(36)).join(' ')}`;
}
