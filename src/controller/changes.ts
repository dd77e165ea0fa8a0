/**
 * Carries out a plan: marks, unmarks, deletes and creates ImageCaches, and records their use. If the API server refuses
 * the change of one object, the others go on, and that object waits longer and longer.
 */
import type { Clock } from '../clock.ts';
import {
  cacheObject,
  describeRetiring,
  MOST_USERS,
  type CacheOptions,
  type OwnCache,
} from '../core/controller/own-cache.ts';
import { firstNameOf, nameOfAttempt } from '../core/controller/desired-cache.ts';
import { setOf } from '../core/controller/image-sets.ts';
import { PACKER, type Merge } from '../core/controller/packing.ts';
import type { Creation, Plan } from '../core/controller/plan.ts';
import type { Refresh } from '../core/controller/refresh.ts';
import type { Deletion } from '../core/controller/retirement.ts';
import { LAST_USED, RETIRING } from '../core/annotations.ts';
import { partOf, type JsonObject } from '../core/kubernetes/json.ts';
import { messageOf } from '../core/kubernetes/problem.ts';
import { formatTime } from '../core/kubernetes/time.ts';
import type { Backoffs } from './backoffs.ts';
import type { Cluster, Written } from './cluster.ts';
import type { CreationLog } from './creation-log.ts';
import type { Look } from './look.ts';
import type { UseRecord, UseRecords } from './use-records.ts';

/** After so many objects in a row without an answer, the API server itself is at fault. */
const FAULTS_OF_ALL = 3;

export interface ChangeEvents {
  readonly onCreated: (name: string, creation: Creation) => void;
  readonly onMerge: (merge: Merge) => void;
  /** @param name of the cache that takes the place of the one with the moved tag */
  readonly onRefresh: (name: string, refresh: Refresh) => void;
  readonly onMarked: (deletion: Deletion) => void;
  readonly onUnmarked: (cache: OwnCache) => void;
  readonly onDeleted: (deletion: Deletion) => void;
  readonly onProblem: (problem: string) => void;
}

export class Changes {
  readonly #cluster: Cluster;
  readonly #options: CacheOptions;
  readonly #uses: UseRecords;
  readonly #log: CreationLog;
  readonly #events: ChangeEvents;
  readonly #clock: Clock;
  readonly #backoffs: Backoffs;
  /** Deletions of this round that were not carried out. */
  #placesMissing = 0;
  /** Of the round under way. */
  #signal = new AbortController().signal;
  /** Writes in a row that got no answer, or one that concerns all. */
  #faultsInRow = 0;

  constructor(
    cluster: Cluster,
    options: CacheOptions,
    backoffs: Backoffs,
    uses: UseRecords,
    log: CreationLog,
    events: ChangeEvents,
    clock: Clock,
  ) {
    this.#cluster = cluster;
    this.#options = options;
    this.#backoffs = backoffs;
    this.#uses = uses;
    this.#log = log;
    this.#events = events;
    this.#clock = clock;
  }

