/** The Prometheus metrics of what ECI's API says of the region: the webhook and the controller have the same. */
import { Counter, Gauge, type Registry } from 'prom-client';

/** How many of the region's caches have an object in the cluster too, and how many the API alone knows. */
export interface RegionCounts {
  readonly both: number;
  readonly api: number;
}

export interface RegionMetrics {
  readonly polls: Counter<'code'>;
}

/** @param prefix of the names: `imagecache_webhook_` */
export function createRegionMetrics(
  registry: Registry,
  prefix: string,
  counts: () => RegionCounts,
): RegionMetrics {
  const registers = [registry];
  const caches: Gauge = new Gauge({
    name: `${prefix}region_caches`,
    help: "Caches that ECI's API lists, by where they are known from: both (an ImageCache object too), or api alone.",
    labelNames: ['known_from'],
    registers,
    collect: () => {
      const { both, api } = counts();
      caches.set({ known_from: 'both' }, both);
      caches.set({ known_from: 'api' }, api);
    },
  });
  return {
    polls: new Counter({
      name: `${prefix}region_polls_total`,
      help: "Lists of the region's caches that were asked for, by code: OK, or that of the failure.",
      labelNames: ['code'],
      registers,
    }),
  };
}
