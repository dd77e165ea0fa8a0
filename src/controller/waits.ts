/**
 * Lets pods go that wait for their cache, once it is Ready, or as soon as it is clear that they wait in vain; and says in Events
 * how long they waited, and why. core/controller/waiting.ts chooses them.
 */
import type { Clock } from '../clock.ts';
import { endedWaits, type EndedWait, type WaitEnd } from '../core/controller/waiting.ts';
import type { Plan } from '../core/controller/plan.ts';
import type { WatchedPod } from '../core/controller/watched-pod.ts';
import { liftPatch } from '../core/decision/lift.ts';
import type { DecisionOptions } from '../core/decision/options.ts';
import type { View } from '../core/decision/view.ts';
import { messageOf } from '../core/kubernetes/problem.ts';
import { formatSeconds } from '../core/kubernetes/time.ts';
import type { Backoffs } from './backoffs.ts';
import type { Cluster } from './cluster.ts';
import type { Look } from './look.ts';

/** Pods that go at the same time, and in one reconciliation. */
const AT_ONCE = 10;
const MOST_A_ROUND = 500;
/** Milliseconds until those follow that were too many at once, or that had changed. */
const SOON = 1000;
/** Events about the beginning of waits in one reconciliation. */
const MOST_EVENTS = 20;

/** Continues "this pod waited 63 s for an image cache:". */
const ENDS: Readonly<Record<WaitEnd, string>> = {
  Ready: 'it can start from one now',
  TimeIsUp: 'that is the longest that it waits; it starts without a complete one',
  Refused: 'none is made for it, because a quota or an hourly limit is reached',
  Failed: 'making it failed',
  NotMade: 'none is made for it',
};

export interface WaitEvents {
  /** A pod waits no longer for its cache. @param seconds that it waited */
  readonly onWaitEnded: (wait: EndedWait, seconds: number) => void;
  readonly onProblem: (problem: string) => void;
}

export class Waits {
  readonly #cluster: Cluster;
  readonly #view: View;
  readonly #options: DecisionOptions;
  readonly #backoffs: Backoffs;
  readonly #events: WaitEvents;
  readonly #clock: Clock;
  /** The uids of the pods that waited in the last reconciliation. */
  #known: ReadonlySet<string> = new Set();

  constructor(
    cluster: Cluster,
    view: View,
    options: DecisionOptions,
    backoffs: Backoffs,
    events: WaitEvents,
    clock: Clock,
  ) {
    this.#cluster = cluster;
    this.#view = view;
    this.#options = options;
    this.#backoffs = backoffs;
    this.#events = events;
    this.#clock = clock;
  }

  /**
   * @param mayAct whether this replica still leads; asked before each change
   * @returns when something is due again, in milliseconds since 1970; Infinity: when something changes
   */
  async end(look: Look, planned: Plan, mayAct: () => boolean, signal: AbortSignal): Promise<number> {
    const now = this.#clock.now();
    const { waiting, situation } = look;
    this.#tellBeginning(waiting.map(({ pod }) => pod));
    const { ended, reconcileAgainAtMs } = endedWaits(
      waiting,
      situation.own,
      planned,
      situation.isBlocked,
      now,
    );
    const due = ended.filter(({ pod }) => !this.#backoffs.isWaiting(nameOf(pod), now));
    const queue = due.slice(0, MOST_A_ROUND).values();
    let isComplete = due.length <= MOST_A_ROUND;
    const work = async (): Promise<void> => {
      for (const wait of queue) {
        if (!mayAct()) return;
        // oxlint-disable-next-line no-await-in-loop -- AT_ONCE of these run side by side
        if (!(await this.#lift(wait, signal))) isComplete = false;
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    const againAtMs = Math.min(reconcileAgainAtMs, this.#backoffs.nextAtMs(this.#clock.now()));
    return isComplete ? againAtMs : now + SOON;
  }

  /** @returns false if the pod has changed, so that it must be looked at again */
  async #lift(wait: EndedWait, signal: AbortSignal): Promise<boolean> {
    const { pod } = wait;
    const now = this.#clock.now();
    try {
      const written = await this.#cluster.patchPod(
        pod.subject,
        (object) => liftPatch(object, this.#view, this.#options, now),
        signal,
      );
      if (typeof written === 'object') return this.#failed(pod, written.refused, now);
      this.#backoffs.succeeded(nameOf(pod));
      if (written === 'done') this.#tellEnd(wait, now);
      return written === 'done';
    } catch (error) {
      return signal.aborted || this.#failed(pod, messageOf(error), now);
    }
  }

  /** The webhook's replicas let the pod go if it is overdue. */
  #failed(pod: WatchedPod, problem: string, now: number): boolean {
    if (this.#backoffs.failed(nameOf(pod), now))
      this.#events.onProblem(`${nameOf(pod)} waits for its cache, and cannot be let go: ${problem}`);
    return true;
  }

  #tellBeginning(pods: readonly WatchedPod[]): void {
    const isNew = ({ subject: { uid } }: WatchedPod): boolean => !this.#known.has(uid);
    for (const { subject, waitsUntilMs = 0, createdAtMs } of pods.filter(isNew).slice(0, MOST_EVENTS)) {
      const longest = formatSeconds((waitsUntilMs - createdAtMs) / 1000);
      const message = `this pod waits for an image cache that is made for it, ${longest} at most`;
      this.#cluster.recordEvent(subject, 'Normal', 'WaitingForImageCache', message);
    }
    this.#known = new Set(pods.map(({ subject: { uid } }) => uid));
  }

  #tellEnd(wait: EndedWait, now: number): void {
    const { pod, end } = wait;
    const seconds = Math.max(now - pod.createdAtMs, 0) / 1000;
    this.#events.onWaitEnded(wait, seconds);
    const type = end === 'Ready' ? 'Normal' : 'Warning';
    const message = `this pod waited ${formatSeconds(seconds)} for an image cache: ${ENDS[end]}`;
    this.#cluster.recordEvent(pod.subject, type, 'WaitedForImageCache', message);
  }
}

/** In the backoffs, beside the names of ImageCaches. */
function nameOf({ subject: { namespace, name } }: WatchedPod): string {
  return `pod ${namespace}/${name}`;
}
