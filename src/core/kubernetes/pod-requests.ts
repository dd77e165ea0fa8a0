/** What a pod requests, computed from its containers as the scheduler does. */
import { isObject, type JsonObject } from './json.ts';
import { GIB, parseBytes, parseMillis } from './quantity.ts';

/** Containers beyond this many in one list are not added up: a pod with so many cannot run (on ECI: 20). */
const MAX_ADDED = 1000;
const NONE: readonly unknown[] = [];

interface Resource {
  readonly name: string;
  readonly parse: (text: string) => number | undefined;
}

const STORAGE: Resource = { name: 'ephemeral-storage', parse: parseBytes };
const CPU: Resource = { name: 'cpu', parse: parseMillis };
const MEMORY: Resource = { name: 'memory', parse: parseBytes };

/** Bytes of ephemeral storage. */
export function ephemeralStorageRequest(spec: JsonObject): number {
  return requestOf(spec, STORAGE);
}

export interface PodSize {
  /** vCPUs. */
  readonly cpu: number;
  readonly memoryGib: number;
}

/** What ECI gives a pod that requests nothing. */
export const DEFAULT_SIZE: PodSize = { cpu: 2, memoryGib: 4 };

/** The vCPUs and the memory that a pod is billed for, about: ECI rounds up to the next size that it offers. */
export function sizeRequest(spec: JsonObject): PodSize {
  return {
    cpu: requestOf(spec, CPU) / 1000 || DEFAULT_SIZE.cpu,
    memoryGib: requestOf(spec, MEMORY) / GIB || DEFAULT_SIZE.memoryGib,
  };
}

/**
 * The containers and sidecars together, or more if an init container and the sidecars before it need more, and the pod's
 * overhead. A quantity that cannot be read counts as 0, because the API server refuses such a pod itself.
 */
function requestOf(spec: JsonObject, resource: Resource): number {
  let sidecars = 0;
  let startPeak = 0;
  for (const container of addedOf(spec['initContainers'])) {
    const request = requestOfContainer(container, resource);
    if (isObject(container) && container['restartPolicy'] === 'Always') sidecars += request;
    else startPeak = Math.max(startPeak, sidecars + request);
  }
  let running = sidecars;
  for (const container of addedOf(spec['containers'])) running += requestOfContainer(container, resource);
  return Math.max(running, startPeak) + quantityIn(spec['overhead'], resource);
}

function addedOf(list: unknown): readonly unknown[] {
  if (!Array.isArray(list)) return NONE;
  return list.length > MAX_ADDED ? list.slice(0, MAX_ADDED) : list;
}

/** What a container requests; its limit if it states no request, which Kubernetes fills in at creation. */
function requestOfContainer(container: unknown, resource: Resource): number {
  const resources = isObject(container) ? container['resources'] : undefined;
  if (!isObject(resources)) return 0;
  const { requests, limits } = resources;
  return isObject(requests) && (requests[resource.name] ?? undefined) !== undefined
    ? quantityIn(requests, resource)
    : quantityIn(limits, resource);
}

/** A quantity is a text, or a JSON number. */
function quantityIn(resources: unknown, { name, parse }: Resource): number {
  const value = isObject(resources) ? resources[name] : undefined;
  return typeof value === 'string' || typeof value === 'number' ? (parse(`${value}`) ?? 0) : 0;
}
