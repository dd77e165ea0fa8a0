/** The ephemeral storage that a pod requests, computed from its containers as the scheduler does. */
import { isObject, type JsonObject } from './json.ts';
import { parseBytes } from './quantity.ts';

const RESOURCE = 'ephemeral-storage';
/** Containers beyond this many in one list are not added up: a pod with so many cannot run (on ECI: 20). */
const MAX_ADDED = 1000;
const NONE: readonly unknown[] = [];

/**
 * Bytes: the containers and sidecars together, or more if an init container and the sidecars before it need more, and
 * the pod's overhead. A quantity that cannot be read counts as 0, because the API server refuses such a pod itself.
 */
export function ephemeralStorageRequest(spec: JsonObject): number {
  let sidecars = 0;
  let startPeak = 0;
  for (const container of addedOf(spec['initContainers'])) {
    const request = requestOf(container);
    if (isObject(container) && container['restartPolicy'] === 'Always') sidecars += request;
    else startPeak = Math.max(startPeak, sidecars + request);
  }
  let running = sidecars;
  for (const container of addedOf(spec['containers'])) running += requestOf(container);
  return Math.max(running, startPeak) + quantityIn(spec['overhead']);
}

function addedOf(list: unknown): readonly unknown[] {
  if (!Array.isArray(list)) return NONE;
  return list.length > MAX_ADDED ? list.slice(0, MAX_ADDED) : list;
}

/** What a container requests; its limit if it states no request, which Kubernetes fills in at creation. */
function requestOf(container: unknown): number {
  const resources = isObject(container) ? container['resources'] : undefined;
  if (!isObject(resources)) return 0;
  const { requests, limits } = resources;
  return isObject(requests) && (requests[RESOURCE] ?? undefined) !== undefined
    ? quantityIn(requests)
    : quantityIn(limits);
}

/** A quantity is a text, or a JSON number. */
function quantityIn(resources: unknown): number {
  const value = isObject(resources) ? resources[RESOURCE] : undefined;
  return typeof value === 'string' || typeof value === 'number' ? (parseBytes(`${value}`) ?? 0) : 0;
}
