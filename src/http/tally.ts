/**
 * Counters and histograms that cost little per count. prom-client joins the labels into a text at each count, which
 * took a tenth of the webhook's throughput; here callers keep the count that they add to (docs/performance.md).
 */
import { Counter, type Histogram, type Registry } from 'prom-client';

interface MetricOptions<L extends string> {
  readonly name: string;
  readonly help: string;
  readonly labelNames: readonly L[];
}

type Labels<L extends string> = Readonly<Record<L, string | number>>;

/** The values of a metric, by their labels. */
class ByLabels<L extends string, T> {
  readonly #names: readonly L[];
  readonly #of = new Map<string, { readonly labels: Labels<L>; readonly counted: T }>();
  readonly #create: () => T;

  constructor(names: readonly L[], create: () => T) {
    this.#names = names;
    this.#create = create;
  }

  get(labels: Labels<L>): T {
    let key = '';
    for (const name of this.#names) key += `${labels[name]} `;
    const known = this.#of.get(key);
    if (known) return known.counted;
    const counted = this.#create();
    this.#of.set(key, { labels: { ...labels }, counted });
    return counted;
  }

  all(): Iterable<{ readonly labels: Labels<L>; readonly counted: T }> {
    return this.#of.values();
  }
}

/** The count for one combination of labels. A caller that keeps the object saves the look-up. */
export interface Count {
  count: number;
}

export class CounterTally<L extends string> {
  readonly #counts: ByLabels<L, Count>;

  constructor(options: MetricOptions<L>, registry: Registry) {
    this.#counts = new ByLabels(options.labelNames, () => ({ count: 0 }));
    const counter: Counter<L> = new Counter({
      ...options,
      registers: [registry],
      collect: () => {
        counter.reset();
        for (const { labels, counted } of this.#counts.all()) counter.inc(labels, counted.count);
      },
    });
  }

  at(labels: Labels<L>): Count {
    return this.#counts.get(labels);
  }

  inc(labels: Labels<L>, by = 1): void {
    this.at(labels).count += by;
  }
}

/** The number of values per bucket, for one combination of labels. A caller that keeps the object saves the look-up. */
export class Buckets {
  /** Upper bounds, ascending. */
  readonly bounds: readonly number[];
  /** One more than the bounds: the last bucket has no upper bound. */
  readonly counts: number[];
  sum = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = [...bounds, Infinity].fill(0);
  }

  observe(value: number): void {
    let at = 0;
    while (at < this.bounds.length && value > this.bounds[at]!) at++;
    this.counts[at]!++;
    this.sum += value;
  }
}

export class HistogramTally<L extends string> {
  readonly #buckets: ByLabels<L, Buckets>;

  /** @param options with the upper bounds of the buckets, ascending */
  constructor(options: MetricOptions<L> & { readonly buckets: readonly number[] }, registry: Registry) {
    const { name, help, labelNames, buckets } = options;
    this.#buckets = new ByLabels(labelNames, () => new Buckets(buckets));
    const metric = {
      name,
      get: () => Promise.resolve({ name, help, type: 'histogram', values: this.#values(name) }),
    };
    // A registry uses only the name and get() of a metric (https://github.com/siimon/prom-client, lib/registry.js).
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    registry.registerMetric(metric as unknown as Histogram);
  }

  at(labels: Labels<L>): Buckets {
    return this.#buckets.get(labels);
  }

  #values(name: string): object[] {
    return Array.from(this.#buckets.all()).flatMap(({ labels, counted: { bounds, counts, sum } }) => {
      let count = 0;
      const upTo = counts.map((each, i) => ({
        metricName: `${name}_bucket`,
        labels: { ...labels, le: bounds[i] ?? '+Inf' },
        value: (count += each),
      }));
      return [
        ...upTo,
        { metricName: `${name}_sum`, labels, value: sum },
        { metricName: `${name}_count`, labels, value: count },
      ];
    });
  }
}
