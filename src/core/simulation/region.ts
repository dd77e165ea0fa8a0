/**
 * The image caches of a simulated region: those of ImageCache objects, those made through the API, and those that ECI makes
 * by itself. Says which cache a pod starts from. Time comes in from outside (docs/region.md).
 */
import { READY, UPDATING } from '../image-cache.ts';
import { sha256Hex } from '../image/sha256.ts';
import { partOf, textsIn, type JsonObject } from '../kubernetes/json.ts';
import { formatTime } from '../kubernetes/time.ts';
import { AUTOMATIC, AutomaticCaches, type AutomaticCache } from './automatic-caches.ts';
import { nextState, type LifeOptions } from './cache-life.ts';
import { fullReference, matchesOf, type Question } from './matching.ts';
import { idOf, readCache, type RegionCache } from './region-cache.ts';

/** What a pod asks of ECI, from its annotations as they are once it has been admitted. */
export interface Start {
  readonly name: string;
  readonly uid: string;
  readonly images: readonly string[];
  /** The ID that was written; undefined: none. */
  readonly pin: string | undefined;
  /** Whether ECI matches by itself, and makes a cache if none is complete. */
  readonly auto: boolean;
  readonly perfect: boolean;
  readonly count: number | null;
  readonly storageGiB: number;
  /** Storage beyond what each instance has, of which an automatic cache gets as much. */
  readonly extraGiB: number;
  readonly architecture: string;
  readonly system: string;
}

export interface Started {
  /** The cache that the pod starts from; undefined: none. */
  readonly cache: RegionCache | undefined;
  /** The reasons of the Events that ECI puts on the pod, with their messages, in order. */
  readonly events: readonly { readonly reason: string; readonly message: string }[];
  /** Whether the pod runs: ECI does not run a pod whose ID it cannot use. */
  readonly runs: boolean;
  /** The images that the cache holds, as the pod writes them. */
  readonly present: ReadonlySet<string>;
}

export interface Quotas {
  readonly manual: number;
  readonly automatic: number;
}

/** The quotas in the example of the vendor's API. */
export const DEFAULT_QUOTAS: Quotas = { manual: 500, automatic: AUTOMATIC.quota };

/** A cache without an ImageCache object in the cluster, kept in the form of such an object, which cache-life.ts knows. */
interface Made extends AutomaticCache {
  readonly id: string;
  object: JsonObject;
  isLru: boolean;
}

export class Region {
  readonly #life: LifeOptions;
  readonly #quotas: Quotas;
  #objects: readonly JsonObject[] = [];
  /** By ID; never more than the quota. */
  readonly #manual = new Map<string, Made>();
  readonly #automatic: AutomaticCaches<Made>;
  /** By ID, of caches with an object: when an update was asked for that the object does not show yet. */
  readonly #updates = new Map<string, number>();
  /** By ID, how many snapshots a cache has, if that is more than one. */
  readonly #copies = new Map<string, number>();
  /** By ID, of caches that exist. */
  readonly #lastMatched = new Map<string, number>();
  /** The bytes of images, by their full reference. */
  #sizes: Readonly<Record<string, number>> = {};
  #made = 0;

  constructor(life: LifeOptions, quotas: Quotas = DEFAULT_QUOTAS) {
    this.#life = life;
    this.#quotas = quotas;
    this.#automatic = new AutomaticCaches(quotas.automatic);
  }

