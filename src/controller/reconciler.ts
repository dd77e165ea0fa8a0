/**
 * The controller's reconciliation while this replica leads: makes the plan (core/controller/plan.ts) after each change
 * and when time alone changes it, and creates and deletes ImageCaches. The plan needs no state of this replica, so the
 * next leader makes the same plan.
 */
import type { Clock } from '../clock.ts';
import type { DecisionOptions } from '../core/decision/options.ts';
import type { JsonObject } from '../core/kubernetes/json.ts';
import { messageOf } from '../core/kubernetes/problem.ts';
import { FAILED, READY } from '../core/image-cache.ts';
import { oldestOf, stalenessOf } from '../core/staleness.ts';
import { missesOf, type Miss, type CredentialOptions } from '../core/controller/misses.ts';
import { cacheObject, type CacheOptions, type OwnCache } from '../core/controller/own-cache.ts';
import { plan, type Creation, type Deletion, type Plan, type PlanOptions } from '../core/controller/plan.ts';
import { comingPods, type PrewarmOptions, type Workloads } from '../core/controller/prewarm.ts';
import { cachesPointedTo, type WatchedPod } from '../core/controller/watched-pod.ts';
import { firstNameOf, nameOfAttempt } from '../core/controller/desired-cache.ts';
import type { View } from '../core/decision/view.ts';
import { PodEvents, type RecordEvent } from './pod-events.ts';

/** The state of the cluster, and the changes that the controller may make. */
export interface Cluster extends Workloads {
  markedPods(): Iterable<WatchedPod>;
  pendingPods(): Iterable<WatchedPod>;
  ownCaches(): readonly OwnCache[];
  /** When the API server last confirmed the pods and ImageCaches; undefined before the first time. */
  confirmedAtMs(): number | undefined;
  /**
   * @returns `refused` if the API server will never accept the object
   * @throws if it may accept the object later
   */
  create(object: JsonObject): Promise<'created' | 'exists' | { readonly refused: string }>;
  /** @returns false if the object is gone already */
  delete(cache: OwnCache): Promise<boolean>;
  readonly recordEvent: RecordEvent;
}

export interface ReconcilerOptions extends PlanOptions, CacheOptions {
  readonly decision: DecisionOptions;
  readonly credentials: CredentialOptions;
  /** Undefined: caches are made after a miss only. */
  readonly prewarm: PrewarmOptions | undefined;
}

/** Called for the log and the metrics. */
export interface ReconcilerEvents {
  readonly onCreated: (name: string, creation: Creation) => void;
  readonly onDeleted: (deletion: Deletion) => void;
  /** @param seconds since the cache was created */
  readonly onReady: (cache: OwnCache, seconds: number) => void;
  readonly onFailed: (cache: OwnCache) => void;
  /** Called in each reconciliation with the number of misses for which the quota has no room. */
  readonly onRefused: (count: number) => void;
  readonly onProblem: (problem: string) => void;
}

/** Milliseconds to wait after a change, so that the pods of one Deployment are seen together. */
const GATHERING = 200;
/**
 * The controller rests this many times as long as its last plan took, so that plans take at most a fifth of the time: a
 * plan for 20,000 marked pods takes most of a second.
 */
const REST_SHARE = 4;
/**
 * Milliseconds between two reconciliations at most: a refusal (REFUSED_FOR) ends without an event, and the system clock
 * may be set.
 */
const LONGEST_REST = 60_000;
const FAULT_WAIT_MS = { first: 1000, longest: 30_000 };
/** Milliseconds until the controller retries a cache that the API server refused: the reason may be gone by then. */
const REFUSED_FOR = 300_000;

export class Reconciler {
  readonly #cluster: Cluster;
  readonly #view: View;
  readonly #config: ReconcilerOptions;
  readonly #events: ReconcilerEvents;
  readonly #podEvents: PodEvents;
  readonly #clock: Clock;
  /** When the controller may retry a cache that the API server refused, in milliseconds since 1970; by name. */
  readonly #refused = new Map<string, number>();
  /** The phases of the last reconciliation, by uid. Undefined before the first, which reports no change of phase. */
  #phases: ReadonlyMap<string, string> | undefined;
  #problem: string | undefined;
  /** How long the last plan took, in milliseconds. */
  #planTook = 0;
  /** Whether something has changed since the last reconciliation began. */
  #isWoken = false;
  #waiting: AbortController | undefined;

