/**
 * Owns the life of one list-and-watch: it lists a kind in pages, watches from there, resumes where a watch ends, lists
 * again where it cannot resume, and never gives up. It knows at every moment how old its knowledge is. What the
 * objects mean is the store's.
 *
 * Word from the API server, by which knowledge counts as confirmed, is: a complete list; an event; a bookmark; a watch
 * newly accepted; a watch that the server ended when its time was over. An open connection by itself is none, as it may
 * long be dead. So each watch is asked to end after a third of maxStaleness, and one that stays silent for longer than
 * that is cut.
 */
import { addAbortSignal } from 'node:stream';
import type { Clock, Timer } from '../../clock.ts';
import { messageOf, partOf } from '../../core/kubernetes/json.ts';
import { ApiError, type ApiClient } from './api-client.ts';
import { backoffDelay } from './backoff.ts';
import { deleteAllBut, keyOf, listAll, selectorsOf, type Resource, type Store } from './list-all.ts';
import type { Timing } from './reflector-timing.ts';
import { MalformedStream, readWatchEvents, type WatchEvent } from './watch-events.ts';

export type ReflectorState = 'listing' | 'watching' | 'absent' | 'retrying';

export interface ReflectorEvents {
  /** Something is wrong, or wrong in another way. Each message begins with the kind. */
  readonly onFailure: (message: string) => void;
  /** Everything is as it should be, for the first time or again. */
  readonly onStep: (message: string) => void;
  /** The API server has confirmed what the store holds. */
  readonly onConfirmed: () => void;
}

/** Milliseconds after which a watch that was accepted would have brought what it had missed. */
const SETTLES_AFTER_MS = 500;
/** Barren watches after which a list tells what they did not. */
const WATCHES_BEFORE_LIST = 2;

export class Reflector {
  readonly resource: Resource;
  readonly #api: ApiClient;
  readonly #store: Store;
  readonly #timing: Timing;
  readonly #events: ReflectorEvents;
  readonly #clock: Clock;
  #state: ReflectorState = 'listing';
  #confirmedAtMs: number | undefined;
  /** Where a watch may start; undefined where only a list can tell. */
  #resourceVersion: string | undefined;
  /** The one of the resource's paths that is served. */
  #path: string;
  #failures = 0;
  /** How much speaks against watches, as long as they bring no word: accepted ones that ended, and how they did. */
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

  get state(): ReflectorState {
    return this.#state;
  }

  /** When the API server last confirmed what the store holds; undefined before the first complete list. */
  get confirmedAtMs(): number | undefined {
    return this.#confirmedAtMs;
  }

  /** What is wrong at the moment, of which kind. */
  get problem(): string | undefined {
    return this.#problem === undefined ? undefined : this.#named(this.#problem);
  }

  #named(message: string): string {
    return `${this.resource.kind}: ${message}`;
  }

  #step(message: string): void {
    this.#events.onStep(this.#named(message));
  }

  /** Runs until the signal; never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        // Each round is one attempt, and rests on the one before.
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
    // The list is as old as its first page; what came since, the watch will tell.
    this.#confirm(started);
    this.#step(`${this.#store.size()} listed in ${this.#clock.now() - started} ms`);
    // Where it is the watch that fails, a list changes nothing about that.
    if (this.#unproductiveWatches === 0) this.#recovered();
  }

  /** The API server says that there is no such kind, which is word too. */
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
    const key = keyOf(object);
    const version = partOf(object, 'metadata')['resourceVersion'];
    if (type !== 'BOOKMARK' && key !== undefined) {
      if (type === 'DELETED') this.#store.delete(key);
      else this.#store.apply(key, object);
    }
    if (typeof version === 'string') this.#resourceVersion = version;
  }

  /** The watch has brought something that only a live one brings. */
  #confirmAlive(): void {
    this.#unproductiveWatches = 0;
    this.#wasSilent = false;
    this.#confirm(this.#clock.now());
    this.#recovered();
  }

  /**
   * The API server sends what a watch has missed as soon as it has accepted it. Where nothing more comes, nothing was
   * missed up to then; unless the last watch was accepted too, and dead.
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

  #recovered(state: ReflectorState = 'watching'): void {
    this.#state = state;
    this.#failures = 0;
    if (this.#problem === undefined) return;
    this.#problem = undefined;
    this.#step(`in step again after ${((this.#clock.now() - this.#failingSince) / 1000).toFixed(1)} s`);
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

/** Passes a stream on; each chunk puts the timer off. */
async function* refreshing(timer: Timer, chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  for await (const chunk of chunks) {
    timer.restart();
    yield chunk;
  }
}

/**
 * Whether only a list helps: the API server says that the watch cannot go on from where it was, as with 410, or what
 * came cannot be read, and would come again.
 */
function cannotResume(error: unknown): boolean {
  if (error instanceof MalformedStream) return true;
  return error instanceof ApiError && error.status < 500 && ![401, 403, 429].includes(error.status);
}
