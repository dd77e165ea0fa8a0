/** The ephemeral storage that a pod requests, computed from its containers as the scheduler does. */
import { isObject, partOf, type JsonObject } from './json.ts';
import { parseBytes } from './quantity.ts';

const RESOURCE = 'ephemeral-storage';
/** Containers beyond this many in one list are not added up: a pod with so many cannot run (on ECI: 20). */
const MAX_ADDED = 1000;

/**
 * Bytes: the containers and sidecars together, or more if an init container and the sidecars before it need more, and
 * the pod's overhead. A quantity that cannot be read counts as 0, because the API server refuses such a pod itself.
 */
export function ephemeralStorageRequest(spec: JsonObject): number {
  let sidecars = 0;
  let startPeak = 0;
  for (const container of objectsOf(spec['initContainers'])) {
    const request = requestOf(container);
    if (container['restartPolicy'] === 'Always') sidecars += request;
    else startPeak = Math.max(startPeak, sidecars + request);
  }
  let running = sidecars;
  for (const container of objectsOf(spec['containers'])) running += requestOf(container);
  return Math.max(running, startPeak) + quantityOf(partOf(spec, 'overhead')[RESOURCE]);
}

/** The request of a container in bytes; if it has none, its limit, which Kubernetes fills in as the request. */
function requestOf(container: JsonObject): number {
  const resources = container['resources'];
  if (!isObject(resources)) return 0;
  const requested = partOf(resources, 'requests')[RESOURCE];
  return quantityOf(requested ?? partOf(resources, 'limits')[RESOURCE]);
}

/** A quantity is a text, or a JSON number. */
function quantityOf(value: unknown): number {
  if (typeof value !== 'string' && typeof value !== 'number') return 0;
  return parseBytes(String(value)) ?? 0;
}

function objectsOf(list: unknown): JsonObject[] {
  return Array.isArray(list) ? list.slice(0, MAX_ADDED).filter(isObject) : [];
}
