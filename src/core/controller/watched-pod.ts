/**
 * The parts that the controller keeps of a pod: those that decide whether the pod misses a cache, which cache it points
 * to, and how far it is. The other parts of a pod may be large, and are not kept.
 */
import {
  ACR_INSTANCE,
  BURST_RESOURCE,
  CREATE_ON_MISS,
  DECISION,
  EXTRA_STORAGE,
  MATCHED_CACHE,
  PIN,
  REGISTRY_KEYS,
  REQUEST_KEYS,
  STORAGE_OPTIONS,
  WAIT_FOR_CACHE,
} from '../annotations.ts';
import { templateOf } from '../decision/pod-life.ts';
import { waitOf } from '../decision/request.ts';
import { isBeingDeleted, objectReference, type ObjectReference } from '../kubernetes/object.ts';
import { isObject, partOf, readText, type JsonObject, type StringMap } from '../kubernetes/json.ts';
import { sizeRequest, type PodSize } from '../kubernetes/pod-requests.ts';
import { memoize } from '../memoize.ts';
import { podImages } from '../image/image-set.ts';
import { podSize, readPod, type Pod } from '../pod.ts';
import { parseTime } from '../kubernetes/time.ts';

/** The part of a pod on which a decision depends. Pods of one template can share one object. */
export interface PodContent {
  /** Without its name, and without annotations that no decision reads. */
  readonly pod: Pod;
  /** `namespace:secretName`, sorted, distinct. */
  readonly pullSecrets: readonly string[];
}

export interface WatchedPod {
  /** Undefined if it is larger than MAX_CONTENT: such a pod misses nothing, but protects the caches it points to. */
  readonly content: PodContent | undefined;
  /** The object to report on: the pod, or the workload whose template will make it. */
  readonly subject: ObjectReference;
  readonly createdAtMs: number;
  /** When its node took it, as far as that is known; else when it was created. */
  readonly startedAtMs: number;
  readonly deleting: boolean;
  /** Undefined for a pod without a node, and for the pod of a template. */
  readonly nodeName: string | undefined;
  /**
   * Whether one of its containers has started, or all have ended. Inferred: by then ECI has made the disk, so that the pod
   * needs its cache no more.
   */
  readonly hasStarted: boolean;
  /** Whether all of its containers have ended. */
  readonly hasEnded: boolean;
  /** Pods of one template live about equally long (decision/pod-life.ts). */
  readonly template: string;
  readonly size: PodSize;
  /** Whether the scheduler must not place the pod yet. */
  readonly isGated: boolean;
  /** Whether its user, or a profile, asks that it waits for its cache. */
  readonly asksToWait: boolean;
  /** Until when the pod waits for its cache, in milliseconds since 1970; undefined if it does not wait. */
  readonly waitsUntilMs: number | undefined;
  /** The IDs of the caches that the pod was given, pins, or started from. */
  readonly pointsTo: readonly string[];
  /** Its images without and with its image volumes, as imagesText has them; empty if it points to no cache. */
  readonly imageSets: readonly string[];
}

/** The other annotations of a pod decide nothing. */
const KEPT_ANNOTATIONS: ReadonlySet<string> = new Set([
  ...REQUEST_KEYS,
  ...REGISTRY_KEYS,
  ACR_INSTANCE.pod,
  BURST_RESOURCE,
  CREATE_ON_MISS,
  DECISION,
  EXTRA_STORAGE,
  STORAGE_OPTIONS,
  WAIT_FOR_CACHE,
]);
/** Characters of a content. A pod that ECI can run has far fewer. */
const MAX_CONTENT = 32_768;

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
  const read = readPod(object, namespace);
  const [spec, status] = [partOf(object, 'spec'), partOf(object, 'status')];
  const kept = [...read.annotations].filter(([key]) => KEPT_ANNOTATIONS.has(key));
  const pod = { ...read, name: '', annotations: new Map(kept) };
  const pullSecrets = qualified(namesOf(spec['imagePullSecrets']), pod.namespace);
  const content = { pod, pullSecrets };
  const pointsTo = cachesPointedTo(read.annotations);
  return {
    content: contentSize(content) > MAX_CONTENT ? undefined : content,
    subject,
    ...life,
    startedAtMs: parseTime(status['startTime']) ?? life.createdAtMs,
    nodeName: pod.nodeName,
    hasStarted: hasStarted(status),
    hasEnded: PHASES_AT_END.has(status['phase']),
    template: templateOf(read),
    size: sizeRequest(spec),
    isGated: read.gates.length > 0,
    asksToWait: read.annotations.has(WAIT_FOR_CACHE),
    waitsUntilMs: read.gates.includes(WAIT_FOR_CACHE)
      ? life.createdAtMs + waitOf(read.annotations)
      : undefined,
    pointsTo,
    imageSets: pointsTo.length === 0 ? [] : imageSetsOf(read),
  };
}

