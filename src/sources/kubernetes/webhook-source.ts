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
import { EventRecorder } from './event-recorder.ts';
import { confirmedAtOf, ReflectorGroup, problemsOf, kindStatuses, type ReflectedKind } from './reflectors.ts';
import { IndexStore, type IndexStoreOptions } from './index-store.ts';
import type { Resource } from './list-all.ts';
import { Reflector } from './reflector.ts';
import { timingFor } from './reflector-timing.ts';
import { UnboundPods } from './unbound-pods.ts';

interface IndexedKind extends Omit<Resource, 'kind'>, Pick<IndexStoreOptions, 'lastGoodStays'> {
  readonly groupKind: string;
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
    paths: ['/api/v1/namespaces/kube-system/configmaps'],
    fieldSelector: 'metadata.name=eci-profile',
    mayBeAbsent: false,
    lastGoodStays: true,
    eventReason: 'InvalidEciProfile',
  },
  { groupKind: NAMESPACE, paths: ['/api/v1/namespaces'], mayBeAbsent: false, lastGoodStays: true },
  { groupKind: NODE, paths: ['/api/v1/nodes'], mayBeAbsent: false, lastGoodStays: true },
];

export interface WebhookSourceOptions {
  /** How long the index counts as up to date without word from the API server, in milliseconds. */
  readonly maxStalenessMs: number;
  /** Whether to follow pods without a node too. */
  readonly bindTime: boolean;
  /** Whether to write an Event on an object that cannot be read; the source writes nothing else. */
  readonly recordEvents: boolean;
}

export class WebhookSource implements Source {
  /** Undefined if the source does not watch pods. */
  readonly unboundPods: UnboundPods | undefined;
  readonly #index: ClusterIndex;
  readonly #stores: readonly IndexStore[];
  readonly #kinds: readonly ReflectedKind[];
  readonly #group = new ReflectorGroup();
  readonly #synced = Promise.withResolvers<void>();

  constructor(
    api: ApiClient,
    index: ClusterIndex,
    events: SourceEvents,
    { maxStalenessMs, bindTime, recordEvents }: WebhookSourceOptions,
    clock: Clock,
  ) {
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
    this.#kinds = INDEXED_KINDS.map(({ groupKind, lastGoodStays, eventReason, ...where }) => {
      const kind = kindOf(groupKind);
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
        { ...listeners, onConfirmed: () => this.#confirm() },
        clock,
      );
      return { reflector, store };
    });
    this.#stores = stores;
    if (bindTime) {
      // Unbound pods do not count for the age of the index, because UnboundPods gets a pod that its watch lacks.
      const podEvents = { ...listeners, onConfirmed: (): void => undefined };
      this.unboundPods = new UnboundPods(api, podEvents, this.#group.signal, maxStalenessMs, clock);
    }
  }

  /** Never rejects: it keeps trying until the API server answers. */
  start(): Promise<void> {
    this.#group.start(this.#all());
    return this.#synced.promise;
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
    return this.unboundPods ? [...this.#kinds, this.unboundPods] : this.#kinds;
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
