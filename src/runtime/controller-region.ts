/** What the controller knows of the region from ECI's API, if it is asked. */
import type { Clock } from '../clock.ts';
import type { Config } from '../config/config.ts';
import type { CopyingRegion } from '../controller/copies.ts';
import { PREFIX, type ControllerMetrics } from '../controller/metrics.ts';
import type { OwnCache } from '../core/controller/own-cache.ts';
import { createRegionMetrics } from '../http/region-metrics.ts';
import type { ClusterIndex } from '../index/cluster-index.ts';
import type { RegionSource, RegionSourceEvents } from '../sources/region/region-source.ts';
import { connectRegion, countRegion } from './region.ts';

export interface ControllerRegion {
  readonly source: RegionSource;
  readonly facts: CopyingRegion;
}

/** @param ownCaches those of the controller, as they are now */
export function connectControllerRegion(
  config: Config,
  index: ClusterIndex,
  { registry }: ControllerMetrics,
  ownCaches: () => readonly OwnCache[],
  events: Omit<RegionSourceEvents, 'onPoll'>,
  clock: Clock,
): ControllerRegion {
  const { regionCaches } = index;
  const { polls } = createRegionMetrics(registry, PREFIX, () => countRegion(index));
  let places: number | undefined;
  const source = connectRegion(
    config,
    index,
    {
      ...events,
      onChange: () => {
        places = placesFor(source, ownCaches(), (id) => regionCaches.get(id) !== undefined);
        events.onChange();
      },
      onPoll: (code) => polls.inc({ code }),
    },
    clock,
    true,
  );
  return {
    source,
    facts: {
      listed: (id) => {
        const entry = regionCaches.get(id);
        return entry && { lastMatchedAtMs: entry.lastMatchedAtMs, phase: entry.cache.phase };
      },
      readAtMs: () => source.confirmedAtMs(),
      copy: (id, count) => source.copy(id, count),
      places: () => places,
    },
  };
}

/** The quota without what others have: all caches that the API counts but those of ours that it lists. */
function placesFor(
  source: RegionSource,
  own: readonly OwnCache[],
  isListed: (id: string) => boolean,
): number | undefined {
  const quota = source.usage()?.manual;
  if (!quota) return undefined;
  const ours = own.filter(({ id }) => id !== undefined && isListed(id)).length;
  return quota.most - Math.max(quota.used - ours, 0);
}
