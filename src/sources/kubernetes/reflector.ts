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
import type { IncomingMessage } from 'node:http';
import { addAbortSignal } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../../core/error-message.ts';
import { partOf, type JsonObject } from '../../core/json.ts';
import { ApiError, type ApiClient } from './api-client.ts';
import { backoffDelay } from './backoff.ts';
import { readList, type ListEnd } from './list-stream.ts';
import { MalformedStream, readWatchEvents, type WatchEvent } from './watch-events.ts';

/** A kind of object, and where the API server has it. */
export interface Resource {
  /** `ImageCache`: for people and metrics. */
  readonly kind: string;
  /** Paths of the collection, in order of preference: versions of one resource. The first that is served is used. */
  readonly paths: readonly string[];
  /** Restricts what is listed and watched: `metadata.name=eci-profile`. */
  readonly fieldSelector?: string;
  /** The same by labels: `app=web`, or a label alone for what has it. */
  readonly labelSelector?: string;
  /** Whether a cluster may lack it, as it does a custom resource that nobody installed. */
  readonly mayBeAbsent: boolean;
}

/** Where the objects go. Nothing here throws: a bad object is the store's to report. */
export interface Store {
  readonly apply: (key: string, object: JsonObject) => void;
  readonly delete: (key: string) => void;
  readonly keys: () => Iterable<string>;
  readonly size: () => number;
  /** Whether the API server has the kind at all; told once all its objects are here, or all are gone. */
  readonly setServed?: (served: boolean) => void;
}

export type ReflectorState = 'listing' | 'watching' | 'absent' | 'retrying';

export interface ReflectorEvents {
  /** Something is wrong, or wrong in another way. Each message begins with the kind. */
  readonly onFailure: (message: string) => void;
  /** Everything is as it should be, for the first time or again. */
  readonly onStep: (message: string) => void;
  /** The API server has confirmed what the store holds. */
  readonly onConfirmed: () => void;
}

/** All in milliseconds. */
export interface Timing {
  /** After which the server is asked to end a watch; whole seconds. */
  readonly watchFor: number;
  /** A watch without a byte for so long is dead. */
  readonly silence: number;
  /** For the head of an answer, or a page of a list. */
  readonly answerWithin: number;
  /** Longest wait after failures in a row. */
  readonly backoffLimit: number;
  /** How often to look whether an absent kind has come. */
  readonly absentRecheck: number;
}

/** @param maxStaleness milliseconds for which knowledge is true without word */
export function timingFor(maxStaleness: number): Timing {
  const third = maxStaleness / 3;
  const watchFor = Math.min(Math.max(Math.floor(third / 1000), 1) * 1000, 300_000);
  return {
    watchFor,
    silence: watchFor + Math.min(third / 2, 5000),
    answerWithin: Math.min(third, 15_000),
    backoffLimit: Math.min(third, 10_000),
    absentRecheck: Math.min(third, 5000),
  };
}

/** Objects a page, as Go clients have it: small for the API server, and few for etcd, which counts all at each. */
const PAGE = 500;
/** Deletions after a list between which others get their turn. */
const DELETIONS_AT_ONCE = 500;
/** Milliseconds after which a watch that was accepted would have brought what it had missed. */
const SETTLES_AFTER = 500;
/** Barren watches after which a list tells what they did not. */
const WATCHES_BEFORE_LIST = 2;

export class Reflector {
  readonly resource: Resource;
  readonly #api: ApiClient;
  readonly #store: Store;
  readonly #timing: Timing;
  readonly #events: ReflectorEvents;
  readonly #now: () => number;
  #state: ReflectorState = 'listing';
  #confirmedAt: number | undefined;
  /** Where a watch may start; undefined where only a list can tell. */
  #resourceVersion: string | undefined;
  /** The one of the resource's paths that is served. */
  #path: string;
  #failures = 0;
  /** How much speaks against watches, as long as they bring no word: accepted ones that ended, and how they did. */
  #barrenWatches = 0;
  /** Whether the last watch was cut because it was silent. */
  #silentLast = false;
  #problem: string | undefined;
  #failingSince = 0;

  /** @param now milliseconds since 1970 */
  constructor(
    resource: Resource,
    api: ApiClient,
    store: Store,
    timing: Timing,
    events: ReflectorEvents,
    now: () => number,
  ) {
    this.resource = resource;
    this.#api = api;
    this.#store = store;
    this.#timing = timing;
    this.#events = events;
    this.#now = now;
    this.#path = resource.paths[0] ?? '';
  }

  get state(): ReflectorState {
    return this.#state;
  }

