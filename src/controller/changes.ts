/**
 * Carries out a plan: marks, unmarks, deletes and creates ImageCaches, and records their use. If the API server refuses
 * the change of one object, the others go on, and that object waits longer and longer.
 */
import type { Clock } from '../clock.ts';
import { RETIRING } from '../core/annotations.ts';
import {
  cacheObject,
  describeRetiring,
  type CacheOptions,
  type OwnCache,
} from '../core/controller/own-cache.ts';
import { nameOfAttempt } from '../core/controller/desired-cache.ts';
import type { Creation, Plan } from '../core/controller/plan.ts';
import type { Deletion } from '../core/controller/retirement.ts';
import { Backoffs } from './backoffs.ts';
import type { Cluster, Written } from './cluster.ts';
import type { CreationLog } from './creation-log.ts';
import type { Look } from './look.ts';
import type { UseRecords } from './use-records.ts';

export interface ChangeEvents {
  readonly onCreated: (name: string, creation: Creation) => void;
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
  readonly #backoffs = new Backoffs();

  constructor(
    cluster: Cluster,
    options: CacheOptions,
    uses: UseRecords,
    log: CreationLog,
    events: ChangeEvents,
    clock: Clock,
  ) {
    this.#cluster = cluster;
    this.#options = options;
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
    const { marks, unmarks, deletions, creations } = planned;
    const { records, nextAtMs } = this.#uses.due(this.#cluster.ownCaches(), look.usage, this.#clock.now());
    const changes: readonly ((until: AbortSignal) => Promise<void>)[] = [
      ...unmarks.map((cache) => (until: AbortSignal) => this.#unmark(cache, until)),
      ...marks.map((deletion) => (until: AbortSignal) => this.#mark(deletion, until)),
      ...deletions.map((deletion) => (until: AbortSignal) => this.#delete(deletion, look, until)),
      ...creations.map((creation) => (until: AbortSignal) => this.#create(creation, until)),
      ...records.map((record) => async (until: AbortSignal) => {
        const { cache, annotations } = record;
        await this.#change(
          `use ${cache.name}`,
          () => this.#cluster.annotate(cache, annotations, until),
          () => this.#uses.recorded(record, this.#clock.now()),
        );
      }),
    ];
    for (const change of changes) {
      if (!mayAct()) break;
      // oxlint-disable-next-line no-await-in-loop
      await change(signal);
    }
    return Math.min(nextAtMs, this.#backoffs.nextAtMs(this.#clock.now()));
  }

  #mark(deletion: Deletion, until: AbortSignal): Promise<void> {
    const { cache, reason } = deletion;
    const mark = describeRetiring({ reason, sinceMs: this.#clock.now() });
    return this.#change(
      cache.name,
      () => this.#cluster.annotate(cache, { [RETIRING]: mark }, until),
      () => this.#events.onMarked(deletion),
    );
  }

  #unmark(cache: OwnCache, until: AbortSignal): Promise<void> {
    return this.#change(
      cache.name,
      () => this.#cluster.annotate(cache, { [RETIRING]: null }, until),
      () => this.#events.onUnmarked(cache),
    );
  }

  async #delete(deletion: Deletion, look: Look, until: AbortSignal): Promise<void> {
    const { cache } = deletion;
    // A pod may have come since the plan was made.
    if (look.isNeededNow(cache)) return;
    await this.#change(
      cache.name,
      () => this.#cluster.delete(cache, until),
      () => this.#events.onDeleted(deletion),
    );
  }

  #create(creation: Creation, until: AbortSignal): Promise<void> {
    const name = nameOfAttempt(creation.name, creation.attempt);
    const object = cacheObject(creation.miss.desired, this.#options, creation);
    return this.#change(
      name,
      () => this.#cluster.create(object, until),
      () => {
        this.#log.created(name, creation.namespace, this.#clock.now());
        this.#events.onCreated(name, creation);
      },
    );
  }

  async #change(name: string, write: () => Promise<Written>, onDone: () => void): Promise<void> {
    if (this.#backoffs.isWaiting(name, this.#clock.now())) return;
    const answer = await write();
    if (typeof answer === 'object') {
      const isFirst = this.#backoffs.failed(name, this.#clock.now());
      if (isFirst)
        this.#events.onProblem(`ImageCache ${name} is refused by the API server: ${answer.refused}`);
      return;
    }
    this.#backoffs.succeeded(name);
    if (answer === 'done') onDone();
  }
}
