/**
 * Owns the ImageCaches in memory: by name, by ID, and by image (ranked-groups.ts), kept up to date per event. A change
 * costs what that cache's images cost, whatever the index holds.
 */
import { isUsable, type ImageCache } from '../core/image-cache.ts';
import type { ImageReference } from '../core/image/reference.ts';
import type { Reach } from '../core/match/reach.ts';
import type { DegreeLevel } from '../core/view.ts';
import type { IndexedCache } from './group.ts';
import { RankedGroups, type IndexLimits } from './ranked-groups.ts';
import { RecentChanges } from './recent-changes.ts';
import { TextTable } from './text-table.ts';

export class ImageCacheIndex {
  readonly #byName = new TextTable<IndexedCache>();
  readonly #byId = new TextTable<ImageCache>();
  /** More than one object may claim an ID; the first by name has it, so that every replica agrees. Here are the others. */
  readonly #otherClaimants = new Map<string, readonly ImageCache[]>();
  readonly #usable: RankedGroups;
  readonly #unusable: RankedGroups;
  readonly #changes = new RecentChanges();
  readonly #countByPhase = new Map<string, number>();

  constructor(limits?: Partial<IndexLimits>) {
    this.#usable = new RankedGroups(limits);
    this.#unusable = new RankedGroups(limits);
  }

  /** How often what is in here has become something else. */
  get changes(): number {
    return this.#changes.count;
  }

  get size(): number {
    return this.#byName.size;
  }

  /** How many caches are in each phase; for metrics. */
  get countByPhase(): ReadonlyMap<string, number> {
    return this.#countByPhase;
  }

  /** See View.cachesChanged. */
  changed(since: number, reach: Reach): boolean {
    return this.#changes.isWithinReach(since, reach);
  }

  byId(id: string): ImageCache | undefined {
    return this.#byId.get(id);
  }

  usableCandidates(images: readonly ImageReference[], targetBytes: number): Iterable<DegreeLevel> {
    return this.#usable.candidates(images, targetBytes);
  }

  unusableCandidates(images: readonly ImageReference[], targetBytes: number): Iterable<DegreeLevel> {
    return this.#unusable.candidates(images, targetBytes);
  }

  /** Readies everything for the next reader, who would otherwise wait for it. */
  settle(): void {
    this.#usable.settle();
    this.#unusable.settle();
    this.#changes.settle();
  }

  /** Adds a cache, or puts it in the place of the one with its name. @returns whether anything changed */
  apply(cache: ImageCache): boolean {
    const before = this.#byName.get(cache.name);
    if (before && isSame(before, cache)) return false;
    if (before) this.delete(cache.name);
    const kept = this.#groupsOf(cache).add(cache);
    this.#changes.add(kept);
    this.#byName.add(kept.name, kept);
    this.#count(kept, 1);
    if (kept.id !== undefined) this.#claim(kept.id, kept);
    return true;
  }

  /** @returns whether there was such a cache */
  delete(name: string): boolean {
    const cache = this.#byName.get(name);
    if (!cache) return false;
    this.#byName.delete(name);
    this.#changes.add(cache);
    this.#groupsOf(cache).delete(cache);
    this.#count(cache, -1);
    if (cache.id !== undefined) this.#disclaim(cache.id, cache);
    return true;
  }

  /** Makes the index hold these caches and no others; those that stay as they are, are not touched. */
  reset(caches: Iterable<ImageCache>): void {
    const gone = new Set(Array.from(this.#byName, ({ name }) => name));
    for (const cache of caches) {
      gone.delete(cache.name);
      this.apply(cache);
    }
    for (const name of gone) this.delete(name);
  }

  #claim(id: string, cache: ImageCache): void {
    const first = this.#byId.get(id);
    if (first) this.#setClaimants(id, [first, ...(this.#otherClaimants.get(id) ?? []), cache]);
    else this.#byId.add(id, cache);
  }

  #disclaim(id: string, cache: ImageCache): void {
    const others = this.#otherClaimants.get(id) ?? [];
    const first = this.#byId.get(id);
    this.#setClaimants(
      id,
      [...(first ? [first] : []), ...others].filter((each) => each !== cache),
    );
  }

  #setClaimants(id: string, claimants: readonly ImageCache[]): void {
    const [first, ...others] = claimants.toSorted((a, b) => (a.name < b.name ? -1 : 1));
    if (this.#byId.get(id)) this.#byId.delete(id);
    if (first) this.#byId.add(id, first);
    if (others.length > 0) this.#otherClaimants.set(id, others);
    else this.#otherClaimants.delete(id);
  }

  #groupsOf(cache: ImageCache): RankedGroups {
    return isUsable(cache) ? this.#usable : this.#unusable;
  }

  #count({ phase }: ImageCache, by: number): void {
    const count = (this.#countByPhase.get(phase) ?? 0) + by;
    if (count > 0) this.#countByPhase.set(phase, count);
    else this.#countByPhase.delete(phase);
  }
}

/** The fields whose change is a change; the type keeps the list complete. */
const PLAIN_FIELDS = Object.keys({
  name: true,
  id: true,
  sizeBytes: true,
  phase: true,
  progress: true,
  createdAt: true,
  expiresAt: true,
  deleting: true,
  region: true,
} satisfies Record<Exclude<keyof ImageCache, 'images'>, true>);

function isSame(a: ImageCache, b: ImageCache): boolean {
  return (
    PLAIN_FIELDS.every((field) => Reflect.get(a, field) === Reflect.get(b, field)) &&
    a.images.length === b.images.length &&
    a.images.every((image, i) => image.key === b.images[i]?.key)
  );
}