  constructor(
    cluster: Cluster,
    view: View,
    config: ReconcilerOptions,
    events: ReconcilerEvents,
    clock: Clock,
  ) {
    this.#cluster = cluster;
    this.#view = view;
    this.#config = config;
    this.#events = events;
    this.#podEvents = new PodEvents((...said) => cluster.recordEvent(...said), config.decision);
    this.#clock = clock;
  }

  /** Starts a reconciliation soon, because something has changed. */
  wake(): void {
    this.#isWoken = true;
    this.#waiting?.abort();
  }

  /** Runs until the signal is aborted; never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    let failures = 0;
    while (!signal.aborted) {
      this.#isWoken = false;
      try {
        // oxlint-disable-next-line no-await-in-loop -- each round reads what the round before wrote
        const wait = await this.#reconcile(signal);
        failures = 0;
        // oxlint-disable-next-line no-await-in-loop
        await this.#restUntilWoken(wait, signal);
        // oxlint-disable-next-line no-await-in-loop
        await this.#clock.sleep(Math.max(GATHERING, this.#planTook * REST_SHARE), signal);
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
    const { misses, deletions, creations, refused, reconcileAgainAtMs } = this.#plan(now);
    for (const { name } of failed) this.#podEvents.failed(name, misses.get(firstNameOf(name)));
    this.#events.onRefused(refused.length);
    for (const miss of refused) this.#podEvents.refused(miss, this.#config.quota);
    this.#podEvents.starting(this.#cluster.pendingPods(), this.#view, now);
    for (const deletion of deletions) {
      if (signal.aborted) return 0;
      // oxlint-disable-next-line no-await-in-loop -- one after the other, to be gentle with the API server
      if (await this.#cluster.delete(deletion.cache)) this.#events.onDeleted(deletion);
    }
    for (const creation of creations) {
      if (signal.aborted) return 0;
      // oxlint-disable-next-line no-await-in-loop
      await this.#create(creation);
    }
    this.#problem = undefined;
    return Math.min(Math.max(reconcileAgainAtMs - now, 0), LONGEST_REST);
  }

  #plan(now: number): Plan & { readonly misses: ReadonlyMap<string, Miss> } {
    const { decision, prewarm } = this.#config;
    const began = this.#clock.elapsed();
    const coming = prewarm
      ? comingPods(this.#cluster, this.#view, prewarm, now)
      : { pods: [], reconcileAgainAtMs: Infinity };
    const pods = [...this.#cluster.markedPods(), ...coming.pods];
    const misses = missesOf(pods, this.#view, decision, this.#config.credentials, now);
    const inUse = new Set<string>();
    for (const pod of this.#cluster.pendingPods()) for (const id of cachesPointedTo(pod)) inUse.add(id);
    const planned = plan(this.#cluster.ownCaches(), misses, inUse, this.#config, now);
    this.#planTook = this.#clock.elapsed() - began;
    return {
      ...planned,
      misses,
      reconcileAgainAtMs: Math.min(planned.reconcileAgainAtMs, coming.reconcileAgainAtMs),
    };
  }

  async #create(creation: Creation): Promise<void> {
    const { miss, attempt, firstAttemptAtMs } = creation;
    const name = nameOfAttempt(creation.name, attempt);
    if (this.#clock.now() < (this.#refused.get(name) ?? 0)) return;
    const answer = await this.#cluster.create(
      cacheObject(miss.desired, this.#config, attempt, firstAttemptAtMs),
    );
    if (answer === 'created') {
      this.#events.onCreated(name, creation);
      this.#podEvents.created(name, miss);
    }
    if (typeof answer !== 'object') return;
    this.#refused.set(name, this.#clock.now() + REFUSED_FOR);
    this.#events.onProblem(`ImageCache ${name} is refused by the API server: ${answer.refused}`);
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
