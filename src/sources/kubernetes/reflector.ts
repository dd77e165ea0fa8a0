/**
 * List and watch of one kind, like client-go's Reflector: lists the kind, watches from there, resumes when a watch
 * ends, lists again if it cannot resume, and never gives up. In addition, a reflector knows when the API server last
 * confirmed the objects in the store (docs/decisions/own-reflector.md).
 */
import { addAbortSignal } from 'node:stream';
import type { Clock, Timer } from '../../clock.ts';
import { partOf } from '../../core/kubernetes/json.ts';
import { messageOf } from '../../core/kubernetes/problem.ts';
import type { KindStatus } from '../source.ts';
import { ApiError, type ApiClient } from './api-client.ts';
import { backoffDelay } from './backoff.ts';
import { deleteAllBut, objectKey, listAll, selectorsOf, type Resource, type Store } from './list-all.ts';
import type { Timing } from './reflector-timing.ts';
import { MalformedStream, readWatchEvents, type WatchEvent } from './watch-events.ts';

export interface ReflectorEvents {
  /** Called for a new problem, and if the problem becomes another one. Each message begins with the kind. */
  readonly onFailure: (message: string) => void;
  /** Called when the kind was listed, when the cluster does not have the kind, and when a problem is over. */
  readonly onStep: (message: string) => void;
  /** Called when the API server has confirmed the objects in the store. */
  readonly onConfirmed: () => void;
}

/** Milliseconds after which an accepted watch has delivered all events that the watch before it missed. */
const SETTLES_AFTER_MS = 500;
/** After this many unproductive watches the kind is listed again. */
const WATCHES_BEFORE_LIST = 2;

/**
 * Counts as a confirmation: a complete list, an event, a bookmark, a newly accepted watch, and a watch that the server
 * ended on time. An open connection does not count, because it may be dead: so each watch ends after a third of
 * maxStaleness, and the reflector closes a watch that stays silent for longer.
 */
export class Reflector {
  readonly resource: Resource;
  readonly #api: ApiClient;
  readonly #store: Store;
  readonly #timing: Timing;
  readonly #events: ReflectorEvents;
  readonly #clock: Clock;
  #state: KindStatus['state'] = 'listing';
  #confirmedAtMs: number | undefined;
  /** Where a watch may start; undefined if a list is needed. */
  #resourceVersion: string | undefined;
  /** The path that the API server serves. */
  #path: string;
  #failures = 0;
  /** Watches in a row that were accepted and delivered nothing; a watch that was closed as silent counts twice. */
  #unproductiveWatches = 0;
  /** Whether the last watch was cut because it was silent. */
  #wasSilent = false;
  #problem: string | undefined;
  #failingSince = 0;

  constructor(
    resource: Resource,
    api: ApiClient,
    store: Store,
    timing: Timing,
    events: ReflectorEvents,
    clock: Clock,
  ) {
    this.resource = resource;
    this.#api = api;
    this.#store = store;
    this.#timing = timing;
    this.#events = events;
    this.#clock = clock;
    this.#path = resource.paths[0] ?? '';
  }

  get state(): KindStatus['state'] {
    return this.#state;
  }

  /** When the API server last confirmed what the store holds; undefined before the first complete list. */
  get confirmedAtMs(): number | undefined {
    return this.#confirmedAtMs;
  }

  /** The current problem, beginning with the kind; undefined if there is none. */
  get problem(): string | undefined {
    return this.#problem === undefined ? undefined : this.#named(this.#problem);
  }

