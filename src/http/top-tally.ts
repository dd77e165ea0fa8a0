/**
 * Counts by a label whose values users choose. Prometheus keeps a series for each value for ever, so only the most
 * frequent values have a series; all others are counted together.
 */
import { Counter, type Registry } from 'prom-client';
import type { Count } from './tally.ts';

/** The label value of the series for all others. */
const OTHERS = '(others)';
/** After `limit` times this many counts of values without a series, new values replace the rarest series. */
const PATIENCE = 10;

export class TopTally {
  readonly #limit: number;
  readonly #counts = new Map<string, Count>();
  #others = 0;
  /** How often values without a series were counted since series were last removed. */
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

  /** @param by seconds, or another amount; not below 0 */
  inc(value: string, by = 1): void {
    const known = this.#counts.get(value);
    if (known) {
      known.count += by;
      return;
    }
    if (this.#counts.size >= this.#limit) {
      if (this.#turnedAway < this.#limit * PATIENCE) {
        this.#turnedAway += 1;
        this.#others += by;
        return;
      }
      this.#giveUpRarer();
    }
    this.#counts.set(value, { count: by });
  }

  /**
   * Removes the half of the series with the lower counts; of equal counts, the older series. PATIENCE makes this rare,
   * because it sorts all series, and because Prometheus keeps each series that ever existed.
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
