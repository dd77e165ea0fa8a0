/** Connects ECI's API to the index. */
import type { Clock } from '../clock.ts';
import type { Config } from '../config/config.ts';
import type { ClusterIndex } from '../index/cluster-index.ts';
import { connectRegionApi, type RegionApi } from '../sources/region/region-api.ts';
import { RegionSource, type RegionSourceEvents } from '../sources/region/region-source.ts';

/** @param hasUsage whether the quotas are asked for too */
export function connectRegion(
  { region }: Pick<Config, 'region'>,
  index: ClusterIndex,
  events: RegionSourceEvents,
  clock: Clock,
  hasUsage = false,
): RegionSource {
  return new RegionSource(
    () => connectApi({ region }),
    index.regionCaches,
    { ...region, region: region.name, hasUsage },
    events,
    clock,
  );
}

/** @throws Error if the SDK is not installed */
export function connectApi({ region }: Pick<Config, 'region'>): RegionApi {
  return connectRegionApi({ region: region.name, endpoint: region.endpoint });
}

/** How many of the caches that the API lists the cluster has an object of. */
export function countRegion({ imageCaches, regionCaches }: ClusterIndex): { both: number; api: number } {
  let [both, api] = [0, 0];
  for (const { cache } of regionCaches.all()) {
    const [known] = imageCaches.claimants(cache.id);
    if (known?.knownFrom === 'both') both += 1;
    else api += 1;
  }
  return { both, api };
}
