/** Owns what the controller keeps of a pod that may miss a cache, or may be about to start from one. */
import { ACR_INSTANCE, PIN, REGISTRY_KEYS } from '../annotation/keys.ts';
import { isObject, partOf, readText, type JsonObject, type StringMap } from '../json.ts';
import { readPod, type Pod } from '../pod.ts';

export interface WatchedPod {
  readonly pod: Pod;
  readonly uid: string;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  readonly deleting: boolean;
  /** `namespace:secretName`, sorted, distinct. */
  readonly pullSecrets: readonly string[];
  /** Under the names that an ImageCache has for them. */
  readonly registry: StringMap;
}

/** @throws Unreadable */
export function readWatchedPod(object: JsonObject): WatchedPod {
  const pod = readPod(object, undefined);
  const metadata = partOf(object, 'metadata');
  const createdAt = Date.parse(readText(metadata['creationTimestamp']) ?? '');
  return {
    pod,
    uid: readText(metadata['uid']) ?? '',
    createdAt: Number.isNaN(createdAt) ? 0 : createdAt,
    deleting: (metadata['deletionTimestamp'] ?? undefined) !== undefined,
    pullSecrets: pullSecretsOf(partOf(object, 'spec'), pod.namespace),
    registry: registryOf(pod.annotations),
  };
}

/** The IDs of the caches that it starts from, or asks for. */
export function cachesPointedTo({ pod: { annotations } }: WatchedPod): string[] {
  return [annotations.get(PIN.modern), annotations.get(PIN.legacy)].filter((id) => id !== undefined);
}

function pullSecretsOf({ imagePullSecrets: list }: JsonObject, namespace: string): string[] {
  if (!Array.isArray(list)) return [];
  const names = list.flatMap((each: unknown) => (isObject(each) ? (readText(each['name']) ?? []) : []));
  return [...new Set(names)].map((name) => `${namespace}:${name}`).toSorted();
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
