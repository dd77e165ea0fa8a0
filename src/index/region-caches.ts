/**
 * Joins what ECI's API says of the region's caches with the ImageCache objects of the cluster: the same cache is one, and is
 * Ready only if both say so. What the API alone knows gets a name of its own in the index (docs/region.md).
 */
import type { ImageCache } from '../core/image-cache.ts';
import type { ImageCacheIndex } from './image-cache-index.ts';

/** A cache as ECI's API describes it. */
export interface RegionEntry {
  /** As if the API alone knew it. */
  readonly cache: ImageCache & { readonly id: string };
  /** When a pod last started from it, in milliseconds since 1970; undefined: never, or not known. */
  readonly lastMatchedAtMs: number | undefined;
  /** Whether ECI made it by itself. */
  readonly isAutomatic: boolean;
}

/** The name in the index of a cache that the API alone knows: no ImageCache object can have it. */
export function nameInRegion(id: string): string {
  return `region/${id}`;
}

export class RegionCaches {
  readonly #index: ImageCacheIndex;
  /** By ID; the source says how many there may be. */
  #entries: ReadonlyMap<string, RegionEntry> = new Map();
  /** By ID, of caches whose object has gone: how many lists had begun by then. As many as entries, at most. */
  readonly #left = new Map<string, number>();
  #lists = 0;

  constructor(index: ImageCacheIndex) {
    this.#index = index;
  }

  get(id: string): RegionEntry | undefined {
    return this.#entries.get(id);
  }

  all(): Iterable<RegionEntry> {
    return this.#entries.values();
  }

  /** Call it before the API is asked for a list. @returns the number of the list, for `reset` */
  begin(): number {
    this.#lists += 1;
    return this.#lists;
  }

  /**
   * Takes the API's whole list in place of the one before; an empty one if it is too old to be trusted.
   * @param list its number; undefined if no list was asked for
   */
  reset(entries: readonly RegionEntry[], list?: number): void {
    const before = this.#entries;
    this.#entries = new Map(entries.map((entry) => [entry.cache.id, entry]));
    for (const [id, begun] of this.#left)
      if (!this.#entries.has(id) || (list !== undefined && begun < list)) this.#left.delete(id);
    for (const id of new Set([...before.keys(), ...this.#entries.keys()])) this.#settle(id);
  }

  /** Adds the cache of an ImageCache object, or replaces the one of the same name. @returns whether anything changed */
  applyObject(cache: ImageCache): boolean {
    const before = this.#index.get(cache.name);
    const hasChanged = this.#index.apply(this.#joined(cache));
    if (cache.id !== undefined && this.#entries.has(cache.id)) this.#index.delete(nameInRegion(cache.id));
    this.#objectIsGone(before?.id === cache.id ? undefined : before?.id);
    return hasChanged;
  }

  deleteObject(name: string): boolean {
    const before = this.#index.get(name);
    const wasThere = this.#index.delete(name);
    this.#objectIsGone(before?.id);
    return wasThere;
  }

  /** A list that began before may still have a cache that goes with its object. */
  #objectIsGone(id: string | undefined): void {
    if (id === undefined || !this.#entries.has(id)) return;
    this.#left.set(id, this.#lists);
    this.#settle(id);
  }

  /** Brings the index in line for one ID: its objects, or the API's entry if it has none. */
  #settle(id: string): void {
    const ofObjects = this.#index.claimants(id).filter(({ knownFrom }) => knownFrom !== 'api');
    const entry = this.#entries.get(id);
    for (const cache of ofObjects) this.#index.apply(this.#joined(cache));
    const mayVanish = entry?.cache.mayVanish === true || this.#left.has(id);
    if (ofObjects.length === 0 && entry) this.#index.apply({ ...entry.cache, mayVanish });
    else this.#index.delete(nameInRegion(id));
  }

  #joined(cache: ImageCache): ImageCache {
    const entry = cache.id === undefined ? undefined : this.#entries.get(cache.id);
    if (!entry && this.#entries.size === 0 && cache.knownFrom === 'object') return cache;
    return {
      ...cache,
      knownFrom: entry ? 'both' : 'object',
      apiPhase: entry?.cache.phase,
      mayVanish: entry?.cache.mayVanish ?? false,
    };
  }
}
