/**
 * The objects that the controller watches beside the index (marked pods, pending pods, its own ImageCaches, workloads),
 * and the calls that create and delete ImageCaches. Pending pods have a watch of their own, because a binding can write
 * the marker only as an annotation, and a watch selects by label (docs/decisions/two-pod-watches.md).
 */
import type { Clock } from '../../clock.ts';
import { CREATE_ON_MISS, MADE_BY } from '../../core/annotations.ts';
import type { Cluster } from '../../controller/reconciler.ts';
import type { JsonObject } from '../../core/kubernetes/json.ts';
import { messageOf } from '../../core/kubernetes/problem.ts';
import type { OwnCache } from '../../core/controller/own-cache.ts';
import type { ObjectReference } from '../../core/kubernetes/object.ts';
import type { WatchedWorkload } from '../../core/controller/watched-workload.ts';
import { readWatchedPod, type WatchedPod } from '../../core/controller/watched-pod.ts';
import { IMAGE_CACHE, IMAGE_CACHES, imageCachePath } from '../kinds/image-cache.ts';
import { manifestOf } from '../kinds/manifest.ts';
import { readOwnCache } from '../kinds/own-cache.ts';
import type { KindStatus } from '../source.ts';
import { ApiError, type ApiClient } from './api-client.ts';
import { EventRecorder } from './event-recorder.ts';
import { confirmedAtOf, ReflectorGroup, problemsOf, kindStatuses, type ReflectedKind } from './reflectors.ts';
import type { Resource, Store } from './list-all.ts';
import { Reflector, type ReflectorEvents } from './reflector.ts';
import { timingFor } from './reflector-timing.ts';
import { ObjectStore } from './object-store.ts';
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

export interface ControllerSourceEvents extends Pick<ReflectorEvents, 'onFailure' | 'onStep'> {
  /** Something that the plan depends on has changed. */
  readonly onChange: () => void;
}

export interface ControllerSourceOptions {
  /** How long an object counts as up to date without word from the API server, in milliseconds. */
  readonly maxStalenessMs: number;
  /** Whether to follow workloads too. */
  readonly prewarm: boolean;
}

export class ControllerSource implements Cluster {
  readonly #api: ApiClient;
  readonly #group = new ReflectorGroup();
  readonly #marked: ObjectStore<WatchedPod>;
  readonly #pending: ObjectStore<WatchedPod>;
  readonly #own: ObjectStore<OwnCache>;
  readonly #kinds: readonly ReflectedKind[];
  /** Undefined without pre-warming. */
  readonly #workloads: WorkloadSource | undefined;
  readonly #recorder: EventRecorder;
  readonly #synced = Promise.withResolvers<void>();

  constructor(
    api: ApiClient,
    events: ControllerSourceEvents,
    { maxStalenessMs, prewarm }: ControllerSourceOptions,
    clock: Clock,
  ) {
    this.#api = api;
    this.#recorder = new EventRecorder(
      api,
      'imagecache-controller',
      this.#group.signal,
      events.onFailure,
      clock,
    );
    const listeners = {
      onChange: events.onChange,
      onUnreadable: (what: string, error: unknown): void =>
        events.onFailure(`${what} cannot be read and is skipped: ${messageOf(error)}`),
    };
    this.#marked = new ObjectStore(readWatchedPod, listeners);
    this.#pending = new ObjectStore(readWatchedPod, listeners);
    this.#own = new ObjectStore((object) => readOwnCache(manifestOf(IMAGE_CACHE, object)), listeners);
    const reflectorEvents = { ...events, onConfirmed: () => this.#confirm() };
    const timing = timingFor(maxStalenessMs);
    const reflect = (resource: Resource, store: Store): ReflectedKind => ({
      reflector: new Reflector(resource, api, store, timing, reflectorEvents, clock),
      store,
    });
    this.#kinds = [
      reflect(MARKED_PODS, this.#marked),
      reflect(PENDING_PODS, this.#pending),
      reflect(OWN_CACHES, this.#own),
    ];
    if (prewarm) this.#workloads = new WorkloadSource(reflect, listeners, clock);
  }

  /** @returns once the pods and the controller's ImageCaches have been listed */
  start(): Promise<void> {
    this.#group.start(this.#all());
    return this.#synced.promise;
  }

  stop(): Promise<void> {
    return this.#group.stop();
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

  /** When the API server last confirmed the pods and the controller's ImageCaches; undefined before the first time. */
  confirmedAtMs(): number | undefined {
    return confirmedAtOf(this.#kinds);
  }

  problems(): readonly string[] {
    return problemsOf(this.#all());
  }

  status(): readonly KindStatus[] {
    return kindStatuses(this.#all());
  }

  /** @throws ApiError; Error if there is no answer */
  async create(object: JsonObject): Promise<'created' | 'exists' | { readonly refused: string }> {
    try {
      await this.#api.json({
        path: IMAGE_CACHES,
        method: 'POST',
        body: object,
        signal: this.#group.signal,
      });
      return 'created';
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.status === 409) return 'exists';
      if (isRefusal(error)) return { refused: error.message };
      throw error;
    }
  }

  /** Deletes the object with this name and UID, and no other object of the name. @returns false if it is gone */
  async delete({ name, uid }: Pick<OwnCache, 'name' | 'uid'>): Promise<boolean> {
    try {
      await this.#api.json({
        path: imageCachePath(name),
        method: 'DELETE',
        body: { preconditions: { uid } },
        signal: this.#group.signal,
      });
      return true;
    } catch (error) {
      if (error instanceof ApiError && [404, 409].includes(error.status)) return false;
      throw error;
    }
  }

  recordEvent(about: ObjectReference, type: 'Normal' | 'Warning', reason: string, message: string): void {
    this.#recorder.record(about, type, reason, message);
  }

  #all(): readonly ReflectedKind[] {
    return [...this.#kinds, ...(this.#workloads?.kinds ?? [])];
  }

  #confirm(): void {
    if (this.confirmedAtMs() !== undefined) this.#synced.resolve();
  }
}

/** Statuses with which the API server refuses one object: its validation, a policy, its size. */
const REFUSALS: ReadonlySet<number> = new Set([400, 403, 413, 422]);

/** Whether an error concerns the one object alone, so that the controller goes on with the others. */
function isRefusal({ status, message }: ApiError): boolean {
  // etcd's own limit comes as an internal error.
  return REFUSALS.has(status) || (status === 500 && message.includes('too large'));
}
