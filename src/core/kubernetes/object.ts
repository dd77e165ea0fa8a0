/** Reads what every Kubernetes object has: its kind, its metadata, and how others refer to it. */
import { isObject, partOf, readText, type JsonObject, type StringMap } from './json.ts';
import { Unreadable } from './problem.ts';

/** How an Event names the object that it is about: Kubernetes' ObjectReference. */
export interface ObjectReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  /** Set if an Event is about this one version of the object. */
  readonly resourceVersion?: string | undefined;
}

/** @param apiVersion a parameter, as `kind` is, because an item of a list has neither apiVersion nor kind */
export function objectReference(object: JsonObject, apiVersion: string, kind: string): ObjectReference {
  const { namespace, name, uid } = partOf(object, 'metadata');
  return {
    apiVersion,
    kind,
    namespace: readText(namespace) ?? 'default',
    name: readText(name) ?? '',
    uid: readText(uid) ?? '',
  };
}

/**
 * `apps/Deployment`, `eci.alibabacloud.com/ImageCache`, and `/Pod` for the core group, which has no name.
 * @throws Unreadable if the object states no apiVersion or no kind
 */
export function readGroupKind({ apiVersion, kind }: JsonObject): string {
  if (typeof apiVersion !== 'string') throw new Unreadable('apiVersion', 'is missing');
  if (typeof kind !== 'string') throw new Unreadable('kind', 'is missing');
  return `${apiVersion.slice(0, Math.max(apiVersion.indexOf('/'), 0))}/${kind}`;
}

/** The kind without its group: `Deployment`. */
export function kindOf(groupKind: string): string {
  return groupKind.slice(groupKind.indexOf('/') + 1);
}

/** The name in the object's metadata; empty if it has none. */
export function objectName(object: JsonObject): string {
  return readText(partOf(object, 'metadata')['name']) ?? '';
}

/** The namespace in the object's metadata; `default` if it has none, as kubectl takes a manifest. */
export function objectNamespace(object: JsonObject): string {
  return readText(partOf(object, 'metadata')['namespace']) ?? 'default';
}

/** The object's resourceVersion; empty if it has none. */
export function resourceVersionOf(object: JsonObject): string {
  return readText(partOf(object, 'metadata')['resourceVersion']) ?? '';
}

/** Compares names by their characters, as etcd does, and not by the rules of a language. */
export function byName(a: { readonly name: string }, b: { readonly name: string }): number {
  return a.name < b.name ? -1 : Number(a.name > b.name);
}

/** The items of a list (`kind: List`, as kubectl prints them); undefined for any other value. */
export function itemsOfList(value: unknown): readonly unknown[] | undefined {
  if (!isObject(value)) return undefined;
  const { kind, items } = value;
  return typeof kind === 'string' && kind.endsWith('List') && Array.isArray(items) ? items : undefined;
}

/** Whether somebody has deleted the object, which stays until its finalizers are done. */
export function isBeingDeleted(metadata: JsonObject): boolean {
  return (metadata['deletionTimestamp'] ?? undefined) !== undefined;
}

/** The fields of a Node that a decision reads. */
export interface Node {
  readonly name: string;
  readonly labels: StringMap;
  /** Bytes by image key, from `status.images`. */
  readonly imageSizes: ReadonlyMap<string, number>;
}

/** The object with other annotations, as a merge patch changes them: null removes one. */
export function withAnnotations(
  object: JsonObject,
  changes: Readonly<Record<string, string | null>>,
): JsonObject {
  const metadata = partOf(object, 'metadata');
  const annotations = Object.entries({ ...partOf(metadata, 'annotations'), ...changes });
  const kept = Object.fromEntries(annotations.filter(([, value]) => value !== null));
  return { ...object, metadata: { ...metadata, annotations: kept } };
}
