/**
 * Has ECI make snapshot copies of caches for many pods: holds such a cache back while it is made, asks for the copies once it
 * is Ready, and lets it go once ECI's API says that it is Ready again. It is never held back for long: whatever goes wrong, it
 * goes without copies.
 */
import type { Clock } from '../clock.ts';
import { COPIES } from '../core/annotations.ts';
import { cachesToHold } from '../core/controller/copies.ts';
import type { Miss } from '../core/controller/misses.ts';
import type { OwnCache } from '../core/controller/own-cache.ts';
import type { RegionFacts } from '../core/controller/region-facts.ts';
import { READY } from '../core/image-cache.ts';
import { messageOf } from '../core/kubernetes/problem.ts';
import type { Cluster } from './cluster.ts';

/** Milliseconds after which a cache goes although ECI has not said that the copies are made. */
const LONGEST_HOLD = 1_800_000;
/** Milliseconds until the next look while caches are held back. */
const LOOK_EVERY = 5000;

export class Copies {
  readonly #cluster: Cluster;
  readonly #region: RegionFacts;
  readonly #isOn: boolean;
  readonly #onProblem: (problem: string) => void;
  readonly #clock: Clock;
  /** By uid, when the copies were asked for, in milliseconds since 1970; as many as caches are held back. */
  #askedAtMs = new Map<string, number>();

  constructor(
    cluster: Cluster,
    region: RegionFacts,
    isOn: boolean,
    onProblem: (problem: string) => void,
    clock: Clock,
  ) {
    this.#cluster = cluster;
    this.#region = region;
    this.#isOn = isOn;
    this.#onProblem = onProblem;
    this.#clock = clock;
  }

  /**
   * @param mayAct asked before each change
   * @returns when it is due again, in milliseconds since 1970; Infinity: when something has changed
   * @throws if the API server can serve nobody now
   */
  async carryOut(
    misses: ReadonlyMap<string, Miss>,
    mayAct: () => boolean,
    signal: AbortSignal,
  ): Promise<number> {
    const own = this.#cluster.ownCaches();
    for (const { cache, copies } of this.#isOn ? cachesToHold(own, misses) : [])
      // oxlint-disable-next-line no-await-in-loop -- one change after the other
      if (mayAct()) await this.#annotate(cache, `${copies}`, signal);
    const asked = new Map<string, number>();
    for (const cache of own.filter(({ copies }) => copies !== undefined)) {
      const askedAtMs = this.#askedAtMs.get(cache.uid);
      if (askedAtMs !== undefined) asked.set(cache.uid, askedAtMs);
      // While it is made, or updated, there is nothing to ask for.
      if (!cache.isMade || !mayAct()) continue;
      // oxlint-disable-next-line no-await-in-loop
      const nextAtMs = await this.#next(cache, askedAtMs, signal);
      // oxlint-disable-next-line no-await-in-loop
      if (nextAtMs === undefined) await this.#annotate(cache, null, signal);
      else asked.set(cache.uid, nextAtMs);
    }
    this.#askedAtMs = asked;
    return asked.size > 0 ? this.#clock.now() + LOOK_EVERY : Infinity;
  }

  /** @returns when the copies were asked for; undefined if the cache may go */
  async #next(
    cache: OwnCache,
    askedAtMs: number | undefined,
    signal: AbortSignal,
  ): Promise<number | undefined> {
    const { name, id = '', copies = 1 } = cache;
    const now = this.#clock.now();
    if (askedAtMs !== undefined) {
      const isDone = (this.#region.readAtMs() ?? 0) > askedAtMs && this.#region.listed(id)?.phase === READY;
      return isDone || now - askedAtMs > LONGEST_HOLD ? undefined : askedAtMs;
    }
    if (!this.#isOn || !this.#region.copy) return undefined;
    try {
      await this.#region.copy(id, copies);
      return now;
    } catch (error) {
      if (!signal.aborted) this.#onProblem(`ImageCache ${name} gets no snapshot copies: ${messageOf(error)}`);
      return undefined;
    }
  }

  async #annotate(cache: OwnCache, copies: string | null, signal: AbortSignal): Promise<void> {
    const written = await this.#cluster.annotate(cache, { [COPIES]: copies }, signal);
    if (typeof written === 'object')
      this.#onProblem(`ImageCache ${cache.name} is refused by the API server: ${written.refused}`);
  }
}
