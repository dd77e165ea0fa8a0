/**
 * The controller's reconciliation while this replica leads: makes the plan (core/controller/plan.ts) after each change
 * and when time alone changes it, and creates and deletes ImageCaches. The plan needs no state of this replica, so the
 * next leader makes the same plan.
 */
import type { Clock } from '../clock.ts';
import type { DecisionOptions } from '../core/decision/options.ts';
import { messageOf } from '../core/kubernetes/problem.ts';
import { FAILED, READY } from '../core/image-cache.ts';
import { oldestOf, stalenessOf } from '../core/staleness.ts';
import type { CacheOptions, OwnCache } from '../core/controller/own-cache.ts';
import { plan, type PlanOptions, type Refused } from '../core/controller/plan.ts';
import { NO_REGION } from '../core/controller/region-facts.ts';
import { firstNameOf } from '../core/controller/desired-cache.ts';
import type { TrackedView } from '../core/decision/view.ts';
import { Backoffs } from './backoffs.ts';
import { Changes, type ChangeEvents } from './changes.ts';
import type { Cluster } from './cluster.ts';
import { Copies, type CopyingRegion } from './copies.ts';
import { CreationLog } from './creation-log.ts';
import { LifePublication } from './life-publication.ts';
import { Looking, type LookOptions } from './look.ts';
import { tellMoved, tellParts } from './pack-events.ts';
import { PodEvents } from './pod-events.ts';
import { UseRecords } from './use-records.ts';
import { Waits, type WaitEvents } from './waits.ts';

export interface ReconcilerOptions extends PlanOptions, CacheOptions, LookOptions {
  readonly decision: DecisionOptions;
  /** Whether caches for more than a thousand pods get snapshot copies. */
  readonly snapshotCopies: boolean;
  /** Milliseconds between two reconciliations at most, because the system clock may be set. */
  readonly longestRest: number;
}

/** Called for the log and the metrics. */
export interface ReconcilerEvents extends ChangeEvents, WaitEvents {
  /** @param seconds since the cache was created */
  readonly onReady: (cache: OwnCache, seconds: number) => void;
  readonly onFailed: (cache: OwnCache) => void;
  /** Called in each reconciliation with the misses that get no cache. */
  readonly onRefused: (refused: readonly Refused[]) => void;
}

/** Milliseconds to wait after a change, so that the pods of one Deployment are seen together. */
const GATHERING = 200;
/** The controller rests this many times as long as its last look took, so that looks take at most a fifth of the time. */
const REST_SHARE = 4;
const FAULT_WAIT_MS = { first: 1000, longest: 30_000 };

export class Reconciler {
  readonly #cluster: Cluster;
  readonly #view: TrackedView;
  readonly #config: ReconcilerOptions;
  readonly #events: ReconcilerEvents;
  readonly #podEvents: PodEvents;
  readonly #clock: Clock;
  readonly #uses = new UseRecords();
  readonly #looking: Looking;
  readonly #changes: Changes;
  readonly #publication: LifePublication;
  readonly #waits: Waits;
  readonly #copies: Copies;
  /** The phases of the last reconciliation, by uid. Undefined before the first, which reports no change of phase. */
  #phases: ReadonlyMap<string, string> | undefined;
  #problem: string | undefined;
  /** How long the last look took, in milliseconds. */
  #lookTook = 0;
  /** Whether something has changed since the last reconciliation began. */
  #isWoken = false;
  #waiting: AbortController | undefined;

  constructor(
    cluster: Cluster,
    view: TrackedView,
    config: ReconcilerOptions,
    events: ReconcilerEvents,
    clock: Clock,
    region: CopyingRegion = NO_REGION,
  ) {
    this.#cluster = cluster;
    this.#view = view;
    this.#config = config;
    this.#events = events;
    this.#podEvents = new PodEvents((...said) => cluster.recordEvent(...said), config.decision);
    this.#clock = clock;
    const log = new CreationLog();
    const backoffs = new Backoffs();
    this.#looking = new Looking(cluster, view, config, this.#uses, log, backoffs, region);
    const onCreated: ChangeEvents['onCreated'] = (name, creation) => {
      events.onCreated(name, creation);
      this.#podEvents.created(name, creation.miss);
    };
    const onMerge: ChangeEvents['onMerge'] = (merge) => {
      events.onMerge(merge);
      tellParts(merge, (...said) => cluster.recordEvent(...said));
    };
    const onRefresh: ChangeEvents['onRefresh'] = (name, refresh) => {
      events.onRefresh(name, refresh);
      tellMoved(name, refresh, (...said) => cluster.recordEvent(...said));
    };
    const told = { ...events, onCreated, onMerge, onRefresh };
    this.#publication = new LifePublication(cluster, view, events.onProblem);
    this.#copies = new Copies(cluster, region, config.snapshotCopies, events.onProblem, clock);
    this.#waits = new Waits(cluster, view, config.decision, backoffs, events, clock);
    this.#changes = new Changes(cluster, config, backoffs, this.#uses, log, told, clock);
  }

  /** Starts a reconciliation soon, because something has changed. */
  wake(): void {
    this.#isWoken = true;
    this.#waiting?.abort();
  }

