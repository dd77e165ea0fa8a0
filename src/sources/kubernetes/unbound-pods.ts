/**
 * The pods without a node: a watch (field selector `spec.nodeName=`), and one GET for a pod that the watch has not
 * delivered yet.
 */
import type { Clock } from '../../clock.ts';
import { isObject, readText, type JsonObject } from '../../core/kubernetes/json.ts';
import { readPod, type Pod } from '../../core/pod.ts';
import { stalenessOf } from '../../core/staleness.ts';
import type { FindUnboundPod } from '../../webhook/answer.ts';
import type { ApiClient } from './api-client.ts';
import type { Resource, Store } from './list-all.ts';
import { Reflector, type ReflectorEvents } from './reflector.ts';
import { timingFor } from './reflector-timing.ts';

const UNBOUND_PODS: Resource = {
  kind: 'Pod',
  paths: ['/api/v1/pods'],
  fieldSelector: 'spec.nodeName=',
  mayBeAbsent: false,
};

/** Milliseconds for the GET; the scheduler's binding waits for it. */
const GET_TIMEOUT = 1000;

type PodIdentity = Parameters<FindUnboundPod>[0];
type FoundPod = Awaited<ReturnType<FindUnboundPod>>;

interface UnboundPod {
  readonly uid: string | undefined;
  readonly pod: Pod;
}

export class UnboundPods {
  readonly reflector: Reflector;
  readonly store: Store;
  readonly #api: ApiClient;
  readonly #signal: AbortSignal;
  readonly #maxStalenessMs: number;
  readonly #clock: Clock;
  readonly #pods = new Map<string, UnboundPod | undefined>();

  /** @param maxStalenessMs how long the watched pods count as up to date if the API server does not confirm them */
  constructor(
    api: ApiClient,
    events: ReflectorEvents,
    signal: AbortSignal,
    maxStalenessMs: number,
    clock: Clock,
  ) {
    this.#api = api;
    this.#signal = signal;
    this.#maxStalenessMs = maxStalenessMs;
    this.#clock = clock;
    this.store = {
      // A pod that cannot be read is kept as undefined: the GET will say what is wrong with it.
      apply: (key, object) => this.#pods.set(key, tryRead(object)),
      delete: (key) => this.#pods.delete(key),
      keys: () => this.#pods.keys(),
      size: () => this.#pods.size,
    };
    this.reflector = new Reflector(UNBOUND_PODS, api, this.store, timingFor(maxStalenessMs), events, clock);
  }

  /**
   * The pod as it is before it is bound.
   * @throws ApiError if the API server refuses; Error if there is no answer in time; Unreadable
   */
  async find({ namespace, name, uid }: PodIdentity): Promise<FoundPod> {
    const { confirmedAtMs } = this.reflector;
    const isStale = stalenessOf(confirmedAtMs, this.#maxStalenessMs, this.#clock.now()) !== undefined;
    const held = isStale ? undefined : this.#pods.get(`${namespace}/${name}`);
    if (held && (uid === undefined || held.uid === uid)) return { pod: held.pod, from: 'watch' };

    const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(name)}`;
    const value = await this.#api.json({ path, timeout: GET_TIMEOUT, signal: this.#signal });
    return { pod: readPod(value, namespace), from: 'get' };
  }
}

function tryRead(object: JsonObject): UnboundPod | undefined {
  try {
    const { metadata } = object;
    const uid = isObject(metadata) ? readText(metadata['uid']) : undefined;
    return { uid, pod: readPod(object, undefined) };
  } catch {
    return undefined;
  }
}
