/**
 * Owns the counting by a label whose values users choose. Prometheus keeps a series for each value for ever, so only
 * those that are met most often have one of their own; the rest are counted together.
 */
import { Counter, type Registry } from 'prom-client';
import type { Count } from './tally.ts';

/** The value of the label that stands for all without a series of their own. */
const OTHERS = '(others)';
/** How often, for each series, a value without one is met before the rarer series make room for new values. */
const PATIENCE = 10;

export class TopTally {
  readonly #limit: number;
  readonly #counts = new Map<string, Count>();
  #others = 0;
  /** Of the others, those since there was room last. */
  #turnedAway = 0;

  /** @param limit how many values have a series of their own */
  constructor(
    { label, limit, ...options }: { name: string; help: string; label: string; limit: number },
    registry: Registry,
  ) {
    this.#limit = limit;
    const counter: Counter = new Counter({
      ...options,
      labelNames: [label],
      registers: [registry],
      collect: () => {
        counter.reset();
        for (const [value, { count }] of this.#counts) counter.inc({ [label]: value }, count);
        if (this.#others > 0) counter.inc({ [label]: OTHERS }, this.#others);
      },
    });
  }

  inc(value: string): void {
    const known = this.#counts.get(value);
    if (known) {
      known.count += 1;
      return;
    }
    if (this.#counts.size >= this.#limit) {
      if (this.#turnedAway < this.#limit * PATIENCE) {
        this.#turnedAway += 1;
        this.#others += 1;
        return;
      }
      this.#giveUpRarer();
    }
    this.#counts.set(value, { count: 1 });
  }

  /**
   * The half that was met less often, of equals those that came first. Seldom, because each time costs a look at all,
   * and Prometheus a series for each value that takes a place.
   */
  #giveUpRarer(): void {
    this.#turnedAway = 0;
    const byCount = [...this.#counts].toSorted(([, a], [, b]) => a.count - b.count);
    for (const [value, { count }] of byCount.slice(0, Math.max(1, this.#limit >> 1))) {
      this.#counts.delete(value);
      this.#others += count;
    }
  }
}
