/**
 * The objects that the controller follows beside the index (the pods of ECI, its own ImageCaches, workloads), and the calls
 * that create, change and delete ImageCaches.
 */
import type { Clock } from '../../clock.ts';
import { MADE_BY } from '../../core/annotations.ts';
import type { Cluster, Written } from '../../controller/cluster.ts';
import { LIVES_KEY, type PodLives } from '../../core/decision/pod-life.ts';
import type { JsonObject } from '../../core/kubernetes/json.ts';
import { messageOf } from '../../core/kubernetes/problem.ts';
import type { OwnCache } from '../../core/controller/own-cache.ts';
import type { ObjectReference } from '../../core/kubernetes/object.ts';
import type { WatchedWorkload } from '../../core/controller/watched-workload.ts';
import type { UsageById } from '../../core/controller/uses.ts';
import type { WatchedPod } from '../../core/controller/watched-pod.ts';
import { IMAGE_CACHE, IMAGE_CACHES, imageCachePath } from '../kinds/image-cache.ts';
import { manifestOf } from '../kinds/manifest.ts';
import { readOwnCache } from '../kinds/own-cache.ts';
import type { KindStatus } from '../source.ts';
import { ApiError, type ApiClient, type ApiRequest } from './api-client.ts';
import { EciPods } from './eci-pods.ts';
import { EventRecorder } from './event-recorder.ts';
import { changePod } from './gated-pods.ts';
import { confirmedAtOf, ReflectorGroup, problemsOf, kindStatuses, type ReflectedKind } from './reflectors.ts';
import type { Resource, Store } from './list-all.ts';
import { Reflector, type ReflectorEvents } from './reflector.ts';
import { timingFor } from './reflector-timing.ts';
import { ObjectStore } from './object-store.ts';
import { truthKinds, type TruthEvents } from './truth-source.ts';
import { WorkloadSource } from './workload-source.ts';

const OWN_CACHES: Resource = {
  kind: 'own ImageCache',
  paths: [IMAGE_CACHES],
  labelSelector: `${MADE_BY.label}=${MADE_BY.controller}`,
  mayBeAbsent: true,
};

export interface ControllerSourceEvents extends Pick<ReflectorEvents, 'onFailure' | 'onStep'>, TruthEvents {
  /** ECI has placed a pod that was there before. */
  readonly onPlaced: (pod: JsonObject) => void;
  /** Something that the plan depends on has changed. */
  readonly onChange: () => void;
}

export interface ControllerSourceOptions {
  /** How long an object counts as up to date without word from the API server, in milliseconds. */
  readonly maxStalenessMs: number;
  /** Whether to follow workloads too. */
  readonly prewarm: boolean;
  /** `namespace/name` of the ConfigMap with the lives of pods; undefined: it is not written. */
  readonly podLives: string | undefined;
  /** Whether to remember which digests pods show. */
  readonly hasDigests: boolean;
  /** The name of the webhook's MutatingWebhookConfiguration. */
  readonly webhookConfiguration: string;
}

export class ControllerSource implements Cluster {
  readonly #api: ApiClient;
  readonly #group = new ReflectorGroup();
  readonly #pods: EciPods;
  readonly #own: ObjectStore<OwnCache>;
  readonly #ownKind: ReflectedKind;
  /** Undefined without pre-warming. */
  readonly #workloads: WorkloadSource | undefined;
  readonly #truth: readonly ReflectedKind[];
  readonly #recorder: EventRecorder;
  readonly #podLives: string | undefined;
  readonly #synced = Promise.withResolvers<void>();

