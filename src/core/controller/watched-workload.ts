/**
 * The parts of a workload that the controller keeps: the pods that its template will make, and when the template last
 * changed. The sidecars and defaults that admission adds to a pod are unknown here.
 */
import {
  isObject,
  partOf,
  readStringMap,
  readText,
  type JsonObject,
  type StringMap,
} from '../kubernetes/json.ts';
import { readGroupKind, objectReference, type ObjectReference } from '../kubernetes/object.ts';
import { parseTime } from '../kubernetes/time.ts';
import { PLACEHOLDER } from '../workload/argo.ts';
import { workloadKind } from '../workload/kinds.ts';
import { podsOf } from '../workload/pods.ts';
import { fixedSteps } from '../workload/template-path.ts';
import { readLife, watchedPod, type WatchedPod } from './watched-pod.ts';

export interface WatchedWorkload {
  /** `apps/Deployment`. */
  readonly groupKind: string;
  readonly subject: ObjectReference;
  readonly labels: StringMap;
  /** When the template last changed, or later (see writtenAt). */
  readonly changedAtMs: number;
  /** One pod for each template; created when the template last changed. */
  readonly pods: readonly ComingPod[];
}

export interface ComingPod {
  readonly watched: WatchedPod;
  /** The name of the pod's ServiceAccount, whose pull secrets the pod gets if it names none. */
  readonly account: string;
}

/** Templates of one workload that are kept. */
const MOST_TEMPLATES = 100;

/** @throws Unreadable */
export function readWatchedWorkload(object: JsonObject): WatchedWorkload {
  const groupKind = readGroupKind(object);
  const subject = objectReference(
    object,
    readText(object['apiVersion']) ?? '',
    readText(object['kind']) ?? '',
  );
  const { createdAtMs, deleting } = readLife(object);
  const templates = workloadKind(groupKind)?.templates ?? [];
  const written = templates.flatMap((path) => writtenAt(object, fixedSteps(path)));
  const changedAtMs = Math.max(createdAtMs, ...written);
  const pods = podsOf(object, MOST_TEMPLATES).flatMap(({ pod }): ComingPod[] => {
    if (!isObject(pod)) return [];
    const watched = watchedPod(pod, subject.namespace, subject, { createdAtMs: changedAtMs, deleting });
    if (watched.content?.pod.containers.some(({ image }) => image.includes(PLACEHOLDER)) !== false) return [];
    return [{ watched, account: readText(partOf(pod, 'spec')['serviceAccountName']) ?? 'default' }];
  });
  const labels = readStringMap(partOf(object, 'metadata')['labels'], 'metadata.labels');
  return { groupKind, subject, labels, changedAtMs, pods };
}

/**
 * When each field manager that owns a field below `path` last wrote (`metadata.managedFields`); an update of the status
 * does not change these times. A time may be later than the last change below `path`, because a manager may own other
 * fields too.
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
