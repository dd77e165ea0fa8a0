/**
 * Learns how long the pods of each template live: the time that they have run, divided by the number of their ends. So pods
 * that still run count as well, and a few early ends among many pods do not make all of them look short-lived.
 */
import { MOST_TEMPLATES, type PodLife, type PodLives } from '../decision/pod-life.ts';
import { DAY } from '../kubernetes/time.ts';
import type { PodSize } from '../kubernetes/pod-requests.ts';
import type { WatchedPod } from './watched-pod.ts';

interface Learned {
  /** Seconds that pods lived that are no longer followed. */
  lived: number;
  /** How many of them ended, and when the last one did. */
  ended: number;
  endedAtMs: number;
  size: PodSize;
}

/** After so many ends, what was learned counts half, so that a template may change. */
const HALVED_AFTER = 32;
/** More ends make an expected life no more certain; so what is published changes less often. */
const MOST_ENDED = 10;
/** What is published stays while the life differs by less than this part, so that it seldom changes. */
const WORTH_A_CHANGE = 0.2;
/** Templates of one namespace, so that the others keep theirs. */
const MOST_OF_NAMESPACE = 200;
/** Milliseconds after the last end of a pod until its template is forgotten. */
const FORGOTTEN_AFTER = 30 * DAY;

export class Lives {
  /** At most MOST_TEMPLATES; the one that changed longest ago first. */
  readonly #learned = new Map<string, Learned>();
  #isRestored = false;

  /**
   * Adds a pod that had started.
   * @param milliseconds that it has lived
   * @param hasEnded false if it still runs, but is no longer followed
   * @param now milliseconds since 1970
   */
  add({ template, size }: WatchedPod, milliseconds: number, hasEnded: boolean, now: number): void {
    const learned = this.#learned.get(template) ?? { lived: 0, ended: 0, endedAtMs: now, size };
    learned.lived += milliseconds / 1000;
    learned.size = size;
    if (hasEnded) {
      learned.ended += 1;
      learned.endedAtMs = now;
    }
    if (learned.ended > HALVED_AFTER) {
      learned.ended /= 2;
      learned.lived /= 2;
    }
    this.#set(template, learned);
  }

  /**
   * @param pods those that are followed now
   * @param published by this or an earlier leader; the first time, it is what is known of templates that this replica
   *   has not seen
   * @param now milliseconds since 1970
   * @returns at most MOST_TEMPLATES, seconds to two digits; `published` itself if nothing has changed
   */
  expected(pods: Iterable<WatchedPod>, published: PodLives, now: number): PodLives {
    this.#restore(published);
    const running = new Map<string, number>();
    for (const { template, hasStarted, hasEnded, startedAtMs } of pods) {
      if (!hasStarted || hasEnded) continue;
      running.set(template, (running.get(template) ?? 0) + Math.max(now - startedAtMs, 0) / 1000);
    }
    const expected = new Map<string, PodLife>();
    for (const [template, learned] of this.#learned) {
      if (now - learned.endedAtMs > FORGOTTEN_AFTER) this.#learned.delete(template);
      else if (learned.ended >= 1) {
        const life = lifeOf(learned, running.get(template) ?? 0);
        const before = published.get(template);
        expected.set(template, before && isAbout(before, life) ? before : life);
      }
    }
    const isSame =
      expected.size === published.size && [...expected].every(([key, life]) => published.get(key) === life);
    return isSame ? published : expected;
  }

  /** Once, because what is published later is what this replica, or another that sees the same pods, has learned. */
  #restore(published: PodLives): void {
    if (this.#isRestored || published.size === 0) return;
    this.#isRestored = true;
    for (const [template, { seconds, ended, learnedAtMs, ...size }] of published)
      if ((this.#learned.get(template)?.ended ?? 0) < ended)
        this.#set(template, { lived: seconds * ended, ended, endedAtMs: learnedAtMs, size });
  }

  #set(template: string, learned: Learned): void {
    this.#learned.delete(template);
    const namespace = template.slice(0, template.indexOf('/') + 1);
    const ofNamespace = [...this.#learned.keys()].filter((each) => each.startsWith(namespace));
    const [oldest] = ofNamespace.length >= MOST_OF_NAMESPACE ? ofNamespace : this.#learned.keys();
    const isFull = ofNamespace.length >= MOST_OF_NAMESPACE || this.#learned.size >= MOST_TEMPLATES;
    if (isFull && oldest !== undefined) this.#learned.delete(oldest);
    this.#learned.set(template, learned);
  }
}

/** @param running seconds that its present pods have run */
function lifeOf({ lived, ended, endedAtMs, size }: Learned, running: number): PodLife {
  return {
    seconds: Number(((lived + running) / ended).toPrecision(2)),
    ended: Math.min(Math.floor(ended), MOST_ENDED),
    learnedAtMs: Math.floor(endedAtMs / DAY) * DAY,
    cpu: size.cpu,
    memoryGib: size.memoryGib,
  };
}

function isAbout(before: PodLife, life: PodLife): boolean {
  const isSame = before.ended === life.ended && before.learnedAtMs === life.learnedAtMs;
  return isSame && Math.abs(life.seconds / before.seconds - 1) < WORTH_A_CHANGE;
}
