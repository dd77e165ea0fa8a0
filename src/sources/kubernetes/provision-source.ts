/**
 * Owns what the controller sees of the cluster beyond the index: the pods with the marker, the pods that have not
 * started yet (they may point to a cache; and a marker that came with a binding is no label), the ImageCaches that it
 * made, and the workloads where caches are made before a miss. And the calls by which it makes and deletes those.
 */
import { CREATE_ON_MISS, MADE_BY } from '../../core/annotation/keys.ts';
import { messageOf } from '../../core/error-message.ts';
import type { JsonObject } from '../../core/json.ts';
import type { OwnCache } from '../../core/provision/own-cache.ts';
import type { Subject } from '../../core/subject.ts';
import type { WatchedWorkload } from '../../core/provision/watched-workload.ts';
import { readWatchedPod, type WatchedPod } from '../../core/provision/watched-pod.ts';
import { IMAGE_CACHE } from '../kinds/image-cache.ts';
import { manifestOf } from '../kinds/manifest.ts';
import { readOwnCache } from '../kinds/own-cache.ts';
import type { KindStatus } from '../source.ts';
import { ApiError, type ApiClient } from './api-client.ts';
import { IMAGE_CACHES, imageCachePath } from './image-caches.ts';
import { EventRecorder } from './event-recorder.ts';
import { confirmedAtOf, Follower, problemsOf, statusOf, type Following } from './following.ts';
import { Reflector, timingFor, type ReflectorEvents, type Resource, type Store } from './reflector.ts';
import { Table } from './table.ts';
import { WorkloadSource } from './workload-source.ts';

const MARKED_PODS: Resource = {
  kind: 'marked Pod',
  paths: ['/api/v1/pods'],
  labelSelector: CREATE_ON_MISS,
  mayBeAbsent: false,
};
const PENDING_PODS: Resource = {
  kind: 'pending Pod',
  paths: ['/api/v1/pods'],
  fieldSelector: 'status.phase=Pending',
  mayBeAbsent: false,
};
const OWN_CACHES: Resource = {
  kind: 'own ImageCache',
  paths: [IMAGE_CACHES],
  labelSelector: `${MADE_BY.label}=${MADE_BY.controller}`,
  mayBeAbsent: true,
};

export interface ProvisionEvents extends Pick<ReflectorEvents, 'onFailure' | 'onStep'> {
  /** Something that a plan depends on is not what it was. */
  readonly onChange: () => void;
}

export interface ProvisionOptions {
  /** Milliseconds for which what was confirmed is true without further word. */
  readonly maxStaleness: number;
  /** Whether workloads are followed too. */
  readonly prewarm: boolean;
}

export class ProvisionSource {
  readonly #api: ApiClient;
  readonly #follower = new Follower();
  readonly #marked: Table<WatchedPod>;
  readonly #pending: Table<WatchedPod>;
  readonly #own: Table<OwnCache>;
  readonly #following: readonly Following[];
  /** Undefined where nothing is made before a miss. */
  readonly #workloads: WorkloadSource | undefined;
  readonly #recorder: EventRecorder;
  readonly #synced = Promise.withResolvers<void>();

  /** @param now milliseconds since 1970 */
  constructor(
    api: ApiClient,
    events: ProvisionEvents,
    { maxStaleness, prewarm }: ProvisionOptions,
    now: () => number,
  ) {
    this.#api = api;
    this.#recorder = new EventRecorder(
      api,
      'imagecache-controller',
      this.#follower.signal,
      events.onFailure,
      now,
    );
    const telling = {
      onChange: events.onChange,
      onUnreadable: (what: string, error: unknown): void =>
        events.onFailure(`${what} cannot be read and is passed over: ${messageOf(error)}`),
    };
    this.#marked = new Table(readWatchedPod, telling);
    this.#pending = new Table(readWatchedPod, telling);
    this.#own = new Table((object) => readOwnCache(manifestOf(IMAGE_CACHE, object)), telling);
    const reflectorEvents = { ...events, onConfirmed: () => this.#confirm() };
    const timing = timingFor(maxStaleness);
    const follow = (resource: Resource, store: Store): Following => ({
      reflector: new Reflector(resource, api, store, timing, reflectorEvents, now),
      store,
    });
    this.#following = [
      follow(MARKED_PODS, this.#marked),
      follow(PENDING_PODS, this.#pending),
      follow(OWN_CACHES, this.#own),
    ];
    if (prewarm) this.#workloads = new WorkloadSource(follow, telling, now);
  }

  /** @returns once everything is here that a miss depends on */
  start(): Promise<void> {
    this.#follower.start(this.#all());
    return this.#synced.promise;
  }

  stop(): Promise<void> {
    return this.#follower.stop();
  }

  /** Pods with the marker, each once. */
  markedPods(): Iterable<WatchedPod> {
    const pods = new Map(this.#marked.entries());
    for (const [key, watched] of this.#pending.entries())
      if (watched.pod.annotations.has(CREATE_ON_MISS)) pods.set(key, watched);
    return pods.values();
  }

  pendingPods(): Iterable<WatchedPod> {
    return this.#pending.values();
  }

  ownCaches(): readonly OwnCache[] {
    return [...this.#own.values()];
  }

  workloads(): Iterable<WatchedWorkload> {
    return this.#workloads?.workloads() ?? [];
  }

  pullSecretsOf(namespace: string, account: string): readonly string[] {
    return this.#workloads?.pullSecretsOf(namespace, account) ?? [];
  }

  /** The oldest word on any that a miss depends on, in milliseconds since 1970; undefined before the first of each. */
  confirmedAt(): number | undefined {
    return confirmedAtOf(this.#following);
  }

  problems(): readonly string[] {
    return problemsOf(this.#all());
  }

  status(): readonly KindStatus[] {
    return statusOf(this.#all());
  }

  /** @throws ApiError; Error where there is no answer */
  async create(object: JsonObject): Promise<'created' | 'exists' | { readonly refused: string }> {
    try {
      await this.#api.json({
        path: IMAGE_CACHES,
        method: 'POST',
        body: object,
        signal: this.#follower.signal,
      });
      return 'created';
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.status === 409) return 'exists';
      if (error.status === 400 || error.status === 422) return { refused: error.message };
      throw error;
    }
  }

  /** The very object; another of the same name is left alone. @returns false where it is gone already */
  async delete({ name, uid }: Pick<OwnCache, 'name' | 'uid'>): Promise<boolean> {
    try {
      await this.#api.json({
        path: imageCachePath(name),
        method: 'DELETE',
        body: { preconditions: { uid } },
        signal: this.#follower.signal,
      });
      return true;
    } catch (error) {
      if (error instanceof ApiError && [404, 409].includes(error.status)) return false;
      throw error;
    }
  }

  tell(about: Subject, type: 'Normal' | 'Warning', reason: string, message: string): void {
    this.#recorder.record(about, type, reason, message);
  }

  #all(): readonly Following[] {
    return [...this.#following, ...(this.#workloads?.following ?? [])];
  }

  #confirm(): void {
    if (this.confirmedAt() !== undefined) this.#synced.resolve();
  }
}
