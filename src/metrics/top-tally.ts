/**
 * Owns the counting by a label whose values users choose. Prometheus keeps a series for each value for ever, so only
 * those that are met most often have one of their own; the rest are counted together.
 */
import { Counter, type Registry } from 'prom-client';
import type { Count } from './tally.ts';

/** The value of the label that stands for all without a series of their own. */
const OTHERS = '(others)';

export class TopTally {
  readonly #limit: number;
  readonly #counts = new Map<string, Count>();
  #others = 0;

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
    if (this.#counts.size >= this.#limit) this.#giveUpRarest();
    this.#counts.set(value, { count: 1 });
  }

  /** Of those that were met least often, the one that came first. */
  #giveUpRarest(): void {
    let rarest = '';
    let least = Infinity;
    for (const [value, { count }] of this.#counts) {
      if (count >= least) continue;
      least = count;
      rarest = value;
    }
    this.#counts.delete(rarest);
    this.#others += least;
  }
}
