/**
 * Remembers what an earlier decision wrote. The decision annotation records the user's request and our changes. If the
 * pod comes again (after a sidecar injector, or as a manifest copied from a live pod), values that are as we wrote them
 * are undone, and other values are the user's new request (docs/architecture.md, "The decision").
 */
import type { Container, Pod } from '../pod.ts';
import type { Profile } from './profile/effects.ts';
import { isObject, readStringMap, type StringMap } from '../kubernetes/json.ts';
import { CREATE_ON_MISS, DECISION, REQUEST_KEYS } from '../annotations.ts';

/** The part of the annotation that is for people. */
export interface DecisionSummary {
  readonly outcome: string;
  readonly why: string;
}

interface WriteRecord {
  /** The user's own image-cache annotations. */
  readonly request: StringMap;
  /** The annotations that we wrote; null: removed. */
  readonly annotations: ReadonlyMap<string, string | null>;
  readonly labels: StringMap;
  /** Names of the containers whose pull policy we changed from Always to IfNotPresent. */
  readonly pullPolicies: ReadonlySet<string>;
}

/**
 * The pod without our changes. Only values that we could have written are undone, whatever the annotation claims: a
 * forged one must not remove another's annotation.
 */
export function asUserWroteIt(pod: Pod, profile: Profile): Pod {
  const text = pod.annotations.get(DECISION);
  if (text === undefined && !pod.annotations.has(CREATE_ON_MISS) && !pod.labels.has(CREATE_ON_MISS))
    return pod;

  const record = text === undefined ? undefined : parseRecord(text);
  const annotations = new Map(pod.annotations);
  const labels = new Map(pod.labels);
  annotations.delete(DECISION);
  annotations.delete(CREATE_ON_MISS);
  labels.delete(CREATE_ON_MISS);
  if (!record) return { ...pod, annotations, labels };

  for (const [key, value] of record.annotations) {
    const couldBeOurs = REQUEST_KEYS.includes(key) || profile.annotationKeys.has(key);
    if (couldBeOurs && (annotations.get(key) ?? null) === value)
      restore(annotations, key, record.request.get(key));
  }
  for (const [key, value] of record.labels) {
    if (profile.labelKeys.has(key) && labels.get(key) === value) labels.delete(key);
  }
  const containers = pod.containers.map((container): Container =>
    record.pullPolicies.has(container.name) && container.imagePullPolicy === 'IfNotPresent'
      ? { ...container, imagePullPolicy: 'Always' }
      : container,
  );
  return { ...pod, annotations, labels, containers };
}

function restore(annotations: Map<string, string>, key: string, original: string | undefined): void {
  if (original === undefined) annotations.delete(key);
  else annotations.set(key, original);
}

/**
 * The text of the decision annotation: outcome, request and changes.
 * @param user the pod as the user wrote it
 * @param written the pod as it will be, with our marker
 */
export function recordDecision(summary: DecisionSummary, user: Pod, written: Pod): string {
  const request = REQUEST_KEYS.flatMap((key) => {
    const value = user.annotations.get(key);
    return value === undefined ? [] : [[key, value]];
  });
  const enforced = written.containers
    .filter((container, index) => container.imagePullPolicy !== user.containers[index]?.imagePullPolicy)
    .map((container) => container.name);
  return JSON.stringify({
    outcome: summary.outcome,
    why: summary.why,
    request: Object.fromEntries(request),
    wrote: {
      annotations: difference(user.annotations, written.annotations),
      labels: difference(user.labels, written.labels),
      ...(enforced.length > 0 && { imagePullPolicy: enforced }),
    },
  });
}

function difference(from: StringMap, to: StringMap): Record<string, string | null> {
  const changed: [string, string | null][] = [];
  for (const [key, value] of to) if (from.get(key) !== value) changed.push([key, value]);
  for (const key of from.keys()) if (!to.has(key)) changed.push([key, null]);
  // Sorted, or the text would depend on the order of the pod's annotations.
  return Object.fromEntries(changed.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

/** @returns undefined if the text is no record of ours; then nothing can be undone */
function parseRecord(text: string): WriteRecord | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (!isObject(value) || !isObject(value['wrote'])) return undefined;
    const { annotations, labels, imagePullPolicy } = value['wrote'];
    return {
      request: readStringMap(value['request'], 'request'),
      annotations: new Map(isObject(annotations) ? Object.entries(annotations).filter(isTextOrNull) : []),
      labels: readStringMap(labels, 'wrote.labels'),
      pullPolicies: new Set(
        Array.isArray(imagePullPolicy) ? imagePullPolicy.filter((name) => typeof name === 'string') : [],
      ),
    };
  } catch {
    return undefined;
  }
}

function isTextOrNull(entry: [string, unknown]): entry is [string, string | null] {
  return entry[1] === null || typeof entry[1] === 'string';
}
