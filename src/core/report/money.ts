/** What caches have saved and cost for the pods that are there, by the prices of the settings (docs/domain.md, "Money"). */
import {
  paidDiskGib,
  pricePerSecond,
  pullSeconds,
  snapshotMonth,
  type CostOptions,
} from '../decision/break-even.ts';
import type { View } from '../decision/view.ts';
import type { ImageCache } from '../image-cache.ts';
import { objectsIn, partOf, type JsonObject } from '../kubernetes/json.ts';
import { sizeRequest } from '../kubernetes/pod-requests.ts';
import { GIB } from '../kubernetes/quantity.ts';
import { parseTime } from '../kubernetes/time.ts';
import { recordOf } from '../truth/pod-record.ts';
import { imagesOf } from './shares.ts';

export interface Money {
  /** Pods that started from a cache, and the seconds of pulling that they were spared together. */
  readonly warmPods: number;
  readonly secondsSaved: number;
  /** What these seconds would have cost. */
  readonly saved: number;
  /** What the disks of these pods have cost so far; an automatic cache of ECI costs none up to 30 GiB. */
  readonly disks: number;
  /** What the snapshots of all ImageCaches cost in a month. */
  readonly snapshotsMonth: number;
}

const HOUR = 3_600_000;

/** @param caches of the cluster @param now milliseconds since 1970 */
export function moneyOf(
  pods: Iterable<JsonObject>,
  caches: Iterable<Pick<ImageCache, 'sizeBytes'>>,
  view: View,
  { prices, pullRate }: CostOptions,
  now: number,
): Money {
  let [warmPods, secondsSaved, saved, disks] = [0, 0, 0, 0];
  for (const pod of pods) {
    const { isPlaced, used } = recordOf(pod);
    if (!isPlaced || used === null) continue;
    const cache = view.cacheById(used);
    const images = imagesOf(pod);
    const held = cache ? images.filter((key) => cache.images.some((image) => image.key === key)) : images;
    const seconds = pullSeconds(held, pullRate, view);
    warmPods += 1;
    secondsSaved += seconds;
    saved += seconds * pricePerSecond(sizeRequest(partOf(pod, 'spec')), prices);
    const ended = endOf(pod) ?? now;
    const started = parseTime(partOf(pod, 'status')['startTime']) ?? ended;
    const paidGib = cache ? paidDiskGib(cache.sizeBytes / GIB, cache.knownFrom === 'api') : 0;
    disks += paidGib * (Math.max(ended - started, 0) / HOUR) * prices.diskGibHour;
  }
  const snapshotsMonth = [...caches].reduce((sum, { sizeBytes }) => sum + snapshotMonth(sizeBytes / GIB), 0);
  return { warmPods, secondsSaved, saved, disks, snapshotsMonth };
}

/** When the last container of a pod ended, in milliseconds since 1970; undefined if the pod has not ended. */
function endOf(pod: JsonObject): number | undefined {
  const status = partOf(pod, 'status');
  const { phase } = status;
  if (phase !== 'Succeeded' && phase !== 'Failed') return undefined;
  const ends = objectsIn(status['containerStatuses']).flatMap(
    (each) => parseTime(partOf(partOf(each, 'state'), 'terminated')['finishedAt']) ?? [],
  );
  // A pod that does not say when it ended has paid for nothing that is known.
  return ends.length > 0 ? Math.max(...ends) : parseTime(status['startTime']);
}