  constructor(
    api: ApiClient,
    events: ControllerSourceEvents,
    { maxStalenessMs, prewarm, podLives, hasDigests, webhookConfiguration }: ControllerSourceOptions,
    clock: Clock,
  ) {
    this.#api = api;
    this.#podLives = podLives;
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
    this.#own = new ObjectStore((object) => readOwnCache(manifestOf(IMAGE_CACHE, object)), listeners);
    const reflectorEvents = { ...events, onConfirmed: () => this.#confirm() };
    const timing = timingFor(maxStalenessMs);
    const reflect = (resource: Resource, store: Store): ReflectedKind => ({
      reflector: new Reflector(resource, api, store, timing, reflectorEvents, clock),
      store,
    });
    const run = (kind: ReflectedKind, until?: AbortSignal): void => this.#group.run(kind, until);
    this.#pods = new EciPods(reflect, run, events, clock, hasDigests);
    this.#ownKind = reflect(OWN_CACHES, this.#own);
    this.#truth = truthKinds(reflect, webhookConfiguration, events);
    if (prewarm) this.#workloads = new WorkloadSource(reflect, listeners, clock);
  }

  /** @returns once the pods and the controller's ImageCaches have been listed */
  start(): Promise<void> {
    this.#pods.start();
    this.#group.start([this.#ownKind, ...(this.#workloads?.kinds ?? []), ...this.#truth]);
    return this.#synced.promise;
  }

  /** Follows the pods of these virtual nodes, and of no others. */
  followNodes(names: ReadonlySet<string>): void {
    this.#pods.followNodes(names);
  }

  stop(): Promise<void> {
    return this.#group.stop();
  }

  pods(): Iterable<WatchedPod> {
    return this.#pods.pods();
  }

  takeUses(): UsageById {
    return this.#pods.takeUses();
  }

  lives(now: number, published: PodLives): PodLives {
    return this.#pods.lives(now, published);
  }

  ownCaches(): readonly OwnCache[] {
    return [...this.#own.values()];
  }

  moved(cache: OwnCache): readonly string[] {
    return this.#pods.moved(cache);
  }

  workloads(): Iterable<WatchedWorkload> {
    return this.#workloads?.workloads() ?? [];
  }

  pullSecretsOf(namespace: string, account: string): readonly string[] {
    return this.#workloads?.pullSecretsOf(namespace, account) ?? [];
  }

  /** When the API server last confirmed the pods and the controller's ImageCaches; undefined before the first time. */
  confirmedAtMs(): number | undefined {
    return this.#pods.isComplete ? confirmedAtOf([...this.#pods.kinds(), this.#ownKind]) : undefined;
  }

  problems(): readonly string[] {
    return problemsOf(this.#all());
  }

  status(): readonly KindStatus[] {
    return kindStatuses(this.#all());
  }

  create(object: JsonObject, signal: AbortSignal): Promise<Written> {
    return this.#write({ path: IMAGE_CACHES, method: 'POST', body: object, signal });
  }

  annotate(
    { name, uid, resourceVersion }: OwnCache,
    annotations: Readonly<Record<string, string | null>>,
    signal: AbortSignal,
  ): Promise<Written> {
    return this.#write({
      path: imageCachePath(name),
      method: 'PATCH',
      contentType: 'merge-patch+json',
      body: { metadata: { uid, resourceVersion, annotations } },
      signal,
    });
  }

  delete({ name, uid, resourceVersion }: OwnCache, signal: AbortSignal): Promise<Written> {
    return this.#write({
      path: imageCachePath(name),
      method: 'DELETE',
      body: { preconditions: { uid, resourceVersion } },
      signal,
    });
  }

  patchPod(
    { namespace, name }: ObjectReference,
    patchOf: (pod: JsonObject) => JsonObject | undefined,
    signal: AbortSignal,
  ): Promise<Written> {
    return this.#tried(async () => {
      const isChanged = await changePod(this.#api, `${namespace}/${name}`, patchOf, this.#until(signal));
      return isChanged ? 'done' : 'outdated';
    });
  }

  async publishLives(lives: string, signal: AbortSignal): Promise<Written> {
    if (this.#podLives === undefined) return 'done';
    const [namespace = '', name = ''] = this.#podLives.split('/');
    const path = `/api/v1/namespaces/${namespace}/configmaps`;
    const body = { data: { [LIVES_KEY]: lives } };
    const patch = { method: 'PATCH', contentType: 'merge-patch+json', body, signal } as const;
    const written = await this.#write({ ...patch, path: `${path}/${name}` });
    if (written !== 'outdated') return written;
    const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { namespace, name }, ...body };
    return this.#write({ path, method: 'POST', body: object, signal });
  }

  /** @throws ApiError if the API server can serve nobody now; Error if there is no answer */
  #write(request: ApiRequest): Promise<Written> {
    return this.#tried(async () => {
      await this.#api.json({ ...request, signal: this.#until(request.signal) });
      return 'done';
    });
  }

  #until(signal: AbortSignal): AbortSignal {
    return AbortSignal.any([signal, this.#group.signal]);
  }

  async #tried(write: () => Promise<Written>): Promise<Written> {
    try {
      return await write();
    } catch (error) {
      if (!(error instanceof ApiError) || CONCERNS_ALL.has(error.status)) throw error;
      return [404, 409].includes(error.status) ? 'outdated' : { refused: error.message };
    }
  }

  recordEvent(about: ObjectReference, type: 'Normal' | 'Warning', reason: string, message: string): void {
    this.#recorder.record(about, type, reason, message);
  }

  #all(): readonly ReflectedKind[] {
    return [...this.#pods.kinds(), this.#ownKind, ...(this.#workloads?.kinds ?? []), ...this.#truth];
  }

  #confirm(): void {
    if (this.confirmedAtMs() !== undefined) this.#synced.resolve();
  }
}

/**
 * Statuses that say nothing about the one object: our token, too many requests, no server. With any other status, the
 * controller goes on with the other objects.
 */
const CONCERNS_ALL: ReadonlySet<number> = new Set([401, 429, 502, 503, 504]);
