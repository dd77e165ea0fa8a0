/**
 * Keeps the region's caches in the index, as ECI's API lists them: polls it, waits longer after each failure, and forgets the
 * list once it is too old. The objects of the cluster do not depend on it (docs/region.md).
 */
import type { Clock } from '../../clock.ts';
import { messageOf } from '../../core/kubernetes/problem.ts';
import type { RegionCaches, RegionEntry } from '../../index/region-caches.ts';
import type { KindStatus, Source } from '../source.ts';
import { readRegionCaches } from './region-cache.ts';
import type { RegionApi, RegionUsage } from './region-api.ts';
import { RegionApiError } from './region-error.ts';

export interface RegionSourceOptions {
  readonly region: string;
  /** Milliseconds from the end of a poll to the next; each wait differs by up to a tenth. */
  readonly pollIntervalMs: number;
  /** The list is forgotten if it has not been read anew for longer than this, in milliseconds. */
  readonly maxStalenessMs: number;
  /** Whether the quotas are asked for too. */
  readonly hasUsage: boolean;
}

export interface RegionSourceEvents {
  readonly onProblem: (problem: string) => void;
  readonly onProgress: (message: string) => void;
  /** The list was read, or forgotten. */
  readonly onChange: () => void;
  /** @param code `OK`, or the code of the failure */
  readonly onPoll: (code: string) => void;
}

/** The wait after a failure is at most this many times the interval. */
const LONGEST_WAIT = 8;
const JITTER = 0.2;

export class RegionSource implements Source {
  readonly #connect: () => RegionApi;
  readonly #caches: RegionCaches;
  readonly #options: RegionSourceOptions;
  readonly #events: RegionSourceEvents;
  readonly #clock: Clock;
  readonly #stopping = new AbortController();
  #api: RegionApi | undefined;
  #confirmedAtMs: number | undefined;
  #size = 0;
  #usage: RegionUsage | undefined;
  #problem: string | undefined;
  /** The problem that was told last, and not over since. */
  #told: string | undefined;
  #running: Promise<void> = Promise.resolve();

  constructor(
    connect: () => RegionApi,
    caches: RegionCaches,
    options: RegionSourceOptions,
    events: RegionSourceEvents,
    clock: Clock,
  ) {
    this.#connect = connect;
    this.#caches = caches;
    this.#options = options;
    this.#events = events;
    this.#clock = clock;
  }

  /** @returns once the first poll has ended, well or not */
  async start(): Promise<void> {
    const isRead = await this.#poll();
    this.#running = this.#run(isRead ? 0 : 1);
  }

  /** Does not wait for a call under way, whose answer nobody takes. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  problems(): readonly string[] {
    return this.#problem === undefined ? [] : [this.#problem];
  }

  status(): readonly KindStatus[] {
    const state =
      this.#problem !== undefined ? 'retrying' : this.#confirmedAtMs === undefined ? 'listing' : 'watching';
    return [{ kind: KIND, state, objects: this.#size, confirmedAtMs: this.#confirmedAtMs }];
  }

  /** When the API last listed the caches, in milliseconds since 1970; undefined: not yet. */
  confirmedAtMs(): number | undefined {
    return this.#confirmedAtMs;
  }

  /** Has ECI make snapshot copies of a cache, which is not Ready meanwhile. @throws Error */
  async copy(id: string, count: number): Promise<void> {
    this.#api ??= this.#connect();
    await this.#api.copy(id, count);
  }

  /** The quotas as the API last said; undefined if it did not say, or too long ago. */
  usage(): RegionUsage | undefined {
    return this.#isStale() ? undefined : this.#usage;
  }

  async #run(failures: number): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      // oxlint-disable-next-line no-await-in-loop -- one poll after the other
      await this.#rest(this.#waitAfter(failures));
      if (signal.aborted) return;
      // oxlint-disable-next-line no-await-in-loop
      failures = (await this.#poll()) ? 0 : failures + 1;
    }
  }

  #waitAfter(failures: number): number {
    const wait = this.#options.pollIntervalMs * Math.min(2 ** failures, LONGEST_WAIT);
    return wait * (1 + JITTER * (this.#clock.random() - 0.5));
  }

  /** Rests, and forgets the list as soon as it is too old. */
  async #rest(wait: number): Promise<void> {
    const { signal } = this.#stopping;
    const untilStale = (this.#confirmedAtMs ?? 0) + this.#options.maxStalenessMs - this.#clock.now();
    if (this.#size > 0 && untilStale < wait) {
      await this.#clock.sleep(Math.max(untilStale, 0), signal);
      if (signal.aborted) return;
      this.#take([]);
      this.#events.onProgress('the caches of the region are forgotten: the last list is too old');
      await this.#clock.sleep(wait - Math.max(untilStale, 0), signal);
      return;
    }
    await this.#clock.sleep(wait, signal);
  }

  /** @returns whether the list was read */
  async #poll(): Promise<boolean> {
    const began = this.#clock.now();
    try {
      this.#api ??= this.#connect();
      const list = this.#caches.begin();
      const items = await this.#inTime(this.#api.caches());
      if (this.#stopping.signal.aborted) return false;
      this.#problem = undefined;
      if (this.#options.hasUsage) await this.#readUsage(this.#api);
      this.#told = this.#problem;
      // What the API said is as old as the beginning of the poll.
      this.#confirmedAtMs = began;
      this.#take(readRegionCaches(items, this.#options.region), list);
      this.#events.onPoll('OK');
      return true;
    } catch (error) {
      this.#failed(error);
      return false;
    }
  }

  /** Without the quotas the list counts all the same. */
  async #readUsage(api: RegionApi): Promise<void> {
    this.#usage = undefined;
    try {
      this.#usage = await this.#inTime(api.usage());
    } catch (error) {
      this.#failed(error);
    }
  }

  /** A list has many pages: all of them together must come while the list before still counts. */
  async #inTime<T>(answer: Promise<T>): Promise<T> {
    const ended = new AbortController();
    const { signal } = this.#stopping;
    const late = this.#clock.sleep(this.#options.maxStalenessMs / 2, AbortSignal.any([signal, ended.signal]));
    try {
      return await Promise.race([
        answer,
        late.then((): never => {
          throw new RegionApiError('Timeout', 'DescribeImageCaches');
        }),
      ]);
    } finally {
      ended.abort();
    }
  }

  #failed(error: unknown): void {
    if (this.#stopping.signal.aborted) return;
    const problem = `caches of the region: ${messageOf(error)}`;
    if (problem !== this.#told) this.#events.onProblem(problem);
    this.#problem = problem;
    this.#told = problem;
    this.#events.onPoll(error instanceof RegionApiError ? error.code : 'Unknown');
  }

  #take(entries: readonly RegionEntry[], list?: number): void {
    this.#caches.reset(entries, list);
    this.#size = entries.length;
    this.#events.onChange();
  }

  #isStale(): boolean {
    return this.#clock.now() - (this.#confirmedAtMs ?? 0) >= this.#options.maxStalenessMs;
  }
}

const KIND = 'ImageCache of the region';
