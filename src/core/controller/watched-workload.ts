/**
 * Owns what the controller keeps of a workload whose template will make pods: those pods, as core/workload.ts has them,
 * and when the template last changed. What admission adds to every pod (sidecars, defaults) is not known here; only the
 * pull secrets of the ServiceAccount are, which decide what can be pulled.
 */
import {
  isObject,
  partOf,
  readStringMap,
  readText,
  type JsonObject,
  type StringMap,
} from '../kubernetes/json.ts';
import { podsOf, templatePathOf } from '../kubernetes/workload.ts';
import { readGroupKind, objectReference, type ObjectReference } from '../kubernetes/object.ts';
import { parseTime } from '../kubernetes/time.ts';
import { readLife, watchedPod, type WatchedPod } from './watched-pod.ts';

export interface WatchedWorkload {
  /** `apps/Deployment`. */
  readonly groupKind: string;
  readonly subject: ObjectReference;
  readonly labels: StringMap;
  /** When its template last changed, or a little later; milliseconds since 1970. */
  readonly changedAtMs: number;
  /** One for each template; created when the template last changed. */
  readonly pods: readonly ComingPod[];
}

export interface ComingPod {
  readonly watched: WatchedPod;
  /** Name of its ServiceAccount, whose pull secrets it gets where it names none itself. */
  readonly account: string;
}

/** What a workflow fills in when it runs; until then nobody knows the image. */
const PLACEHOLDER = '{{';

/** @throws Unreadable */
export function readWatchedWorkload(object: JsonObject): WatchedWorkload {
  const groupKind = readGroupKind(object);
  const subject = objectReference(
    object,
    readText(object['apiVersion']) ?? '',
    readText(object['kind']) ?? '',
  );
  const { createdAtMs, deleting } = readLife(object);
  const changedAtMs = Math.max(createdAtMs, ...writtenAt(object, templatePathOf(groupKind)));
  const pods = podsOf(object).flatMap(({ pod }): ComingPod[] => {
    if (!isObject(pod)) return [];
    const watched = watchedPod(pod, subject.namespace, subject, { createdAtMs: changedAtMs, deleting });
    if (watched.pod.containers.some(({ image }) => image.includes(PLACEHOLDER))) return [];
    return [{ watched, account: readText(partOf(pod, 'spec')['serviceAccountName']) ?? 'default' }];
  });
  const labels = readStringMap(partOf(object, 'metadata')['labels'], 'metadata.labels');
  return { groupKind, subject, labels, changedAtMs, pods };
}

/**
 * When each of those who manage fields below a path last wrote one of their fields: the only times in an object that a
 * change of its status does not touch. Not exact, as they may manage other fields too.
 */
function writtenAt(object: JsonObject, path: readonly string[]): number[] {
  const entries = partOf(object, 'metadata')['managedFields'];
  if (!Array.isArray(entries)) return [];
  return entries.filter(isObject).flatMap(({ fieldsV1, time }) => {
    return hasField(fieldsV1, path) ? (parseTime(time) ?? []) : [];
  });
}

function hasField(fields: unknown, path: readonly string[]): boolean {
  let part = fields;
  for (const name of path) {
    if (!isObject(part)) return false;
    part = part[`f:${name}`];
  }
  return isObject(part);
}
