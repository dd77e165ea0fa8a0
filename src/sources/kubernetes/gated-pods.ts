/**
 * The pods that wait for their cache, as each replica of the webhook sees them: it lets those go that are overdue, whatever
 * became of the controller, so that no pod waits for ever; and all of them if waiting is switched off.
 */
import type { Clock } from '../../clock.ts';
import { WAIT_FOR_CACHE } from '../../core/annotations.ts';
import { waitOf } from '../../core/decision/request.ts';
import { isObject, partOf, readStringMap, type JsonObject } from '../../core/kubernetes/json.ts';
import { messageOf } from '../../core/kubernetes/problem.ts';
import { parseTime } from '../../core/kubernetes/time.ts';
import { readGates } from '../../core/pod.ts';
import { ApiError, type ApiClient } from './api-client.ts';
import type { Resource, Store } from './list-all.ts';
import { Reflector, type ReflectorEvents } from './reflector.ts';
import { timingFor } from './reflector-timing.ts';

export const GATED_PODS: Resource = {
  kind: 'Pod that waits for its cache',
  paths: ['/api/v1/pods'],
  labelSelector: `${WAIT_FOR_CACHE}=true`,
  mayBeAbsent: false,
};

/** Milliseconds after its time is up that a pod is overdue: until then the controller has its turn. */
const OVERDUE_AFTER = 10_000;
/** Milliseconds between two looks, and until a pod is tried again that the API server did not let go. */
const LOOK_EVERY = 1000;
const AGAIN_AFTER = 5000;
/** Pods that go at the same time. */
const AT_ONCE = 10;
/** Pods that are followed; Kubernetes is made for 150,000 pods in a cluster. */
const MOST_FOLLOWED = 200_000;
const TIMEOUT = 5000;

/**
 * Reads a pod, and changes it.
 * @param key `namespace/name`
 * @param patchOf a JSON merge patch of the pod as it is now; undefined: nothing needs to be done
 * @returns whether the pod was changed
 * @throws ApiError; Error if there is no answer
 */
export async function changePod(
  api: ApiClient,
  key: string,
  patchOf: (pod: JsonObject) => JsonObject | undefined,
  signal: AbortSignal,
): Promise<boolean> {
  const [namespace = '', name = ''] = key.split('/').map(encodeURIComponent);
  const path = `/api/v1/namespaces/${namespace}/pods/${name}`;
  const pod = await api.json({ path, timeout: TIMEOUT, signal });
  const body = isObject(pod) ? patchOf(pod) : undefined;
  if (!body) return false;
  await api.json({ path, method: 'PATCH', contentType: 'merge-patch+json', body, timeout: TIMEOUT, signal });
  return true;
}

export interface GatedPodsOptions {
  /** Whether all pods go at once. */
  readonly isDraining: boolean;
  readonly maxStalenessMs: number;
  readonly patchOf: (pod: JsonObject) => JsonObject | undefined;
}

export interface GatedPodsEvents extends ReflectorEvents {
  /** @param key `namespace/name` of a pod that was let go */
  readonly onLifted: (key: string) => void;
}

export class GatedPods {
  readonly reflector: Reflector;
  readonly store: Store;
  readonly #api: ApiClient;
  readonly #options: GatedPodsOptions;
  readonly #events: GatedPodsEvents;
  readonly #signal: AbortSignal;
  readonly #clock: Clock;
  /** When each pod is tried next, in milliseconds since 1970. */
  readonly #dueAtMs = new Map<string, number>();
  readonly #lifting = new Set<string>();
  #problem: string | undefined;

  /** @param signal ends all requests */
  constructor(
    api: ApiClient,
    options: GatedPodsOptions,
    events: GatedPodsEvents,
    signal: AbortSignal,
    clock: Clock,
  ) {
    this.#api = api;
    this.#options = options;
    this.#events = events;
    this.#signal = signal;
    this.#clock = clock;
    this.store = {
      apply: (key, object) => this.#note(key, object),
      delete: (key) => this.#dueAtMs.delete(key),
      keys: () => this.#dueAtMs.keys(),
      size: () => this.#dueAtMs.size,
    };
    const timing = timingFor(options.maxStalenessMs);
    this.reflector = new Reflector(GATED_PODS, api, this.store, timing, events, clock);
    const looking = clock.every(LOOK_EVERY, () => this.#look());
    signal.addEventListener('abort', () => looking.cancel());
  }

  #note(key: string, object: JsonObject): void {
    if (!isGated(object)) {
      this.#dueAtMs.delete(key);
      return;
    }
    if (this.#dueAtMs.size >= MOST_FOLLOWED && !this.#dueAtMs.has(key)) return;
    this.#dueAtMs.set(key, this.#options.isDraining ? 0 : overdueAt(partOf(object, 'metadata')));
  }

  #look(): void {
    if (this.#signal.aborted) return;
    const now = this.#clock.now();
    for (const [key, at] of this.#dueAtMs) {
      if (this.#lifting.size >= AT_ONCE) return;
      if (at > now || this.#lifting.has(key)) continue;
      this.#lifting.add(key);
      void this.#lift(key).finally(() => {
        this.#lifting.delete(key);
        this.#look();
      });
    }
  }

  async #lift(key: string): Promise<void> {
    // Until the watch shows that it is gone, or has changed; and after the others, so that it holds up none of them.
    this.#dueAtMs.delete(key);
    this.#dueAtMs.set(key, this.#clock.now() + AGAIN_AFTER);
    try {
      const isLifted = await changePod(this.#api, key, this.#options.patchOf, this.#signal);
      this.#problem = undefined;
      if (isLifted) this.#events.onLifted(key);
    } catch (error) {
      // Another replica, or the controller, was faster.
      const isDone = error instanceof ApiError && [404, 409].includes(error.status);
      if (isDone || this.#signal.aborted) return;
      const problem = messageOf(error);
      if (problem !== this.#problem)
        this.#events.onFailure(`${GATED_PODS.kind}: ${key} cannot be let go: ${problem}`);
      this.#problem = problem;
    }
  }
}

/** Whether our scheduling gate is on the pod: anybody may add the label alone. */
export function isGated(pod: JsonObject): boolean {
  return readGates(partOf(pod, 'spec')).includes(WAIT_FOR_CACHE);
}

function overdueAt(metadata: JsonObject): number {
  let wait: number;
  try {
    wait = waitOf(readStringMap(metadata['annotations'], 'metadata.annotations'));
  } catch {
    wait = 0;
  }
  return (parseTime(metadata['creationTimestamp']) ?? 0) + wait + OVERDUE_AFTER;
}
