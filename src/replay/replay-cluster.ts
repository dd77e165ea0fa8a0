/** The cluster of a replay: its pods and ImageCaches in memory, and ECI as it makes the ImageCaches. */
import type { Clock } from '../clock.ts';
import type { Cluster, Written } from '../controller/cluster.ts';
import type { OwnCache } from '../core/controller/own-cache.ts';
import type { ImageCache } from '../core/image-cache.ts';
import { Uses, type UsageById } from '../core/controller/uses.ts';
import { Lives } from '../core/controller/lives.ts';
import type { WatchedPod } from '../core/controller/watched-pod.ts';
import type { WatchedWorkload } from '../core/controller/watched-workload.ts';
import { readLives, type PodLives } from '../core/decision/pod-life.ts';
import { partOf, type JsonObject } from '../core/kubernetes/json.ts';
import { objectName, withAnnotations } from '../core/kubernetes/object.ts';
import { formatTime, parseTime } from '../core/kubernetes/time.ts';
import { creationTimeOf, nextState, type LifeOptions } from '../core/simulation/cache-life.ts';
import type { ClusterIndex } from '../index/cluster-index.ts';
import { readImageCache } from '../sources/kinds/image-cache.ts';
import { readManifest } from '../sources/kinds/manifest.ts';
import { readOwnCache } from '../sources/kinds/own-cache.ts';

export interface ReplayClusterEvents {
  /** The controller has something to do. */
  readonly onChange: () => void;
  readonly onGone: (cache: ImageCache) => void;
}

/** An ImageCache as an object, as the controller sees it, and as pods see it. */
interface StandingCache {
  readonly object: JsonObject;
  readonly own: OwnCache;
  readonly cache: ImageCache;
}

export class ReplayCluster implements Cluster {
  readonly #index: ClusterIndex;
  readonly #clock: Clock;
  readonly #life: LifeOptions;
  readonly #events: ReplayClusterEvents;
  readonly #pods = new Map<string, WatchedPod>();
  readonly #caches = new Map<string, StandingCache>();
  readonly #workloads = new Map<string, WatchedWorkload>();
  readonly #uses = new Uses();
  readonly #lives = new Lives();
  #written = 0;

  constructor(index: ClusterIndex, clock: Clock, life: LifeOptions, events: ReplayClusterEvents) {
    this.#index = index;
    this.#clock = clock;
    this.#life = life;
    this.#events = events;
  }

  /** Adds a pod on a node, or replaces the pod of this name. */
  setPod(name: string, watched: WatchedPod): void {
    if (!this.#pods.has(name)) this.#uses.add(watched);
    this.#pods.set(name, watched);
  }

  /**
   * Ends a pod, or follows it no longer.
   * @param milliseconds that it has lived
   */
  deletePod(name: string, milliseconds: number, hasEnded: boolean): void {
    const watched = this.#pods.get(name);
    this.#pods.delete(name);
    if (watched) this.#lives.add(watched, milliseconds, hasEnded, this.#clock.now());
  }

  lives(now: number, published: PodLives): PodLives {
    return this.#lives.expected(this.#pods.values(), published, now);
  }

  /** No pod of a replay waits. */
  patchPod(): Promise<Written> {
    return Promise.resolve('outdated');
  }

  publishLives(lives: string): Promise<Written> {
    this.#index.lives.set(readLives(lives));
    return Promise.resolve('done');
  }

  pods(): Iterable<WatchedPod> {
    return this.#pods.values();
  }

  takeUses(): UsageById {
    return this.#uses.take();
  }

  /** In a replay no tag moves: a new version has a new tag. */
  moved(): readonly string[] {
    return [];
  }

  ownCaches(): readonly OwnCache[] {
    return Array.from(this.#caches.values(), ({ own }) => own);
  }

  /** As pods see them. */
  imageCaches(): readonly ImageCache[] {
    return Array.from(this.#caches.values(), ({ cache }) => cache);
  }

  /** Changes the template of a workload. */
  setWorkload(name: string, workload: WatchedWorkload): void {
    this.#workloads.set(name, workload);
    this.#events.onChange();
  }

  workloads(): Iterable<WatchedWorkload> {
    return this.#workloads.values();
  }

  pullSecretsOf(): [] {
    return [];
  }

  confirmedAtMs(): number {
    return this.#clock.now();
  }

  create(object: JsonObject): Promise<Written> {
    const metadata = partOf(object, 'metadata');
    const name = objectName(object);
    if (this.#caches.has(name)) return Promise.resolve('outdated');
    const uid = `${name} ${++this.#written}`;
    this.#set(name, {
      ...object,
      metadata: { ...metadata, uid, creationTimestamp: formatTime(this.#clock.now()) },
    });
    this.#report(name, uid);
    // Nothing follows from how far a cache is before it is made.
    this.#clock.after(creationTimeOf(object, this.#life), () => this.#report(name, uid));
    return Promise.resolve('done');
  }

  annotate(cache: OwnCache, changes: Readonly<Record<string, string | null>>): Promise<Written> {
    const object = this.#current(cache);
    if (!object) return Promise.resolve('outdated');
    this.#set(cache.name, withAnnotations(object, changes));
    return Promise.resolve('done');
  }

  delete(cache: OwnCache): Promise<Written> {
    if (!this.#current(cache)) return Promise.resolve('outdated');
    this.#remove(cache);
    return Promise.resolve('done');
  }

  /** A replay shows what happened in figures. */
  recordEvent(): void {
    // Nothing to do.
  }

  #current({ name, uid, resourceVersion }: OwnCache): JsonObject | undefined {
    const known = this.#caches.get(name);
    const isCurrent = known?.own.uid === uid && known.own.resourceVersion === resourceVersion;
    return isCurrent ? known.object : undefined;
  }

  /** Lets ECI say how far a cache is, unless it is gone. */
  #report(name: string, uid: string): void {
    const known = this.#caches.get(name);
    if (known?.own.uid !== uid) return;
    const { object, own } = known;
    const now = this.#clock.now();
    const next = nextState(object, this.#life, now);
    if (!next) return;
    if (next.kind === 'expired') this.#remove(own);
    else {
      this.#set(name, { ...object, status: next.status });
      const expiresAtMs = parseTime(next.status['expireDateTime']);
      if (expiresAtMs !== undefined) this.#clock.after(expiresAtMs - now, () => this.#report(name, uid));
    }
  }

  #set(name: string, object: JsonObject): void {
    const metadata = { ...partOf(object, 'metadata'), resourceVersion: `${++this.#written}` };
    const manifest = readManifest({ ...object, metadata });
    const cache = readImageCache(manifest);
    this.#caches.set(name, { object: manifest.object, own: readOwnCache(manifest), cache });
    if (this.#index.imageCaches.apply(cache)) this.#events.onChange();
  }

  #remove({ name }: OwnCache): void {
    const known = this.#caches.get(name);
    this.#caches.delete(name);
    this.#index.imageCaches.delete(name);
    if (known) this.#events.onGone(known.cache);
    this.#events.onChange();
  }
}
