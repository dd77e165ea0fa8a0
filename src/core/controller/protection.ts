/**
 * Which caches pods need. A pod needs its cache until one of its containers has started; whoever
 * deletes the cache earlier makes the pod fail.
 */
import type { WatchedPod } from './watched-pod.ts';

/** Milliseconds after its creation until a pod that has a node has started; an image that is never pulled keeps it longer. */
const STARTS_WITHIN = 3_600_000;

/**
 * The IDs of the caches that must stay, because pods are about to start from them.
 * @param tenantOf the tenant of a namespace
 * @param share how many caches the pods of one tenant may protect that have no node, or do not start on it for long; the
 *   newest pods count. Without a limit, pods that never run would keep every cache for ever.
 * @param now milliseconds since 1970
 */
export function protectedCaches(
  pods: Iterable<WatchedPod>,
  tenantOf: (namespace: string) => string,
  share: number,
  now: number,
): ReadonlySet<string> {
  const kept = new Set<string>();
  const waiting = new Map<string, WatchedPod[]>();
  for (const pod of pods) {
    if (pod.hasStarted || pod.pointsTo.length === 0) continue;
    const isStarting = pod.nodeName !== undefined && now - pod.createdAtMs < STARTS_WITHIN;
    if (isStarting) for (const id of pod.pointsTo) kept.add(id);
    else if (!pod.deleting) {
      const tenant = tenantOf(pod.subject.namespace);
      const others = waiting.get(tenant);
      if (others) others.push(pod);
      else waiting.set(tenant, [pod]);
    }
  }
  for (const ofTenant of waiting.values()) {
    const ids = new Set<string>();
    for (const { pointsTo } of ofTenant.toSorted((a, b) => b.createdAtMs - a.createdAtMs)) {
      for (const id of pointsTo) if (ids.size < Math.floor(share)) ids.add(id);
    }
    for (const id of ids) kept.add(id);
  }
  return kept;
}
