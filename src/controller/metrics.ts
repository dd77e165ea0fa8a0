/** Owns the Prometheus metrics of the controller: their names, labels and meaning. */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

/** What the gauges read when they are scraped. */
export interface ControllerState {
  readonly isLeading: () => boolean;
  /** Caches that the controller made, by phase. */
  readonly cachesByPhase: () => ReadonlyMap<string, number>;
}

export interface ControllerMetrics {
  readonly registry: Registry;
  readonly created: Counter<'cause'>;
  readonly deleted: Counter<'reason'>;
  readonly failed: Counter;
  readonly readySeconds: Histogram;
  /** Misses that found no room at the last look. */
  readonly refused: Gauge;
  readonly problems: Counter;
}

const PREFIX = 'imagecache_controller_';
/** Seconds; to pull images and to take a snapshot takes minutes. */
const READY_BUCKETS = [10, 30, 60, 120, 180, 300, 600, 1200, 1800, 3600];

export function createControllerMetrics(state: ControllerState): ControllerMetrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  const leading: Gauge = new Gauge({
    name: `${PREFIX}leading`,
    help: 'Whether this replica is the one that acts: 1, or 0.',
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
  return {
    registry,
    created: new Counter({
      name: `${PREFIX}created_total`,
      help: 'ImageCaches made, by cause: a miss, or the template of a workload whose pods are yet to come.',
      labelNames: ['cause'],
      registers,
    }),
    deleted: new Counter({
      name: `${PREFIX}deleted_total`,
      help: 'ImageCaches deleted, by reason: Quota, Idle, Expired, Superseded.',
      labelNames: ['reason'],
      registers,
    }),
    failed: new Counter({
      name: `${PREFIX}failed_total`,
      help: 'ImageCaches of the controller that failed to be made.',
      registers,
    }),
    readySeconds: new Histogram({
      name: `${PREFIX}ready_seconds`,
      help: 'Time from when an ImageCache was made, which is a moment after it was missed, until it was Ready.',
      buckets: READY_BUCKETS,
      registers,
    }),
    refused: new Gauge({
      name: `${PREFIX}refused_misses`,
      help: 'Misses for which there was no room within the quota at the last look.',
      registers,
    }),
    problems: new Counter({
      name: `${PREFIX}problems_total`,
      help: 'Problems, as they began: with the API server, with the Lease, with what it refuses.',
      registers,
    }),
  };
}
