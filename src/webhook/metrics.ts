/** The Prometheus metrics of the webhook: their names, labels and meaning. */
import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client';
import type { KindReadiness } from '../http/health.ts';
import { CounterTally, HistogramTally, type Buckets } from '../http/tally.ts';
import { TopTally } from '../http/top-tally.ts';

/** Values that the gauges read when Prometheus scrapes them. */
export interface IndexState {
  readonly kinds: () => readonly KindReadiness[];
  readonly cachesByPhase: () => ReadonlyMap<string, number>;
  /** Seconds since the API server last confirmed the index; null before the first time. */
  readonly ageSeconds: () => number | null;
  readonly problems: () => number;
  /** Milliseconds since 1970, by the purpose of the certificate. */
  readonly certificateEnds: () => ReadonlyMap<string, number>;
}

export interface Metrics {
  readonly registry: Registry;
  readonly decisions: CounterTally<'operation' | 'outcome' | 'reason'>;
  readonly podImages: CounterTally<'cached'>;
  readonly missedImages: TopTally;
  readonly createOnMiss: CounterTally<'by'>;
  readonly decisionSeconds: Buckets;
  readonly requestSeconds: HistogramTally<'status'>;
  readonly adviceSeconds: HistogramTally<'status'>;
  readonly advice: CounterTally<'rule'>;
  readonly warnings: CounterTally<never>;
  readonly refusals: CounterTally<'filter'>;
  readonly internalErrors: Counter;
  readonly sourceChanges: Counter<'change'>;
  readonly sourceFailures: Counter;
  readonly boundPods: Counter<'found'>;
}

export const PREFIX = 'imagecache_webhook_';
/** Images with a series of their own; the dashboard shows the first twenty. */
const MISSED_IMAGES = 100;
/** Seconds; decisions take microseconds. */
const DECISION_BUCKETS = [
  0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.1,
];
/** Seconds; the API server waits 2 s with our chart, and 10 s by default. */
const REQUEST_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];

export function createMetrics(index: IndexState): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const registers = [registry];

  const cachesGauge = new Gauge({
    name: `${PREFIX}image_caches`,
    help: 'ImageCaches in the index, by phase.',
    labelNames: ['phase'],
    registers,
    collect: () => {
      cachesGauge.reset();
      for (const [phase, count] of index.cachesByPhase()) cachesGauge.set({ phase: phase || 'None' }, count);
    },
  });
  const ageGauge: Gauge = new Gauge({
    name: `${PREFIX}source_age_seconds`,
    help: 'Seconds since the API server last confirmed the index; NaN before the first time.',
    registers,
    collect: () => {
      ageGauge.set(index.ageSeconds() ?? Number.NaN);
    },
  });
  const perKind = (name: string, help: string, read: (kind: KindReadiness) => number): void => {
    const gauge: Gauge = new Gauge({
      name: `${PREFIX}${name}`,
      help,
      labelNames: ['kind'],
      registers,
      collect: () => {
        for (const state of index.kinds()) gauge.set({ kind: state.kind }, read(state));
      },
    });
  };
  perKind('source_objects', 'Objects that the source holds, by kind.', ({ objects }) => objects);
  perKind(
    'source_kind_age_seconds',
    'Seconds since the API server last confirmed the objects of this kind; NaN before the first time.',
    ({ ageSeconds }) => ageSeconds ?? Number.NaN,
  );
  perKind(
    'source_kind_served',
    '1 if the cluster has this kind of object, 0 if it does not (a CRD that nobody installed).',
    ({ state }) => Number(state !== 'absent'),
  );
  const problemsGauge: Gauge = new Gauge({
    name: `${PREFIX}source_problems`,
    help: 'Current problems of the source and of the certificate, such as objects and files that cannot be read.',
    registers,
    collect: () => {
      problemsGauge.set(index.problems());
    },
  });

  const certificateGauge: Gauge = new Gauge({
    name: `${PREFIX}certificate_expiry_timestamp_seconds`,
    help: 'When a certificate ends: `serving`, and `authority` if the webhook keeps a CA of its own.',
    labelNames: ['certificate'],
    registers,
    collect: () => {
      for (const [certificate, end] of index.certificateEnds())
        certificateGauge.set({ certificate }, end / 1000);
    },
  });

  const warnings = new CounterTally<never>(
    { name: `${PREFIX}warnings_total`, help: 'Warnings given to users.', labelNames: [] },
    registry,
  );
  // A counter without labels should exist from the beginning.
  warnings.inc({}, 0);

  return {
    registry,
    decisions: new CounterTally(
      {
        name: `${PREFIX}decisions_total`,
        help: 'Decisions, by operation (create, bind), outcome and reason. Dry runs are not counted.',
        labelNames: ['operation', 'outcome', 'reason'],
      },
      registry,
    ),
    podImages: new CounterTally(
      {
        name: `${PREFIX}pod_images_total`,
        help: 'Images of pods that were matched automatically, by whether the best cache of the cluster holds them.',
        labelNames: ['cached'],
      },
      registry,
    ),
    missedImages: new TopTally(
      {
        name: `${PREFIX}missed_images_total`,
        help: 'Images that the chosen cache lacks, or that no cache holds, by image; only the most frequent ones have a series.',
        label: 'image',
        limit: MISSED_IMAGES,
      },
      registry,
    ),
    createOnMiss: new CounterTally(
      {
        name: `${PREFIX}create_on_miss_total`,
        help: 'Pods that were given the create-on-miss marker, by who makes the cache.',
        labelNames: ['by'],
      },
      registry,
    ),
    decisionSeconds: new HistogramTally(
      {
        name: `${PREFIX}decision_seconds`,
        labelNames: [],
        help: 'Time from the parsed review to the response.',
        buckets: DECISION_BUCKETS,
      },
      registry,
    ).at({}),
    requestSeconds: new HistogramTally(
      {
        name: `${PREFIX}request_seconds`,
        help: 'Time from the headers of a request to /mutate to its answer, by HTTP status.',
        labelNames: ['status'],
        buckets: REQUEST_BUCKETS,
      },
      registry,
    ),
    adviceSeconds: new HistogramTally(
      {
        name: `${PREFIX}advice_request_seconds`,
        help: 'Time from the headers of a request to /advise to its answer, by HTTP status.',
        labelNames: ['status'],
        buckets: REQUEST_BUCKETS,
      },
      registry,
    ),
    advice: new CounterTally(
      {
        name: `${PREFIX}advice_total`,
        help: 'Advice given on workloads, by rule. Dry runs are not counted.',
        labelNames: ['rule'],
      },
      registry,
    ),
    warnings,
    refusals: new CounterTally(
      {
        name: `${PREFIX}refused_candidates_total`,
        help: 'ImageCaches that were considered and refused, by filter.',
        labelNames: ['filter'],
      },
      registry,
    ),
    internalErrors: new Counter({
      name: `${PREFIX}internal_errors_total`,
      help: 'Faults of the webhook itself; each let its pod through untouched.',
      registers,
    }),
    sourceFailures: new Counter({
      name: `${PREFIX}source_failures_total`,
      help: 'Problems of the source that began: a lost watch, an object or a file that cannot be read.',
      registers,
    }),
    boundPods: new Counter({
      name: `${PREFIX}bound_pods_total`,
      help: 'Pods bound to virtual nodes, by where they were found: watch, get (one request to the API server), none.',
      labelNames: ['found'],
      registers,
    }),
    sourceChanges: new Counter({
      name: `${PREFIX}source_changes_total`,
      help: 'Objects that the source put into the index or took out of it.',
      labelNames: ['change'],
      registers,
    }),
  };
}
