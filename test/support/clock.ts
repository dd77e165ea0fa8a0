/** A clock that moves only when a test advances it. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock, Timer } from '../../src/clock.ts';

interface Pending {
  at: number;
  readonly every: number | undefined;
  readonly callback: () => void;
}

/** How many turns of the event loop follow each timer, so that its work goes on before the next timer is due. */
const TURNS = 5;

export class FakeClock implements Clock {
  readonly #start: number;
  readonly #pending = new Set<Pending>();
  #elapsed = 0;
  /** What random() returns. */
  chance = 0.5;

  constructor(start = Date.parse('2026-11-25T12:00:00Z')) {
    this.#start = start;
  }

  now(): number {
    return this.#start + this.#elapsed;
  }

  elapsed(): number {
    return this.#elapsed;
  }

  random(): number {
    return this.chance;
  }

  async sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    await new Promise<void>((resolve) => {
      const timer = this.after(milliseconds, resolve);
      signal.addEventListener('abort', () => {
        timer.cancel();
        resolve();
      });
    });
  }

  after(milliseconds: number, callback: () => void): Timer {
    const pending: Pending = { at: this.#elapsed + milliseconds, every: undefined, callback };
    this.#pending.add(pending);
    return {
      restart: () => {
        pending.at = this.#elapsed + milliseconds;
      },
      cancel: () => this.#pending.delete(pending),
    };
  }

  every(milliseconds: number, callback: () => void): Pick<Timer, 'cancel'> {
    const pending: Pending = { at: this.#elapsed + milliseconds, every: milliseconds, callback };
    this.#pending.add(pending);
    return { cancel: () => this.#pending.delete(pending) };
  }

  /** Milliseconds until each timer is due, the next one first. */
  waits(): number[] {
    return Array.from(this.#pending, ({ at }) => at - this.#elapsed).toSorted((a, b) => a - b);
  }

  /** Moves the time forward and runs each timer that becomes due, in order. */
  async advance(milliseconds: number): Promise<void> {
    const until = this.#elapsed + milliseconds;
    for (;;) {
      await this.#settle();
      const [next] = [...this.#pending].toSorted((a, b) => a.at - b.at);
      if (!next || next.at > until) break;
      this.#elapsed = Math.max(this.#elapsed, next.at);
      if (next.every === undefined) this.#pending.delete(next);
      else next.at += next.every;
      next.callback();
    }
    this.#elapsed = until;
    await this.#settle();
  }

  async #settle(): Promise<void> {
    for (let i = 0; i < TURNS; i++) await nextTurn();
  }
}
