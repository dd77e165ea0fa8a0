/**
 * The `kubernetes` source: follows each kind with a reflector. The index is as old as the kind that was confirmed
 * longest ago.
 */
import type { Clock } from '../../clock.ts';
import { kindOf, objectReference, type ObjectReference } from '../../core/kubernetes/object.ts';
import type { ClusterIndex } from '../../index/cluster-index.ts';
import { readText } from '../../core/kubernetes/json.ts';
import type { Manifest } from '../kinds/manifest.ts';
import { CONFIG_MAP } from '../kinds/eci-profile.ts';
import { IMAGE_CACHE, IMAGE_CACHES } from '../kinds/image-cache.ts';
import { NAMESPACE } from '../kinds/index-entry.ts';
import { NODE } from '../kinds/node.ts';
import { SELECTOR } from '../kinds/selector.ts';
import type { KindStatus, Source, SourceEvents } from '../source.ts';
import type { ApiClient } from './api-client.ts';
import { leaseResource, leaseStore } from './controller-lease.ts';
import { EventRecorder } from './event-recorder.ts';
import { GatedPods, type GatedPodsOptions } from './gated-pods.ts';
import { confirmedAtOf, ReflectorGroup, problemsOf, kindStatuses, type ReflectedKind } from './reflectors.ts';
import { IndexStore, type IndexStoreOptions } from './index-store.ts';
import { onlyNamed, type Resource } from './list-all.ts';
import { Reflector, type ReflectorEvents } from './reflector.ts';
import { timingFor } from './reflector-timing.ts';
import { UnboundPods } from './unbound-pods.ts';

interface IndexedKind extends Omit<Resource, 'kind'>, Pick<IndexStoreOptions, 'lastGoodStays'> {
  readonly groupKind: string;
  /** Tells two of one kind apart. */
  readonly kind?: string;
  /** The reason of the Event on an object that cannot be read; without it there is no Event. */
  readonly eventReason?: string;
}

const INDEXED_KINDS: readonly IndexedKind[] = [
  {
    groupKind: IMAGE_CACHE,
    paths: [IMAGE_CACHES],
    mayBeAbsent: true,
    lastGoodStays: false,
  },
  {
    groupKind: SELECTOR,
    paths: ['/apis/eci.aliyun.com/v1/selectors', '/apis/eci.aliyun.com/v1beta1/selectors'],
    mayBeAbsent: true,
    lastGoodStays: true,
  },
  {
    groupKind: CONFIG_MAP,
    ...onlyNamed('/api/v1/namespaces/kube-system/configmaps', 'eci-profile'),
    lastGoodStays: true,
    eventReason: 'InvalidEciProfile',
  },
  { groupKind: NAMESPACE, paths: ['/api/v1/namespaces'], mayBeAbsent: false, lastGoodStays: true },
  { groupKind: NODE, paths: ['/api/v1/nodes'], mayBeAbsent: false, lastGoodStays: true },
];

function podLivesKind(name: string): IndexedKind {
  const [namespace = '', itsName = ''] = name.split('/');
  return {
    groupKind: CONFIG_MAP,
    kind: 'ConfigMap of pod lives',
    ...onlyNamed(`/api/v1/namespaces/${namespace}/configmaps`, itsName),
    lastGoodStays: true,
  };
}

function doesNotCount(): void {
  // The age of the index does not depend on it.
}

export interface WebhookSourceOptions {
  /** How long the index counts as up to date without word from the API server, in milliseconds. */
  readonly maxStalenessMs: number;
  /** Whether to follow pods without a node too. */
  readonly bindTime: boolean;
  /** `namespace/name` of the ConfigMap with the lives of pods; undefined: they are not followed. */
  readonly podLives: string | undefined;
  /** `namespace/name` of the Lease of the controller; undefined: it is not followed. */
  readonly controllerLease: string | undefined;
  /** How pods are let go that wait for their cache; undefined: they are not followed. */
  readonly gatedPods: Omit<GatedPodsOptions, 'maxStalenessMs'> | undefined;
  /** Whether to write an Event on an object that cannot be read; the source writes nothing else. */
  readonly recordEvents: boolean;
}

export class WebhookSource implements Source {
  /** Undefined if the source does not watch pods. */
  readonly unboundPods: UnboundPods | undefined;
  readonly #index: ClusterIndex;
  readonly #stores: readonly IndexStore[];
  readonly #kinds: readonly ReflectedKind[];
  /** Those that do not count for the age of the index. */
  readonly #optional: ReflectedKind[] = [];
  readonly #group = new ReflectorGroup();
  readonly #synced = Promise.withResolvers<void>();
  readonly #livesTried = Promise.withResolvers<void>();

