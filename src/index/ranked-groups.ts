/**
 * Owns the inverted index: image → groups of caches, and repository → groups, over interned references.
 *
 *   image       ─┐
 *                ├─► OrderedList<Group> by (size, age and name of the first cache) ─► OrderedList<ImageCache> by (age, name)
 *   repository  ─┘
 *
 * A change costs what the cache's images cost, a logarithm aside. How candidates are read: candidate-reading.ts.
 */
import type { ImageCache } from '../core/image-cache.ts';
import type { ImageReference } from '../core/image/reference.ts';
import { compareAge } from '../core/match/pick.ts';
import { wantedImages } from '../core/match/score.ts';
import type { DegreeLevel } from '../core/view.ts';
import { readCandidates, type SharedLists } from './candidate-reading.ts';
import { compareInList, groupKey, type Group, type GroupList } from './group.ts';
import { OrderedList } from './ordered-list.ts';

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
  candidates(images: readonly ImageReference[], targetBytes: number): Iterable<DegreeLevel> {
    const wanted = wantedImages(images);
    const byImage = this.#splitLists(this.#byImage, wanted.keys);
    const byRepository = this.#splitLists(this.#byRepository, wanted.perRepository.keys());
    return readCandidates(wanted, byImage, byRepository, targetBytes);
  }

  /** The lists of these keys, the shortest first: those to read whole, and those to read as far as it takes. */
  #splitLists(lists: ReadonlyMap<string, GroupList>, keys: Iterable<string>): SharedLists {
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

function enlist(lists: Map<string, GroupList>, key: string, group: Group): void {
  const list = lists.get(key) ?? new OrderedList(compareInList);
  list.add(group);
  lists.set(key, list);
}
