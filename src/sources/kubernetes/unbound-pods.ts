/**
 * The pods without a node: a watch (field selector `spec.nodeName=`), and one GET for a pod that the watch has not
 * delivered yet.
 */
import type { Clock } from '../../clock.ts';
import { isObject, readText, type JsonObject } from '../../core/kubernetes/json.ts';
import { podSize, readPod, type Pod } from '../../core/pod.ts';
import { stalenessOf } from '../../core/staleness.ts';
import { Totals } from '../../core/totals.ts';
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
/** GETs under way at the same time, and in a second. Whoever reaches the port can ask for pods that do not exist. */
const MAX_GETS = { atOnce: 16, aSecond: 20 };
/** Of these, for callers that are not known as API servers, if any are known: they do not wait either. */
const MAX_GETS_OF_OTHERS = 4;
/** Further bindings wait for a GET: how many, how long, and how often each looks, in milliseconds. */
const WAITING = { most: 64, atMost: 1000, lookEvery: 50 };

/**
 * What is kept of a pod (podSize), of those of one namespace, and of all together. A pod beyond that is asked for when it
 * is bound: a tenant can create many pods that hold hundreds of kilobytes each.
 */
const MAX_KEPT = { ofPod: 16_384, ofNamespace: 16 * 2 ** 20, all: 64 * 2 ** 20 };

type PodIdentity = Parameters<FindUnboundPod>[0];
type FoundPod = Awaited<ReturnType<FindUnboundPod>>;

interface UnboundPod {
  readonly uid: string | undefined;
  readonly pod: Pod;
  /** In characters. */
  readonly size: number;
}

export class UnboundPods {
  readonly reflector: Reflector;
  readonly store: Store;
  readonly #api: ApiClient;
  readonly #signal: AbortSignal;
  readonly #maxStalenessMs: number;
  readonly #clock: Clock;
  /** Undefined for a pod that is too large, or cannot be read: the GET will say what is wrong with it. */
  readonly #pods = new Map<string, UnboundPod | undefined>();
  /** Of the sizes of those that are kept, by namespace. */
  readonly #kept = new Totals();
  #gets = 0;
  #waiting = 0;
  /** GETs in the second that began then, in milliseconds of Clock.elapsed. */
  #second = { beganAtMs: -Infinity, gets: 0, ofOthers: 0 };

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
      apply: (key, object) => this.#put(key, tryRead(object)),
      delete: (key) => this.#forget(key),
      keys: () => this.#pods.keys(),
      size: () => this.#pods.size,
    };
    this.reflector = new Reflector(UNBOUND_PODS, api, this.store, timingFor(maxStalenessMs), events, clock);
  }

  /**
   * The pod as it is before it is bound.
   * @throws ApiError if the API server refuses; Error if there is no answer in time; Unreadable
   */
  async find({ namespace, name, uid, isForStranger }: PodIdentity): Promise<FoundPod> {
    const { confirmedAtMs } = this.reflector;
    const isStale = stalenessOf(confirmedAtMs, this.#maxStalenessMs, this.#clock.now()) !== undefined;
    const held = isStale ? undefined : this.#pods.get(`${namespace}/${name}`);
    if (held && (uid === undefined || held.uid === uid)) return { pod: held.pod, from: 'watch' };

    return { pod: readPod(await this.#get(namespace, name, isForStranger), namespace), from: 'get' };
  }

  async #get(namespace: string, name: string, isForStranger: boolean): Promise<unknown> {
    const mayGet = this.#mayGet();
    if (isForStranger) {
      if (!mayGet || this.#second.ofOthers >= MAX_GETS_OF_OTHERS) throw new TooManyGets();
      this.#second.ofOthers += 1;
    } else if (!mayGet) await this.#waitForGet();
    this.#second.gets += 1;
    this.#gets += 1;
    try {
      const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(name)}`;
      return await this.#api.json({ path, timeout: GET_TIMEOUT, signal: this.#signal });
    } finally {
      this.#gets -= 1;
    }
  }

  #mayGet(): boolean {
    const now = this.#clock.elapsed();
    if (now - this.#second.beganAtMs >= 1000) this.#second = { beganAtMs: now, gets: 0, ofOthers: 0 };
    return this.#gets < MAX_GETS.atOnce && this.#second.gets < MAX_GETS.aSecond;
  }

  /** @throws if the wait is too long, or too many wait */
  async #waitForGet(): Promise<void> {
    if (this.#waiting >= WAITING.most) throw new TooManyGets();
    const until = this.#clock.elapsed() + WAITING.atMost;
    this.#waiting += 1;
    try {
      do {
        if (this.#signal.aborted || this.#clock.elapsed() >= until) throw new TooManyGets();
        // oxlint-disable-next-line no-await-in-loop -- each look depends on what ended meanwhile
        await this.#clock.sleep(WAITING.lookEvery, this.#signal);
      } while (!this.#mayGet());
    } finally {
      this.#waiting -= 1;
    }
  }

  #put(key: string, read: UnboundPod | undefined): void {
    this.#forget(key);
    const { pod, size } = read ?? {};
    const isKept =
      pod !== undefined &&
      size !== undefined &&
      size <= MAX_KEPT.ofPod &&
      this.#kept.of(pod.namespace) + size <= MAX_KEPT.ofNamespace &&
      this.#kept.all + size <= MAX_KEPT.all;
    this.#pods.set(key, isKept ? read : undefined);
    if (isKept) this.#kept.add(pod.namespace, size);
  }

  #forget(key: string): void {
    const known = this.#pods.get(key);
    if (known) this.#kept.add(known.pod.namespace, -known.size);
    this.#pods.delete(key);
  }
}

class TooManyGets extends Error {
  constructor() {
    super('too many other pods are being asked for');
  }
}

function tryRead(object: JsonObject): UnboundPod | undefined {
  try {
    const { metadata } = object;
    const uid = isObject(metadata) ? readText(metadata['uid']) : undefined;
    const pod = readPod(object, undefined);
    return { uid, pod, size: podSize(pod) };
  } catch {
    return undefined;
  }
}
