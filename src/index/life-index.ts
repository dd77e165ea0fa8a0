/** The lives of pods in memory, as the controller published them. */
import type { PodLife, PodLives } from '../core/decision/pod-life.ts';

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

  get(template: string): PodLife | undefined {
    return this.#lives.get(template);
  }

  set(lives: PodLives): void {
    this.#lives = lives;
    this.#changes++;
  }
}