  /**
   * One change after the other, to be gentle with the API server.
   * @param mayAct whether this replica still leads and knows the cluster; asked before each change
   * @param signal ends the change under way, because the leadership is over
   * @returns when something is due again, in milliseconds since 1970; Infinity: never
   * @throws if the API server gives no answer, or can serve nobody now
   */
  async carryOut(planned: Plan, look: Look, mayAct: () => boolean, signal: AbortSignal): Promise<number> {
    const { marks, unmarks, deletions, creations, merges, refreshes } = planned;
    const own = this.#cluster.ownCaches();
    const isWaiting = ({ name }: OwnCache): boolean =>
      this.#backoffs.isWaiting(recordName(name), this.#clock.now());
    const { records, nextAtMs } = this.#uses.due(own, look.usage, this.#clock.now(), isWaiting);
    this.#placesMissing = 0;
    this.#signal = signal;
    const changes: readonly (() => Promise<unknown>)[] = [
      ...unmarks.map((cache) => () => this.#unmark(cache)),
      ...marks.map((deletion) => () => this.#mark(deletion)),
      ...deletions.map((deletion) => () => this.#delete(deletion, look)),
      ...merges.map((merge) => () => this.#merge(merge)),
      ...creations.map((creation) => () => this.#create(creation)),
      ...refreshes.map((refresh) => () => this.#refresh(refresh)),
      ...records.map((record) => () => this.#record(record)),
    ];
    for (const change of changes) {
      if (!mayAct()) break;
      // oxlint-disable-next-line no-await-in-loop
      await change();
    }
    return Math.min(nextAtMs, this.#backoffs.nextAtMs(this.#clock.now()));
  }

  async #mark(deletion: Deletion): Promise<void> {
    const { cache, reason } = deletion;
    const mark = describeRetiring({ reason, sinceMs: this.#clock.now() });
    await this.#change(
      cache.name,
      () => this.#cluster.annotate(cache, { [RETIRING]: mark }, this.#signal),
      () => this.#events.onMarked(deletion),
    );
  }

  async #unmark(cache: OwnCache): Promise<void> {
    // Pods need it or miss it, which counts as a use: otherwise an unused one would be marked again at once.
    const annotations = { [RETIRING]: null, [LAST_USED]: formatTime(this.#clock.now()) };
    await this.#change(
      cache.name,
      () => this.#cluster.annotate(cache, annotations, this.#signal),
      () => this.#events.onUnmarked(cache),
    );
  }

  async #delete(deletion: Deletion, look: Look): Promise<void> {
    const { cache } = deletion;
    // A pod may have come since the plan was made.
    const isDone =
      !look.isNeededNow(cache) &&
      (await this.#change(
        cache.name,
        () => this.#cluster.delete(cache, this.#signal),
        () => this.#events.onDeleted(deletion),
      ));
    // The plan has counted its place as free.
    if (!isDone) this.#placesMissing += 1;
  }

  async #create(creation: Creation): Promise<void> {
    if (creation.attempt === 1 && this.#placesMissing > 0) {
      this.#placesMissing -= 1;
      return;
    }
    const name = nameOfAttempt(creation.name, creation.attempt);
    const { desired } = creation.miss;
    const set = setOf(
      desired.images.map(({ key }) => key),
      creation.miss.missedAtMs,
    );
    const object = cacheObject(desired, this.#options, { ...creation, sets: [set], users: [] });
    await this.#change(
      name,
      () => this.#cluster.create(object, this.#signal),
      () => {
        this.#log.created(name, creation.namespace, this.#clock.now());
        this.#events.onCreated(name, creation);
      },
    );
  }

  async #merge(merge: Merge): Promise<void> {
    if (this.#placesMissing > 0) return;
    const { name, desired, sets, parts } = merge;
    const users = [
      ...new Set(parts.flatMap((part) => (part.users.length > 0 ? part.users : [part.madeFor]))),
    ];
    const attempt = {
      attempt: 1,
      firstAttemptAtMs: this.#clock.now(),
      sizeGib: desired.sizeGib,
      // Packs are charged to their users, and limited by the hour as a tenant of their own.
      namespace: PACKER,
      sets,
      users: users.toSorted().slice(0, MOST_USERS),
    };
    await this.#change(
      name,
      () => this.#cluster.create(cacheObject(desired, this.#options, attempt), this.#signal),
      () => {
        this.#log.created(name, attempt.namespace, this.#clock.now());
        this.#events.onMerge(merge);
      },
    );
  }

  /** Makes the same cache anew, from what the tags mean now. */
  async #refresh(refresh: Refresh): Promise<void> {
    const { cache, attempt } = refresh;
    const { contents, sizeGib, sets, users, madeFor } = cache;
    const desired = { ...contents, sizeGib, largestGib: sizeGib, fixedSizeGib: undefined };
    const made = { attempt, firstAttemptAtMs: this.#clock.now(), sizeGib, namespace: madeFor, sets, users };
    const name = nameOfAttempt(firstNameOf(cache.name), attempt);
    const object = withName(cacheObject(desired, this.#options, made), name);
    await this.#change(
      name,
      () => this.#cluster.create(object, this.#signal),
      () => {
        this.#log.created(name, madeFor, this.#clock.now());
        this.#events.onRefresh(name, refresh);
      },
    );
  }

  async #record(record: UseRecord): Promise<void> {
    const { cache, annotations } = record;
    await this.#change(
      recordName(cache.name),
      () => this.#cluster.annotate(cache, annotations, this.#signal),
      () => this.#uses.recorded(record, this.#clock.now()),
    );
  }

  /** @returns whether it is done @throws if the API server can serve nobody now */
  async #change(name: string, write: () => Promise<Written>, onDone: () => void): Promise<boolean> {
    if (this.#backoffs.isWaiting(name, this.#clock.now())) return false;
    let answer: Written;
    try {
      answer = await write();
      this.#faultsInRow = 0;
    } catch (error) {
      if (this.#signal.aborted) return false;
      const isFirst = this.#backoffs.failed(name, this.#clock.now());
      this.#faultsInRow += 1;
      // A single object may be what a slow or failing webhook of somebody else chokes on: the others go on.
      if (this.#faultsInRow >= FAULTS_OF_ALL) throw error;
      if (isFirst) this.#events.onProblem(`ImageCache ${name}: ${messageOf(error)}`);
      return false;
    }
    if (typeof answer === 'object') {
      const isFirst = this.#backoffs.failed(name, this.#clock.now());
      if (isFirst)
        this.#events.onProblem(`ImageCache ${name} is refused by the API server: ${answer.refused}`);
      return false;
    }
    this.#backoffs.succeeded(name);
    if (answer === 'done') onDone();
    return answer === 'done';
  }
}

/** The name of a cache does not follow from its contents if its size was fixed. */
function withName(object: JsonObject, name: string): JsonObject {
  return { ...object, metadata: { ...partOf(object, 'metadata'), name } };
}

/** The record of a use is put off by itself: that it is refused does not keep the cache from being deleted. */
function recordName(name: string): string {
  return `use ${name}`;
}