  constructor(
    api: ApiClient,
    index: ClusterIndex,
    events: SourceEvents,
    options: WebhookSourceOptions,
    clock: Clock,
  ) {
    const { maxStalenessMs, bindTime, podLives, controllerLease, gatedPods, recordEvents } = options;
    this.#index = index;
    const recorder = new EventRecorder(
      api,
      'imagecache-webhook',
      this.#group.signal,
      events.onProblem,
      clock,
    );
    const timing = timingFor(maxStalenessMs);
    const listeners = { onFailure: events.onProblem, onStep: events.onProgress };
    const stores: IndexStore[] = [];
    const reflect = (
      indexed: IndexedKind,
      { onConfirmed, onFailure }: Pick<ReflectorEvents, 'onConfirmed' | 'onFailure'>,
    ): ReflectedKind => {
      const { groupKind, kind = kindOf(groupKind), lastGoodStays, eventReason, ...where } = indexed;
      const store = new IndexStore(groupKind, index, events, {
        lastGoodStays,
        setServed: (served) => {
          if (groupKind === IMAGE_CACHE) index.setImageCachesSupported(served);
        },
        onUnreadable: (manifest, problem) => {
          if (recordEvents && eventReason !== undefined)
            recorder.record(subjectOfEvent(manifest), 'Warning', eventReason, problem);
        },
      });
      stores.push(store);
      const reflector = new Reflector(
        { kind, ...where },
        api,
        store,
        timing,
        { ...listeners, onConfirmed, onFailure },
        clock,
      );
      return { reflector, store };
    };
    const confirm = (): void => this.#confirm();
    this.#kinds = INDEXED_KINDS.map((indexed) => reflect(indexed, { ...listeners, onConfirmed: confirm }));
    this.#stores = stores;
    if (podLives === undefined) this.#livesTried.resolve();
    else {
      // Without them, ECI makes the caches, so that nothing waits for them longer than for a first answer.
      const onConfirmed = (): void => this.#livesTried.resolve();
      const onFailure = (problem: string): void => {
        events.onProblem(problem);
        this.#livesTried.resolve();
      };
      this.#optional.push(reflect(podLivesKind(podLives), { onConfirmed, onFailure }));
    }
    if (controllerLease !== undefined) {
      const store = leaseStore(index, clock);
      const leaseEvents = { ...listeners, onConfirmed: doesNotCount };
      const resource = leaseResource(controllerLease);
      this.#optional.push({
        reflector: new Reflector(resource, api, store, timing, leaseEvents, clock),
        store,
      });
    }
    if (gatedPods) {
      const gatedEvents = {
        ...listeners,
        onConfirmed: doesNotCount,
        onLifted: (key: string): void =>
          events.onProgress(`Pod ${key} waited too long for its cache, and goes`),
      };
      const gatedOptions = { ...gatedPods, maxStalenessMs };
      this.#optional.push(new GatedPods(api, gatedOptions, gatedEvents, this.#group.signal, clock));
    }
    if (bindTime) {
      // Their age does not matter, because UnboundPods gets a pod that its watch lacks.
      const podEvents = { ...listeners, onConfirmed: doesNotCount };
      this.unboundPods = new UnboundPods(api, podEvents, this.#group.signal, maxStalenessMs, clock);
      this.#optional.push(this.unboundPods);
    }
  }

  /** Never rejects: it keeps trying until the API server answers. */
  async start(): Promise<void> {
    this.#group.start(this.#all());
    await Promise.all([this.#synced.promise, this.#livesTried.promise]);
  }

  stop(): Promise<void> {
    return this.#group.stop();
  }

  problems(): readonly string[] {
    return [...problemsOf(this.#all()), ...this.#stores.flatMap((store) => [...store.problems()])];
  }

  status(): readonly KindStatus[] {
    return kindStatuses(this.#all());
  }

  #all(): readonly ReflectedKind[] {
    return [...this.#kinds, ...this.#optional];
  }

  #confirm(): void {
    const oldest = confirmedAtOf(this.#kinds);
    if (oldest === undefined) return;
    this.#index.confirm(oldest);
    this.#synced.resolve();
  }
}

function subjectOfEvent({ groupKind, metadata, object }: Manifest): ObjectReference {
  return {
    ...objectReference(object, readText(object['apiVersion']) ?? 'v1', kindOf(groupKind)),
    resourceVersion: readText(metadata['resourceVersion']),
  };
}
