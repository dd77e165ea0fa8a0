/**
 * Learns how long the pods of each template live: the time that they have run, divided by the number of their ends. So pods
 * that still run count as well, and a few early ends among many pods do not make all of them look short-lived.
 */
import { MOST_TEMPLATES, type PodLife, type PodLives } from '../decision/pod-life.ts';
import type { PodSize } from '../kubernetes/pod-requests.ts';
import type { WatchedPod } from './watched-pod.ts';

interface Learned {
  /** Seconds that pods lived that are no longer followed. */
  lived: number;
  /** How many of them ended. */
  ended: number;
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

export class Lives {
  /** At most MOST_TEMPLATES; the one that changed longest ago first. */
  readonly #learned = new Map<string, Learned>();

  /**
   * Adds a pod that had started.
   * @param milliseconds that it has lived
   * @param hasEnded false if it still runs, but is no longer followed
   */
  add({ template, size }: WatchedPod, milliseconds: number, hasEnded: boolean): void {
    const learned = this.#learned.get(template) ?? { lived: 0, ended: 0, size };
    this.#learned.delete(template);
    this.#makeRoomFor(template);
    learned.lived += milliseconds / 1000;
    learned.size = size;
    if (hasEnded) learned.ended += 1;
    if (learned.ended > HALVED_AFTER) {
      learned.ended /= 2;
      learned.lived /= 2;
    }
    this.#learned.set(template, learned);
  }

  /**
   * @param pods those that are followed now
   * @param published what is known of templates of which this replica has seen fewer ends
   * @param now milliseconds since 1970
   * @returns at most MOST_TEMPLATES, seconds to two digits; `published` itself if nothing has changed
   */
  expected(pods: Iterable<WatchedPod>, published: PodLives, now: number): PodLives {
    const running = new Map<string, number>();
    for (const { template, hasStarted, hasEnded, createdAtMs } of pods) {
      if (!hasStarted || hasEnded) continue;
      running.set(template, (running.get(template) ?? 0) + Math.max(now - createdAtMs, 0) / 1000);
    }
    const expected = new Map<string, PodLife>();
    for (const [template, { lived, ended, size }] of this.#learned) {
      const before = published.get(template);
      const ends = Math.min(Math.floor(ended), MOST_ENDED);
      if (ends < Math.max(before?.ended ?? 0, 1)) continue;
      const seconds = (lived + (running.get(template) ?? 0)) / ended;
      const isAsBefore = before?.ended === ends && Math.abs(seconds / before.seconds - 1) < WORTH_A_CHANGE;
      if (!isAsBefore)
        expected.set(template, { seconds: Number(seconds.toPrecision(2)), ended: ends, ...size });
    }
    if (expected.size === 0) return published;
    for (const [template, life] of published) {
      if (expected.size >= MOST_TEMPLATES) break;
      if (!expected.has(template)) expected.set(template, life);
    }
    return expected;
  }

  #makeRoomFor(template: string): void {
    const namespace = template.slice(0, template.indexOf('/') + 1);
    const ofNamespace = [...this.#learned.keys()].filter((each) => each.startsWith(namespace));
    const [oldest] = ofNamespace.length >= MOST_OF_NAMESPACE ? ofNamespace : this.#learned.keys();
    const isFull = ofNamespace.length >= MOST_OF_NAMESPACE || this.#learned.size >= MOST_TEMPLATES;
    if (isFull && oldest !== undefined) this.#learned.delete(oldest);
  }
}
