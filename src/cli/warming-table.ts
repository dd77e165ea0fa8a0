/** Formats how warm the pods of each workload start, for `imc status`. */
import { describePhase } from '../core/image-cache.ts';
import { imageSetHash } from '../core/image/image-set.ts';
import type { WorkloadWarming } from '../core/truth/warming.ts';
import type { CacheStatus } from '../runtime/status.ts';
import { alignColumns } from './columns.ts';

const HEADER = [
  'NAMESPACE',
  'WORKLOAD',
  'PODS',
  'DECIDED WARM',
  'STARTED WARM',
  'COLD',
  'PENDING',
  'ASKS FOR',
];
/** Rows; `-o wide` and the others have all. */
const MOST_ROWS = 10;

/** @returns sections; none if no pod was decided */
export function formatWarming(
  workloads: readonly WorkloadWarming[],
  caches: readonly CacheStatus[],
  isWide: boolean,
): string[] {
  if (workloads.length === 0) return [];
  const madeFor = new Map(
    caches.flatMap((cache) =>
      (cache.sets ?? []).map(({ images }) => [imageSetHash(images.map((key) => ({ key }))), cache] as const),
    ),
  );
  const shown = isWide ? workloads : workloads.slice(0, MOST_ROWS);
  const rows = shown.map(({ namespace, workload, pods, decidedWarm, warm, cold, asked }) => [
    namespace,
    workload,
    `${pods}`,
    `${decidedWarm}`,
    `${warm}`,
    `${cold}`,
    `${pods - warm - cold}`,
    asked.map((hash) => describeAsked(madeFor.get(hash))).join(', ') || '-',
  ]);
  const more = workloads.length > shown.length ? [`… and ${workloads.length - shown.length} more`] : [];
  return [[...alignColumns([HEADER, ...rows]), ...more].join('\n')];
}

/** `auto-1f3a Creating 40%`; ECI makes its own caches without an object. */
function describeAsked(cache: CacheStatus | undefined): string {
  return cache ? `${cache.name} ${describePhase(cache)}` : 'a cache that has no object yet';
}