  /** Runs until the signal is aborted; never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    let failures = 0;
    // The uses before this replica led were recorded by the leader of that time.
    this.#cluster.takeUses();
    this.#podEvents.begin();
    while (!signal.aborted) {
      this.#isWoken = false;
      try {
        // oxlint-disable-next-line no-await-in-loop -- each round reads what the round before wrote
        const wait = await this.#reconcile(signal);
        failures = 0;
        // oxlint-disable-next-line no-await-in-loop
        await this.#restUntilWoken(wait, signal);
        // oxlint-disable-next-line no-await-in-loop
        await this.#clock.sleep(Math.max(GATHERING, this.#lookTook * REST_SHARE), signal);
      } catch (error) {
        if (signal.aborted) return;
        this.#report(messageOf(error));
        const wait = Math.min(FAULT_WAIT_MS.first * 2 ** Math.min(failures, 10), FAULT_WAIT_MS.longest);
        failures += 1;
        // oxlint-disable-next-line no-await-in-loop
        await this.#clock.sleep(wait, signal);
      }
    }
  }

  async #restUntilWoken(milliseconds: number, signal: AbortSignal): Promise<void> {
    if (this.#isWoken || signal.aborted) return;
    const waiting = new AbortController();
    const end = (): void => waiting.abort();
    this.#waiting = waiting;
    signal.addEventListener('abort', end);
    await this.#clock.sleep(milliseconds, waiting.signal);
    signal.removeEventListener('abort', end);
    this.#waiting = undefined;
  }

  /** @returns milliseconds until the next reconciliation is due even if nothing changes */
  async #reconcile(signal: AbortSignal): Promise<number> {
    const now = this.#clock.now();
    const fault = this.#staleness(now);
    if (fault !== undefined) {
      this.#report(fault);
      return FAULT_WAIT_MS.first;
    }
    const failed = this.#notePhases();
    this.#uses.note(this.#cluster.takeUses(), this.#cluster.ownCaches());
    const began = this.#clock.elapsed();
    const look = await this.#looking.look(now, signal);
    const options = { ...this.#config, quota: look.quota };
    const planned = plan(look.situation, options, now);
    this.#lookTook = this.#clock.elapsed() - began;
    const { misses } = look.situation;
    for (const { name } of failed) this.#podEvents.failed(name, misses.get(firstNameOf(name)));
    this.#events.onRefused(planned.refused);
    this.#podEvents.refused(planned.refused, options, now);
    this.#podEvents.starting(this.#cluster.pods(), this.#view, now);
    const mayAct = (): boolean => !signal.aborted && this.#staleness(this.#clock.now()) === undefined;
    const changeAgainAtMs = await this.#changes.carryOut(planned, look, mayAct, signal);
    const copiesAgainAtMs = await this.#copies.carryOut(misses, mayAct, signal);
    // Afterwards, because it shows whether the API server takes the caches that pods wait for.
    const waitsAgainAtMs = await this.#waits.end(look, planned, mayAct, signal);
    this.#problem = undefined;
    const publishAgainAtMs =
      this.#config.decision.createOnMiss.by === 'auto' && mayAct()
        ? await this.#publication.publish(this.#clock.now(), signal)
        : Infinity;
    const againAtMs = Math.min(
      planned.reconcileAgainAtMs,
      look.reconcileAgainAtMs,
      waitsAgainAtMs,
      copiesAgainAtMs,
      changeAgainAtMs,
      publishAgainAtMs,
    );
    return Math.min(Math.max(againAtMs - this.#clock.now(), 0), this.#config.longestRest);
  }

  /** Reports each cache that became Ready or failed since the last reconciliation. @returns the caches that failed */
  #notePhases(): readonly OwnCache[] {
    const phases = new Map<string, string>();
    const failed: OwnCache[] = [];
    for (const cache of this.#cluster.ownCaches()) {
      const { uid, phase, createdAtMs, updatedAtMs } = cache;
      phases.set(uid, phase);
      if (!this.#phases || this.#phases.get(uid) === phase) continue;
      if (phase === READY) this.#events.onReady(cache, Math.max(updatedAtMs - createdAtMs, 0) / 1000);
      if (phase !== FAILED) continue;
      this.#events.onFailed(cache);
      failed.push(cache);
    }
    this.#phases = phases;
    return failed;
  }

  /**
   * Why the controller must do nothing now; undefined if it may act. With old data it could delete a cache that pods
   * use, or make a cache that exists already.
   */
  #staleness(now: number): string | undefined {
    const { maxStalenessMs } = this.#config.decision;
    const oldest = oldestOf([this.#view.confirmedAtMs(), this.#cluster.confirmedAtMs()]);
    switch (stalenessOf(oldest, maxStalenessMs, now)?.reason) {
      case 'IndexNotSynced':
        return 'the cluster has not been read yet';
      case 'IndexStale':
        return `the cluster was last confirmed more than ${maxStalenessMs / 1000} s ago: the controller does nothing`;
      case undefined:
        return undefined;
    }
  }

  #report(problem: string): void {
    if (problem !== this.#problem) this.#events.onProblem(problem);
    this.#problem = problem;
  }
}
