/** Owns what an Event is put on: an object as Kubernetes refers to it. */
import { partOf, readText, type JsonObject } from './json.ts';

export interface Subject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  /** Where an Event is about this very version of it. */
  readonly resourceVersion?: string | undefined;
}

/** @param apiVersion and kind of the object, which need not say them itself: an item of a list does not */
export function subjectOf(object: JsonObject, apiVersion: string, kind: string): Subject {
  const { namespace, name, uid } = partOf(object, 'metadata');
  return {
    apiVersion,
    kind,
    namespace: readText(namespace) ?? 'default',
    name: readText(name) ?? '',
    uid: readText(uid) ?? '',
  };
}