/** The normalised references of an image set as one text: sorted, one a line. */
export function imagesText(keys: readonly string[]): string {
  return keys.toSorted().join('\n');
}

/** Pods of one template share the text. */
const shared = memoize(1000, (text) => text);

function imageSetsOf(pod: Pod): string[] {
  const ways = pod.imageVolumes.length === 0 ? (['ignore'] as const) : (['ignore', 'count'] as const);
  return ways.flatMap((volumes) => {
    const images = podImages(pod, volumes);
    return images ? shared(imagesText(images.references.map(({ key }) => key))) : [];
  });
}

/** How many characters a content has, about. */
export function contentSize({ pod, pullSecrets }: PodContent): number {
  return pullSecrets.reduce((sum, { length }) => sum + length, podSize(pod));
}

/** When an object was created, 0 if it does not say; and whether it is being deleted. */
export function readLife(object: JsonObject): Pick<WatchedPod, 'createdAtMs' | 'deleting'> {
  const metadata = partOf(object, 'metadata');
  return { createdAtMs: parseTime(metadata['creationTimestamp']) ?? 0, deleting: isBeingDeleted(metadata) };
}

const PHASES_AT_END: ReadonlySet<unknown> = new Set(['Succeeded', 'Failed']);
const PHASES_AFTER_START: ReadonlySet<unknown> = new Set(['Running', ...PHASES_AT_END]);

function hasStarted(status: JsonObject): boolean {
  if (PHASES_AFTER_START.has(status['phase'])) return true;
  return ['initContainerStatuses', 'containerStatuses'].some((field) => {
    const containers: unknown = status[field];
    return Array.isArray(containers) && containers.some(isStarted);
  });
}

function isStarted(status: unknown): boolean {
  if (!isObject(status)) return false;
  const state = partOf(status, 'state');
  return isObject(state['running']) || isObject(state['terminated']);
}

/** Longer than any ID; a longer text points to no cache, and is not kept. */
const MAX_ID = 128;

function cachesPointedTo(annotations: StringMap): string[] {
  const ids = [PIN.modern, PIN.legacy, MATCHED_CACHE].map((key) => annotations.get(key) ?? '');
  return [...new Set(ids)].filter((id) => id !== '' && id.length <= MAX_ID);
}

/** The names in a list of object references such as `imagePullSecrets`. */
export function namesOf(list: unknown): string[] {
  if (!Array.isArray(list)) return [];
  return list.flatMap((each: unknown) => (isObject(each) ? (readText(each['name']) ?? []) : []));
}

/** More than any pod needs, and few enough for one object. */
export const MAX_PULL_SECRETS = 20;
/** A DNS-1123 subdomain, as a Secret is named; the API server does not check the names in imagePullSecrets. */
const SECRET_NAME = /^[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?$/;

/** Secrets as a cluster-scoped ImageCache names them: with their namespace, sorted, distinct. Others are left out. */
export function qualified(names: readonly string[], namespace: string): string[] {
  const valid = names.filter((name) => SECRET_NAME.test(name)).map((name) => `${namespace}:${name}`);
  return [...new Set(valid)].toSorted().slice(0, MAX_PULL_SECRETS);
}
