/** Publishes how long pods live, for createOnMiss.by: auto, if that has changed, at most every half minute. */
import { describeLives } from '../core/decision/pod-life.ts';
import type { TrackedView } from '../core/decision/view.ts';
import { messageOf } from '../core/kubernetes/problem.ts';
import type { Cluster } from './cluster.ts';

/** Milliseconds between two publications: each makes every replica of the webhook forget its remembered answers. */
const PUBLISH_EVERY = 30_000;

export class LifePublication {
  readonly #cluster: Cluster;
  readonly #view: TrackedView;
  readonly #onProblem: (problem: string) => void;
  #lookedAtMs = -Infinity;
  #problem: string | undefined;

  constructor(cluster: Cluster, view: TrackedView, onProblem: (problem: string) => void) {
    this.#cluster = cluster;
    this.#view = view;
    this.#onProblem = onProblem;
  }

  /**
   * Never rejects: without it, ECI makes the caches.
   * @param now milliseconds since 1970
   * @returns when it is due again, in milliseconds since 1970; Infinity: when something has changed
   */
  async publish(now: number, signal: AbortSignal): Promise<number> {
    const dueAtMs = this.#lookedAtMs + PUBLISH_EVERY;
    if (now < dueAtMs) return dueAtMs;
    this.#lookedAtMs = now;
    const published = this.#view.podLives();
    const lives = this.#cluster.lives(now, published);
    if (lives === published) return Infinity;
    const problem = await this.#write(describeLives(lives), signal);
    if (problem !== undefined && problem !== this.#problem)
      this.#onProblem(`the lives of pods cannot be published: ${problem}`);
    this.#problem = problem;
    return problem === undefined ? Infinity : now + PUBLISH_EVERY;
  }

  /** @returns what went wrong */
  async #write(lives: string, signal: AbortSignal): Promise<string | undefined> {
    try {
      const written = await this.#cluster.publishLives(lives, signal);
      return typeof written === 'object' ? written.refused : undefined;
    } catch (error) {
      return signal.aborted ? undefined : messageOf(error);
    }
  }
}