  /** Milliseconds since 1970; undefined before the first complete list. */
  get confirmedAt(): number | undefined {
    return this.#confirmedAt;
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
        await rest(this.#failed(error), signal);
      }
    }
  }

  async #list(signal: AbortSignal): Promise<void> {
    if (this.#state !== 'absent') this.#state = this.#failures > 0 ? 'retrying' : 'listing';
    const started = this.#now();
    const version = await this.#listServed(signal);
    if (version === undefined) {
      await this.#absent(signal);
      return;
    }
    this.#resourceVersion = version;
    this.#store.setServed?.(true);
    // The list is as old as its first page; what came since, the watch will tell.
    this.#confirm(started);
    this.#step(`${this.#store.size()} listed in ${this.#now() - started} ms`);
    // Where it is the watch that fails, a list changes nothing about that.
    if (this.#barrenWatches === 0) this.#inStep();
  }

  /** @returns the list's resourceVersion; undefined where no path is served */
  async #listServed(signal: AbortSignal): Promise<string | undefined> {
    for (const path of this.resource.paths) {
      try {
        // oxlint-disable-next-line no-await-in-loop -- the second only where the first is not there
        const version = await this.#listPages(path, signal);
        this.#path = path;
        return version;
      } catch (error) {
        if (!this.resource.mayBeAbsent || !(error instanceof ApiError && error.status === 404)) throw error;
      }
    }
    return undefined;
  }

  async #listPages(path: string, signal: AbortSignal): Promise<string> {
    const listed = new Set<string>();
    let token: string | undefined;
    let version: string | undefined;
    do {
      const request = {
        path,
        query: { limit: `${PAGE}`, continue: token, ...this.#selectors() },
        timeout: this.#timing.answerWithin,
        signal,
      };
      const read = (answer: IncomingMessage): Promise<ListEnd> =>
        readList(answer, (object) => {
          const key = keyOf(object);
          if (key === undefined) return;
          listed.add(key);
          this.#store.apply(key, object);
        });
      // oxlint-disable-next-line no-await-in-loop -- each page names the next
      const end = await this.#api.read(request, read);
      version ??= end.resourceVersion;
      token = end.continue;
    } while (token !== undefined);
    await this.#deleteAllBut(listed);
    return version;
  }

  #selectors(): Pick<Resource, 'fieldSelector' | 'labelSelector'> {
    const { fieldSelector, labelSelector } = this.resource;
    return { ...(fieldSelector && { fieldSelector }), ...(labelSelector && { labelSelector }) };
  }

  async #deleteAllBut(listed: ReadonlySet<string>): Promise<void> {
    let deleted = 0;
    for (const key of this.#store.keys()) {
      if (listed.has(key)) continue;
      this.#store.delete(key);
      // oxlint-disable-next-line no-await-in-loop -- to let others have their turn is its purpose
      if (++deleted % DELETIONS_AT_ONCE === 0) await sleep(0);
    }
  }

  /** The API server says that there is no such kind, which is word too. */
  async #absent(signal: AbortSignal): Promise<void> {
    if (this.#state !== 'absent') this.#step('the cluster does not have this kind');
    this.#store.setServed?.(false);
    await this.#deleteAllBut(new Set());
    this.#confirm(this.#now());
    this.#barrenWatches = 0;
    this.#inStep('absent');
    await rest(this.#timing.absentRecheck * (0.75 + Math.random() / 2), signal);
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
        ...this.#selectors(),
      },
      timeout: answerWithin,
      signal,
    });
    addAbortSignal(signal, answer);
    const accepted = this.#now();
    this.#barrenWatches += 1;
    const settling = setTimeout(() => this.#settled(accepted), SETTLES_AFTER);
    const watchdog = setTimeout(() => {
      this.#silentLast = true;
      this.#barrenWatches += 1;
      answer.destroy(new Error(`the watch was silent for ${silence} ms`));
    }, silence);
    try {
      for await (const events of readWatchEvents(refreshing(watchdog, answer))) {
        for (const event of events) this.#handle(event);
        this.#word();
      }
    } finally {
      clearTimeout(settling);
      clearTimeout(watchdog);
      answer.destroy();
    }
    const lasted = this.#now() - accepted;
    if (lasted >= watchFor * 0.8) this.#word();
    else if (lasted < SETTLES_AFTER) throw new Error('the watch was closed at once');
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
  #word(): void {
    this.#barrenWatches = 0;
    this.#silentLast = false;
    this.#confirm(this.#now());
    this.#inStep();
  }

  /**
   * The API server sends what a watch has missed as soon as it has accepted it. Where nothing more comes, nothing was
   * missed up to then; unless the last watch was accepted too, and dead.
   */
  #settled(accepted: number): void {
    if (this.#silentLast) return;
    this.#barrenWatches = 0;
    this.#confirm(accepted);
    this.#inStep();
  }

  #confirm(at: number): void {
    this.#confirmedAt = Math.max(this.#confirmedAt ?? 0, at);
    this.#events.onConfirmed();
  }

  #inStep(state: ReflectorState = 'watching'): void {
    this.#state = state;
    this.#failures = 0;
    if (this.#problem === undefined) return;
    this.#problem = undefined;
    this.#step(`in step again after ${((this.#now() - this.#failingSince) / 1000).toFixed(1)} s`);
  }

  /** @returns milliseconds to wait */
  #failed(error: unknown): number {
    if (this.#problem === undefined) this.#failingSince = this.#now();
    this.#failures += 1;
    this.#state = 'retrying';
    if (cannotResume(error)) this.#barrenWatches = WATCHES_BEFORE_LIST;
    if (this.#barrenWatches >= WATCHES_BEFORE_LIST) this.#resourceVersion = undefined;
    const problem = messageOf(error);
    if (problem !== this.#problem) this.#events.onFailure(this.#named(problem));
    this.#problem = problem;
    const retryAfter = error instanceof ApiError ? error.retryAfter : undefined;
    return backoffDelay(this.#failures, this.#timing.backoffLimit, retryAfter, Math.random());
  }
}

/** Passes a stream on; each chunk puts the timer off. */
async function* refreshing(timer: NodeJS.Timeout, chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  for await (const chunk of chunks) {
    timer.refresh();
    yield chunk;
  }
}

async function rest(milliseconds: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(milliseconds, undefined, { signal });
  } catch {
    // The signal ends the rest, and then the run.
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

/** `namespace/name`, or the name alone; undefined for an object without one. */
function keyOf(object: JsonObject): string | undefined {
  const { name, namespace } = partOf(object, 'metadata');
  if (typeof name !== 'string') return undefined;
  return typeof namespace === 'string' && namespace !== '' ? `${namespace}/${name}` : name;
}
