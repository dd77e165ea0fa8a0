/**
 * The pod creations that a cluster still knows: its pods, the ended pods of Jobs, and the earlier ReplicaSets of Deployments.
 * What has been deleted is not known, so that this is a part of what happened.
 */
import { isObject, objectsIn, partOf, readText, type JsonObject } from '../core/kubernetes/json.ts';
import { sizeRequest } from '../core/kubernetes/pod-requests.ts';
import { parseTime } from '../core/kubernetes/time.ts';
import { traceOf, type Trace, type TracePod } from './trace.ts';

/** How many pods an earlier ReplicaSet had; the Deployment controller writes it. */
const DESIRED_REPLICAS = 'deployment.kubernetes.io/desired-replicas';

interface Creation {
  readonly pod: JsonObject;
  readonly key: string;
  readonly createdAtMs: number;
  readonly deletedAtMs: number | undefined;
}

/**
 * @param isForEci whether a pod would run on ECI; others are left out
 * @param now when the objects were read, in milliseconds since 1970
 */
export function traceOfHistory(
  objects: readonly JsonObject[],
  isForEci: (pod: JsonObject) => boolean,
  now: number,
): Trace {
  const all = objects.flatMap(itemsOf);
  const pods = all.filter(({ kind }) => kind === 'Pod');
  const present = Map.groupBy(pods, ownerOf);
  const countOf = (owner: string): number => present.get(owner)?.length ?? 0;
  const endedOf = (owner: string): number => present.get(owner)?.filter(hasEnded).length ?? 0;
  const creations = [
    ...pods.map(creationOf),
    ...all.filter(({ kind }) => kind === 'Job').flatMap((job) => endedPodsOf(job, endedOf)),
    ...earlierPodsOf(
      all.filter(({ kind }) => kind === 'ReplicaSet'),
      countOf,
    ),
  ].filter(({ pod, createdAtMs }) => createdAtMs > 0 && createdAtMs <= now && isForEci(pod));
  const beginning = creations.reduce((first, { createdAtMs }) => Math.min(first, createdAtMs), now);
  const { pods: inOrder } = traceOf(creations.map((creation) => tracePod(creation, beginning)));
  // What has not ended still ran when it was read.
  return { pods: inOrder, end: (now - beginning) / 1000 };
}

/** `kubectl get -o yaml` writes one List. */
function itemsOf(object: JsonObject): JsonObject[] {
  const { items } = object;
  return Array.isArray(items) ? objectsIn(items) : [object];
}

function nameOf(object: JsonObject): string {
  const { namespace, name } = partOf(object, 'metadata');
  return `${readText(object['kind']) ?? ''} ${readText(namespace) ?? 'default'}/${readText(name) ?? ''}`;
}

/** Its owner as nameOf names it; the object itself if it has none. */
function ownerOf(object: JsonObject): string {
  const { namespace, ownerReferences } = partOf(object, 'metadata');
  const [owner]: unknown[] = Array.isArray(ownerReferences) ? ownerReferences : [];
  return isObject(owner)
    ? nameOf({ kind: owner['kind'], metadata: { namespace, name: owner['name'] } })
    : nameOf(object);
}

function creationTimeOf(object: JsonObject): number {
  return parseTime(partOf(object, 'metadata')['creationTimestamp']) ?? 0;
}

function hasEnded(pod: JsonObject): boolean {
  return ['Succeeded', 'Failed'].includes(readText(partOf(pod, 'status')['phase']) ?? '');
}

function creationOf(pod: JsonObject): Creation {
  const ends = objectsIn(partOf(pod, 'status')['containerStatuses']).map((status) =>
    parseTime(partOf(partOf(status, 'state'), 'terminated')['finishedAt']),
  );
  const isOver = ends.length > 0 && !ends.includes(undefined);
  const deletedAtMs = isOver ? Math.max(...ends.filter((end) => end !== undefined)) : undefined;
  return { pod, key: ownerOf(pod), createdAtMs: creationTimeOf(pod), deletedAtMs };
}

/** The pods of a Job that are gone. */
function endedPodsOf(job: JsonObject, endedOf: (owner: string) => number): Creation[] {
  const { startTime, completionTime, succeeded, failed } = partOf(job, 'status');
  const ended = (Number(succeeded) || 0) + (Number(failed) || 0) - endedOf(nameOf(job));
  return templatePods(job, ended, parseTime(startTime) ?? creationTimeOf(job), parseTime(completionTime));
}

/** The pods of ReplicaSets that a later one of the same Deployment has replaced. */
function earlierPodsOf(sets: readonly JsonObject[], countOf: (owner: string) => number): Creation[] {
  return [...Map.groupBy(sets, ownerOf).values()].flatMap((revisions) => {
    const inOrder = revisions.toSorted((a, b) => creationTimeOf(a) - creationTimeOf(b));
    return inOrder.slice(0, -1).flatMap((set, i) => {
      const wanted = Number(partOf(partOf(set, 'metadata'), 'annotations')[DESIRED_REPLICAS]) || 0;
      const until = creationTimeOf(inOrder[i + 1] ?? set);
      return templatePods(set, wanted - countOf(nameOf(set)), creationTimeOf(set), until);
    });
  });
}

/** More pods of one template at once say nothing more. */
const MOST_PODS = 1000;

function templatePods(
  owner: JsonObject,
  count: number,
  createdAtMs: number,
  deletedAtMs: number | undefined,
): Creation[] {
  const template = partOf(partOf(owner, 'spec'), 'template');
  const { namespace } = partOf(owner, 'metadata');
  const pod = { ...template, metadata: { ...partOf(template, 'metadata'), namespace } };
  const creation = { pod, key: ownerOf(owner), createdAtMs, deletedAtMs };
  return Array.from({ length: Math.min(Math.max(count, 0), MOST_PODS) }, () => creation);
}

function tracePod({ pod, key, createdAtMs, deletedAtMs }: Creation, beginning: number): TracePod {
  const { namespace } = partOf(pod, 'metadata');
  const { initContainers, containers: others } = partOf(pod, 'spec');
  const containers = [...objectsIn(initContainers), ...objectsIn(others)];
  const secondsSince = (at: number): number => (at - beginning) / 1000;
  return {
    key,
    namespace: readText(namespace) ?? 'default',
    created: secondsSince(createdAtMs),
    deleted:
      deletedAtMs === undefined ? undefined : Math.max(secondsSince(deletedAtMs), secondsSince(createdAtMs)),
    ...sizeRequest(partOf(pod, 'spec')),
    images: containers.flatMap((each) => readText(each['image']) ?? []),
  };
}
