/**
 * Has ECI make snapshot copies of caches for many pods: holds such a cache back while it is made, asks for the copies once it
 * is Ready, and lets it go once ECI's API says that it is Ready again. It is never held back for long: whatever goes wrong, it
 * goes without copies.
 */
import type { Clock } from '../clock.ts';
import { COPIES } from '../core/annotations.ts';
import { cachesToHold } from '../core/controller/copies.ts';
import { describeCopies } from '../core/controller/held-copies.ts';
import type { Miss } from '../core/controller/misses.ts';
import type { OwnCache } from '../core/controller/own-cache.ts';
import type { RegionFacts } from '../core/controller/region-facts.ts';
import { HOPELESS, READY } from '../core/image-cache.ts';
import { messageOf } from '../core/kubernetes/problem.ts';
import type { Cluster } from './cluster.ts';

/** Milliseconds after which a cache goes although ECI has not said that the copies are made. */
const LONGEST_HOLD = 1_800_000;
/** Milliseconds that the call may take, and a second more, because the annotation says whole ones. */
const ASKING_TAKES = 20_000;
/** Milliseconds until the next look while caches are held back. */
const LOOK_EVERY = 5000;

export interface CopyingRegion extends RegionFacts {
  /** Has ECI make snapshot copies of a cache; undefined if the API is not asked. Rejects if ECI refuses. */
  readonly copy?: ((id: string, count: number) => Promise<void>) | undefined;
}

export class Copies {
  readonly #cluster: Cluster;
  readonly #region: CopyingRegion;
  readonly #isOn: boolean;
  readonly #onProblem: (problem: string) => void;
  readonly #clock: Clock;

  constructor(
    cluster: Cluster,
    region: CopyingRegion,
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
      if (mayAct()) await this.#annotate(cache, describeCopies(copies), signal);
    let isHolding = false;
    for (const cache of own.filter(({ copies }) => copies !== undefined)) {
      if (!mayAct()) break;
      // oxlint-disable-next-line no-await-in-loop -- one change after the other
      isHolding = (await this.#goOn(cache, signal)) || isHolding;
    }
    return isHolding ? this.#clock.now() + LOOK_EVERY : Infinity;
  }

  /** @returns whether the cache is held back still */
  async #goOn(cache: OwnCache, signal: AbortSignal): Promise<boolean> {
    const { name, id = '', phase, isMade, copies } = cache;
    const { count = 1, askedAtMs } = copies ?? {};
    if (askedAtMs !== undefined) {
      const isRead = isMade && (this.#region.readAtMs() ?? 0) > askedAtMs + ASKING_TAKES;
      const isDone = isRead && this.#region.listed(id)?.phase === READY;
      const isOver = HOPELESS.has(phase) || this.#clock.now() - askedAtMs > LONGEST_HOLD;
      if (!isDone && !isOver) return true;
      await this.#annotate(cache, null, signal);
      return false;
    }
    // While it is made there is nothing to ask for.
    if (!isMade) return false;
    const { copy } = this.#region;
    if (!this.#isOn || !copy) {
      await this.#annotate(cache, null, signal);
      return false;
    }
    // That ECI is asked is written first: if it could not be written afterwards, ECI would be asked again and again.
    const isWritten = await this.#annotate(cache, describeCopies(count, this.#clock.now()), signal);
    if (!isWritten) return true;
    try {
      await copy(id, count);
      return true;
    } catch (error) {
      if (!signal.aborted) this.#onProblem(`ImageCache ${name} gets no snapshot copies: ${messageOf(error)}`);
      await this.#annotate(cache, null, signal);
      return false;
    }
  }

  /** @returns whether it is written; if not, the next round tries again with the object as it is then */
  async #annotate(cache: OwnCache, copies: string | null, signal: AbortSignal): Promise<boolean> {
    const written = await this.#cluster.annotate(cache, { [COPIES]: copies }, signal);
    if (typeof written === 'object')
      this.#onProblem(`ImageCache ${cache.name} is refused by the API server: ${written.refused}`);
    return written === 'done';
  }
}