  /**
   * What the cluster has: its ImageCache objects, of which those with an ID are caches of the region, and the images that
   * its nodes know the sizes of.
   */
  setCluster(objects: readonly JsonObject[], sizes: Readonly<Record<string, number>>): void {
    this.#objects = objects;
    this.#sizes = Object.fromEntries(
      Object.entries(sizes).map(([image, bytes]) => [fullReference(image), bytes]),
    );
  }

  /** Lets time pass for the caches that have no object. */
  advance(now: number): void {
    for (const made of [...this.#manual.values(), ...this.#automatic.all]) {
      const next = nextState(made.object, this.#life, now);
      if (next?.kind === 'status') made.object = { ...made.object, status: next.status };
      if (next?.kind !== 'expired') continue;
      this.#manual.delete(made.id);
      this.#automatic.remove(made);
    }
    this.#automatic.letExpire(now);
    const existing = new Set(this.caches().map(({ id }) => id));
    for (const facts of [this.#lastMatched, this.#updates, this.#copies])
      for (const id of facts.keys()) if (!existing.has(id)) facts.delete(id);
  }

  /** All caches, the newest first. */
  caches(): RegionCache[] {
    const ofObjects = this.#objects.map((object) => this.#read(object, 'object', false));
    const manual = [...this.#manual.values()].map(({ object, isLru }) => this.#read(object, 'api', isLru));
    const automatic = this.#automatic.all.map(({ object }) => this.#read(object, 'eci', true));
    return [...ofObjects, ...manual, ...automatic]
      .filter(({ id }) => id !== '')
      .toSorted((a, b) => b.created - a.created || (a.id < b.id ? -1 : 1));
  }

  /** The caches that match, the best first: those that are Ready. */
  match(question: Omit<Question, 'sizes'>): RegionCache[] {
    const ready = this.caches().filter(({ phase }) => phase === READY);
    return matchesOf(ready, { ...question, sizes: this.#sizes });
  }

  /** The bytes of an image; undefined if no node of the cluster knows them. */
  bytesOf(image: string): number | undefined {
    return this.#sizes[fullReference(image)];
  }

  usage(): { readonly used: Quotas; readonly most: Quotas } {
    const automatic = this.#automatic.all.length;
    return { used: { manual: this.#countManual(), automatic }, most: this.#quotas };
  }

  #countManual(): number {
    return this.#manual.size + this.#objects.filter((each) => idOf(each) !== '').length;
  }

  /**
   * Makes a manual cache. At the quota, the manual cache with `LRU` goes that was matched the longest ago.
   * @param object an ImageCache without status
   * @returns its ID; undefined if the quota leaves no room
   */
  create(object: JsonObject, isLru: boolean, now: number): string | undefined {
    if (this.#countManual() >= this.#quotas.manual && !this.#evict()) return undefined;
    const made = this.#begin(object, isLru, now);
    this.#manual.set(made.id, made);
    return made.id;
  }

  /**
   * Makes a cache anew, with the same ID; one with an object from what the object says.
   * @param copies how many snapshots it has then; undefined: as many as before
   */
  update(
    id: string,
    changes: JsonObject,
    copies: number | undefined,
    now: number,
  ): 'done' | 'unknown' | 'not done yet' {
    const phase = this.caches().find((cache) => cache.id === id)?.phase;
    if (phase === undefined) return 'unknown';
    if (phase !== READY && phase !== 'UpdateFailed') return 'not done yet';
    if (copies !== undefined) this.#copies.set(id, copies);
    const made = this.#manual.get(id);
    if (!made) {
      this.#updates.set(id, now);
      return 'done';
    }
    const spec = { ...partOf(made.object, 'spec'), ...changes };
    made.object = { ...made.object, spec, status: updating(id, now) };
    return 'done';
  }

  /** The status that the object of a cache should get because of an update; undefined if it shows it already. */
  takeUpdate(object: JsonObject): JsonObject | undefined {
    const id = idOf(object);
    const at = this.#updates.get(id);
    this.#updates.delete(id);
    return at === undefined ? undefined : { ...partOf(object, 'status'), ...updating(id, at) };
  }

  /** How many snapshots a cache has. */
  copiesOf(id: string): number {
    return this.#copies.get(id) ?? 1;
  }

  /** @returns whether the cache exists and has no ImageCache object, whose deletion deletes it */
  delete(id: string): boolean {
    const automatic = this.#automatic.all.find((each) => each.id === id);
    if (automatic) this.#automatic.remove(automatic);
    return this.#manual.delete(id) || automatic !== undefined;
  }

  /** What ECI does with a pod that it starts. */
  start(asked: Start, now: number): Started {
    if (asked.pin !== undefined) return this.#startPinned(asked, asked.pin, now);
    if (!asked.auto) return { cache: undefined, events: [], runs: true, present: new Set() };
    const fitting = this.match({ ...asked, minimumMatch: 'image' }).find(
      ({ sizeGiB, expires, architecture, system }) =>
        sizeGiB <= asked.storageGiB &&
        (expires ?? Infinity) > now &&
        architecture === asked.architecture &&
        system === asked.system,
    );
    const present = presentIn(fitting, asked.images);
    const events = fitting ? [hitOf(fitting)] : [MISSED];
    if (fitting) this.#use(fitting, now);
    if (present.size < new Set(asked.images).size) events.push(...this.#makeFor(asked, now));
    return { cache: fitting, events, runs: true, present };
  }

  #startPinned(asked: Start, id: string, now: number): Started {
    const cache = this.caches().find((each) => each.id === id);
    if (cache?.phase === READY) {
      this.#use(cache, now);
      return { cache, events: [hitOf(cache)], runs: true, present: presentIn(cache, asked.images) };
    }
    const reason = cache ? 'ImageCacheNotComplete' : 'ImageCacheNotFound';
    const message = cache ? `image cache ${id} is ${cache.phase}` : `image cache ${id} does not exist`;
    return { cache: undefined, events: [{ reason, message }], runs: false, present: new Set() };
  }

  #use({ id }: RegionCache, now: number): void {
    this.#lastMatched.set(id, now);
    const automatic = this.#automatic.all.find((each) => each.id === id);
    if (automatic) this.#automatic.use(automatic, now);
  }

  /** ECI makes an automatic cache, unless it has one of these images already. */
  #makeFor(asked: Start, now: number): Started['events'] {
    const wanted = new Set(asked.images.map(fullReference));
    const isMade = this.#automatic.all.some(({ object }) => {
      const held = new Set(textsIn(partOf(object, 'spec')['images']).map(fullReference));
      return [...wanted].every((image) => held.has(image));
    });
    if (isMade || this.#quotas.automatic === 0) return [];
    const object = {
      metadata: { name: `${AUTOMATIC.namePrefix}${instanceIdOf(asked)}` },
      spec: { images: [...new Set(asked.images)], imageCacheSize: AUTOMATIC.gib + asked.extraGiB },
    };
    const made = this.#begin(object, true, now);
    this.#automatic.add(made);
    return [
      { reason: 'ImageCacheAutoCreated', message: `image cache ${made.id} is being made for this pod` },
    ];
  }

  #begin(object: JsonObject, isLru: boolean, now: number): Made {
    this.#made += 1;
    const metadata = {
      ...partOf(object, 'metadata'),
      uid: `made-${this.#made}`,
      creationTimestamp: formatTime(now),
    };
    const next = nextState({ ...object, metadata }, this.#life, now);
    const status = next?.kind === 'status' ? next.status : {};
    const id = idOf({ status });
    return { id, object: { ...object, metadata, status }, isLru, readyAtMs: now, usedAtMs: undefined };
  }

  /** @returns whether a cache went */
  #evict(): boolean {
    const [oldest] = [...this.#manual.values()]
      .filter(({ isLru }) => isLru)
      .toSorted((a, b) => (this.#lastMatched.get(a.id) ?? 0) - (this.#lastMatched.get(b.id) ?? 0));
    return oldest !== undefined && this.#manual.delete(oldest.id);
  }

  #read(object: JsonObject, madeBy: RegionCache['madeBy'], isLru: boolean): RegionCache {
    const id = idOf(object);
    const read = { ...readCache(object), id, madeBy, isLru, lastMatched: this.#lastMatched.get(id) };
    return this.#updates.has(id) ? { ...read, phase: UPDATING } : read;
  }
}

/** The ID of the ECI instance that runs a pod. */
export function instanceIdOf({ uid, name }: Pick<Start, 'uid' | 'name'>): string {
  return `eci-${sha256Hex(`${name} ${uid}`).slice(0, 20)}`;
}

function updating(id: string, now: number): JsonObject {
  return { imageCacheId: id, phase: UPDATING, progress: '0%', startTime: formatTime(now) };
}

const MISSED = { reason: 'ImageCacheMissed', message: 'no image cache matches' };

function hitOf({ id }: RegionCache): Started['events'][number] {
  return { reason: 'SuccessfulHitImageCache', message: `image cache ${id} is used` };
}

function presentIn(cache: RegionCache | undefined, images: readonly string[]): Set<string> {
  const held = new Set(cache?.images.map(fullReference));
  return new Set(images.filter((image) => held.has(fullReference(image))));
}
