/** The Prometheus metrics of the controller: their names, labels and meaning. */
import { TopTally } from '../http/top-tally.ts';
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

/** Values that the gauges read when Prometheus scrapes them. */
export interface ControllerState {
  readonly isLeading: () => boolean;
  /** Caches that the controller made, by phase. */
  readonly cachesByPhase: () => ReadonlyMap<string, number>;
  /** Those that are marked and will be deleted. */
  readonly retiring: () => number;
}

export interface ControllerMetrics {
  readonly registry: Registry;
  readonly created: Counter<'cause'>;
  readonly deleted: Counter<'reason'>;
  readonly failed: Counter;
  readonly readySeconds: Histogram;
  readonly waits: Histogram<'end'>;
  /** Misses that got no cache when the controller last looked. */
  readonly refused: Gauge<'reason'>;
  readonly problems: Counter;
  readonly starts: Counter<'predicted' | 'result'>;
  readonly unanswered: Counter;
  readonly pulls: Counter<'start' | 'found'>;
  readonly pullSeconds: Readonly<Record<'warm' | 'cold', TopTally>>;
}

export const PREFIX = 'imagecache_controller_';
/** Seconds. Pulling images and taking a snapshot takes minutes. */
const READY_BUCKETS = [10, 30, 60, 120, 180, 300, 600, 1200, 1800, 3600];

/** Images with a series of their own. */
const BY_IMAGE = { label: 'image', limit: 100 };

function pullSeconds(start: string, whose: string): { name: string; help: string } {
  return {
    name: `${PREFIX}${start}_pull_seconds_total`,
    help: `Seconds that pulling took ${whose}, by image; only those that took the longest have a series.`,
  };
}

export function createControllerMetrics(state: ControllerState): ControllerMetrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  const leading: Gauge = new Gauge({
    name: `${PREFIX}leading`,
    help: '1 if this replica leads, else 0.',
    registers,
    collect: () => {
      leading.set(Number(state.isLeading()));
    },
  });
  const caches: Gauge = new Gauge({
    name: `${PREFIX}image_caches`,
    help: 'ImageCaches that the controller made, by phase.',
    labelNames: ['phase'],
    registers,
    collect: () => {
      caches.reset();
      for (const [phase, count] of state.cachesByPhase()) caches.set({ phase: phase || 'None' }, count);
    },
  });
  const retiring: Gauge = new Gauge({
    name: `${PREFIX}retiring`,
    help: 'ImageCaches that no pod is given any more, and that the controller is about to delete.',
    registers,
    collect: () => {
      retiring.set(state.retiring());
    },
  });
  return {
    registry,
    created: new Counter({
      name: `${PREFIX}created_total`,
      help: 'ImageCaches created, by cause: miss, template (of a workload, before its first pod), merge, split, or refresh (a tag moved).',
      labelNames: ['cause'],
      registers,
    }),
    deleted: new Counter({
      name: `${PREFIX}deleted_total`,
      help: 'ImageCaches deleted, by reason: Quota, Idle, Expired, Superseded, Packed, CostsMore.',
      labelNames: ['reason'],
      registers,
    }),
    failed: new Counter({
      name: `${PREFIX}failed_total`,
      help: 'ImageCaches of the controller that failed.',
      registers,
    }),
    readySeconds: new Histogram({
      name: `${PREFIX}ready_seconds`,
      help: 'Time from the creation of an ImageCache until it was Ready.',
      buckets: READY_BUCKETS,
      registers,
    }),
    waits: new Histogram({
      name: `${PREFIX}wait_seconds`,
      help: 'How long pods waited for their cache, by end: Ready, TimeIsUp, Refused, Failed, NotMade.',
      labelNames: ['end'],
      buckets: READY_BUCKETS,
      registers,
    }),
    refused: new Gauge({
      name: `${PREFIX}refused_misses`,
      help: 'Misses that got no ImageCache when the controller last looked, by reason: Quota, TenantRate, Rate.',
      labelNames: ['reason'],
      registers,
    }),
    starts: new Counter({
      name: `${PREFIX}pod_starts_total`,
      help: 'Pods that ECI has placed, by the predicted outcome (none: the pod carries no decision) and the result: right, wrong, eci (its own choice), unpredicted.',
      labelNames: ['predicted', 'result'],
      registers,
    }),
    unanswered: new Counter({
      name: `${PREFIX}unanswered_pods_total`,
      help: 'Pods that the API server had to send to the webhook, and that carry no decision: no replica answered.',
      registers,
    }),
    pulls: new Counter({
      name: `${PREFIX}image_pulls_total`,
      help: 'Images of pods on ECI, by start (warm: from a cache, or cold) and by whether the image was pulled or present.',
      labelNames: ['start', 'found'],
      registers,
    }),
    pullSeconds: {
      warm: new TopTally(
        { ...pullSeconds('warm', 'of pods that ECI started from a cache'), ...BY_IMAGE },
        registry,
      ),
      cold: new TopTally(
        { ...pullSeconds('cold', 'of pods that ECI started from no cache'), ...BY_IMAGE },
        registry,
      ),
    },
    problems: new Counter({
      name: `${PREFIX}problems_total`,
      help: 'New problems: with the API server, with the Lease, or with an object that the API server refuses.',
      registers,
    }),
  };
}