  #named(message: string): string {
    return `${this.resource.kind}: ${message}`;
  }

  #step(message: string): void {
    this.#events.onStep(this.#named(message));
  }

  /** Runs until the signal is aborted; never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        // Each round depends on the one before.
        // oxlint-disable-next-line no-await-in-loop
        await (this.#resourceVersion === undefined ? this.#list(signal) : this.#watch(signal));
      } catch (error) {
        if (signal.aborted) return;
        // oxlint-disable-next-line no-await-in-loop
        await this.#clock.sleep(this.#failed(error), signal);
      }
    }
  }

  async #list(signal: AbortSignal): Promise<void> {
    if (this.#state !== 'absent') this.#state = this.#failures > 0 ? 'retrying' : 'listing';
    const started = this.#clock.now();
    const listed = await listAll(this.resource, this.#api, this.#store, this.#timing.answerWithin, signal);
    if (!listed) {
      await this.#absent(signal);
      return;
    }
    this.#path = listed.path;
    this.#resourceVersion = listed.resourceVersion;
    this.#store.setServed?.(true);
    // The list is as old as its first page; the watch will deliver what has changed since.
    this.#confirm(started);
    this.#step(`${this.#store.size()} listed in ${this.#clock.now() - started} ms`);
    // If the watches fail, a successful list does not end the problem.
    if (this.#unproductiveWatches === 0) this.#recovered();
  }

  /** The API server says that there is no such kind, which confirms that there are no objects. */
  async #absent(signal: AbortSignal): Promise<void> {
    if (this.#state !== 'absent') this.#step('the cluster does not have this kind');
    this.#store.setServed?.(false);
    await deleteAllBut(new Set(), this.#store);
    this.#confirm(this.#clock.now());
    this.#unproductiveWatches = 0;
    this.#recovered('absent');
    await this.#clock.sleep(this.#timing.absentRecheck * (0.75 + this.#clock.random() / 2), signal);
  }

  async #watch(signal: AbortSignal): Promise<void> {
    const { watchFor, silence, answerWithin } = this.#timing;
    const answer = await this.#api.stream({
      path: this.#path,
      query: {
        watch: 'true',
        allowWatchBookmarks: 'true',
        resourceVersion: this.#resourceVersion,
        timeoutSeconds: `${watchFor / 1000}`,
        ...selectorsOf(this.resource),
      },
      timeout: answerWithin,
      signal,
    });
    addAbortSignal(signal, answer);
    const accepted = this.#clock.now();
    this.#unproductiveWatches += 1;
    const settling = this.#clock.after(SETTLES_AFTER_MS, () => this.#settled(accepted));
    const watchdog = this.#clock.after(silence, () => {
      this.#wasSilent = true;
      this.#unproductiveWatches += 1;
      answer.destroy(new Error(`the watch was silent for ${silence} ms`));
    });
    try {
      for await (const events of readWatchEvents(refreshing(watchdog, answer))) {
        for (const event of events) this.#handle(event);
        this.#confirmAlive();
      }
    } finally {
      settling.cancel();
      watchdog.cancel();
      answer.destroy();
    }
    const lasted = this.#clock.now() - accepted;
    if (lasted >= watchFor * 0.8) this.#confirmAlive();
    else if (lasted < SETTLES_AFTER_MS) throw new Error('the watch was closed at once');
  }

  #handle({ type, object }: WatchEvent): void {
    const key = objectKey(object);
    const version = partOf(object, 'metadata')['resourceVersion'];
    if (type !== 'BOOKMARK' && key !== undefined) {
      if (type === 'DELETED') this.#store.delete(key);
      else this.#store.apply(key, object);
    }
    if (typeof version === 'string') this.#resourceVersion = version;
  }

  /** The watch has delivered something that only a live connection delivers. */
  #confirmAlive(): void {
    this.#unproductiveWatches = 0;
    this.#wasSilent = false;
    this.#confirm(this.#clock.now());
    this.#recovered();
  }

  /**
   * The API server delivers missed events as soon as it has accepted a watch: if none arrive, the store is up to date.
   * After a watch that was closed for its silence, that conclusion is not safe.
   */
  #settled(accepted: number): void {
    if (this.#wasSilent) return;
    this.#unproductiveWatches = 0;
    this.#confirm(accepted);
    this.#recovered();
  }

  #confirm(at: number): void {
    this.#confirmedAtMs = Math.max(this.#confirmedAtMs ?? 0, at);
    this.#events.onConfirmed();
  }

  #recovered(state: KindStatus['state'] = 'watching'): void {
    this.#state = state;
    this.#failures = 0;
    if (this.#problem === undefined) return;
    this.#problem = undefined;
    this.#step(`up to date again after ${((this.#clock.now() - this.#failingSince) / 1000).toFixed(1)} s`);
  }

  /** @returns milliseconds to wait */
  #failed(error: unknown): number {
    if (this.#problem === undefined) this.#failingSince = this.#clock.now();
    this.#failures += 1;
    this.#state = 'retrying';
    if (cannotResume(error)) this.#unproductiveWatches = WATCHES_BEFORE_LIST;
    if (this.#unproductiveWatches >= WATCHES_BEFORE_LIST) this.#resourceVersion = undefined;
    const problem = messageOf(error);
    if (problem !== this.#problem) this.#events.onFailure(this.#named(problem));
    this.#problem = problem;
    const retryAfter = error instanceof ApiError ? error.retryAfter : undefined;
    return backoffDelay(this.#failures, this.#timing.backoffLimit, retryAfter, this.#clock.random());
  }
}

/** Passes a stream on, and restarts the timer with each chunk. */
async function* refreshing(timer: Timer, chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  for await (const chunk of chunks) {
    timer.restart();
    yield chunk;
  }
}

/**
 * Whether the kind must be listed again: the API server refuses to resume the watch (410, or another client error), or
 * it sent bytes that cannot be read, and would send them again.
 */
function cannotResume(error: unknown): boolean {
  if (error instanceof MalformedStream) return true;
  return error instanceof ApiError && error.status < 500 && ![401, 403, 429].includes(error.status);
}
