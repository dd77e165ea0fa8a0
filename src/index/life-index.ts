/** The lives of pods in memory, as the controller published them. */
import { LEAST_ENDED, type PodLife, type PodLives } from '../core/decision/pod-life.ts';

export class LifeIndex {
  #lives: PodLives = new Map();
  #changes = 0;

  /** Grows with each change. */
  get changes(): number {
    return this.#changes;
  }

  get all(): PodLives {
    return this.#lives;
  }

  /** Undefined also if it rests on too few ends of pods. */
  get(template: string): PodLife | undefined {
    const life = this.#lives.get(template);
    return life && life.ended >= LEAST_ENDED ? life : undefined;
  }

  set(lives: PodLives): void {
    this.#lives = lives;
    this.#changes++;
  }
}
