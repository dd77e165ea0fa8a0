/** The parts that the controller keeps of a pod that may miss a cache, or may start from a cache soon. */
import { ACR_INSTANCE, PIN, REGISTRY_KEYS } from '../annotations.ts';
import { isBeingDeleted, objectReference, type ObjectReference } from '../kubernetes/object.ts';
import { isObject, partOf, readText, type JsonObject, type StringMap } from '../kubernetes/json.ts';
import { readPod, type Pod } from '../pod.ts';
import { parseTime } from '../kubernetes/time.ts';

export interface WatchedPod {
  readonly pod: Pod;
  /** The object to report on: the pod, or the workload whose template will make it. */
  readonly subject: ObjectReference;
  readonly createdAtMs: number;
  readonly deleting: boolean;
  /** `namespace:secretName`, sorted, distinct. */
  readonly pullSecrets: readonly string[];
  /** The pod's registry annotations, under the names that they have on an ImageCache. */
  readonly registry: StringMap;
}

/** @throws Unreadable */
export function readWatchedPod(object: JsonObject): WatchedPod {
  return watchedPod(object, undefined, objectReference(object, 'v1', 'Pod'), readLife(object));
}

/**
 * @param object a Pod, or the pod that a template will make
 * @param namespace wins over the namespace in the object; undefined: the namespace in the object counts
 * @param life when the pod, or the workload, was created, and whether it is being deleted
 * @throws Unreadable
 */
export function watchedPod(
  object: JsonObject,
  namespace: string | undefined,
  subject: ObjectReference,
  life: Pick<WatchedPod, 'createdAtMs' | 'deleting'>,
): WatchedPod {
  const pod = readPod(object, namespace);
  return {
    pod,
    subject,
    ...life,
    pullSecrets: qualified(namesOf(partOf(object, 'spec')['imagePullSecrets']), pod.namespace),
    registry: registryOf(pod.annotations),
  };
}

/** When an object was created, 0 if it does not say; and whether it is being deleted. */
export function readLife(object: JsonObject): Pick<WatchedPod, 'createdAtMs' | 'deleting'> {
  const metadata = partOf(object, 'metadata');
  return { createdAtMs: parseTime(metadata['creationTimestamp']) ?? 0, deleting: isBeingDeleted(metadata) };
}

/** The IDs of the caches that the pod was given or pins. */
export function cachesPointedTo({ pod: { annotations } }: WatchedPod): string[] {
  return [annotations.get(PIN.modern), annotations.get(PIN.legacy)].filter((id) => id !== undefined);
}

/** The names in a list of object references such as `imagePullSecrets`. */
export function namesOf(list: unknown): string[] {
  if (!Array.isArray(list)) return [];
  return list.flatMap((each: unknown) => (isObject(each) ? (readText(each['name']) ?? []) : []));
}

/** More than any pod needs, and few enough for one object. */
const MAX_PULL_SECRETS = 20;
/** A DNS-1123 subdomain, as a Secret is named; the API server does not check the names in imagePullSecrets. */
const SECRET_NAME = /^[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?$/;

/** Secrets as a cluster-scoped ImageCache names them: with their namespace, sorted, distinct. Others are left out. */
export function qualified(names: readonly string[], namespace: string): string[] {
  const valid = names.filter((name) => SECRET_NAME.test(name)).map((name) => `${namespace}:${name}`);
  return [...new Set(valid)].toSorted().slice(0, MAX_PULL_SECRETS);
}

function registryOf(annotations: StringMap): StringMap {
  const registry = new Map<string, string>();
  const oneInstance = annotations.get(ACR_INSTANCE.pod);
  if (oneInstance !== undefined) registry.set(ACR_INSTANCE.cache, oneInstance);
  for (const key of REGISTRY_KEYS) {
    const value = annotations.get(key);
    if (value !== undefined) registry.set(key, value);
  }
  return registry;
}
