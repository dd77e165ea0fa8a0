/**
 * Records the changes of a decision in the decision annotation, and undoes them if the pod comes again: after a sidecar
 * injector, or as a copy of a live pod. Only values that are still as we wrote them are undone; any other value is the
 * user's new request (docs/architecture.md, "The decision").
 */
import type { Container, Pod } from '../pod.ts';
import type { Profile } from './profile/effects.ts';
import { isObject, readStringMap, type StringMap } from '../kubernetes/json.ts';
import { sha256Hex } from '../image/sha256.ts';
import { annotationsFit, MAX_ANNOTATION_BYTES, utf8Length } from '../kubernetes/metadata-syntax.ts';
import { CREATE_ON_MISS, DECISION, REQUEST_KEYS } from '../annotations.ts';

/** The part of the annotation that is for people. */
export interface DecisionSummary {
  readonly outcome: string;
  readonly why: string;
}

/** A value that we wrote, or the digest of a long value; null for an annotation that we removed. */
type WrittenValue = string | { readonly sha256: string } | null;

/** The largest size of the decision annotation's value, in bytes. */
export const MAX_RECORD_BYTES = 4096;
/** Characters. A longer value of a request annotation is invalid and counts as absent, so it is not recorded. */
const MAX_REQUEST_VALUE = 253;
/** Characters. Of a longer value, which only profile effects write, the record has only the digest. */
const MAX_WRITTEN_VALUE = 253;

interface WriteRecord {
  /** The user's own image-cache annotations. */
  readonly request: StringMap;
  /** The annotations that we wrote. */
  readonly annotations: ReadonlyMap<string, WrittenValue>;
  readonly labels: StringMap;
  /** Names of the containers whose pull policy we changed from Always to IfNotPresent. */
  readonly pullPolicies: ReadonlySet<string>;
}

/**
 * The pod without our changes. Only keys that the webhook can write are undone, so that a forged decision annotation
 * cannot remove any other annotation.
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
    if (couldBeOurs && isAsWritten(annotations.get(key), value))
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

function isAsWritten(value: string | undefined, written: WrittenValue): boolean {
  if (value === undefined || value.length > MAX_ANNOTATION_BYTES)
    return value === undefined && written === null;
  return isObject(written) ? digestOf(value) === written.sha256 : value === written;
}

/** The hash of the percent-encoded text, because sha256Hex reads only one byte of each character. */
function digestOf(text: string): string {
  return sha256Hex(encodeURIComponent(text.toWellFormed()));
}

function restore(annotations: Map<string, string>, key: string, original: string | undefined): void {
  if (original === undefined) annotations.delete(key);
  else annotations.set(key, original);
}

/**
 * The text of the decision annotation: outcome, request and changes, and the reason if there is room for it.
 * @param user the pod as the user wrote it
 * @param written the pod as it will be, with our marker and without a record
 * @returns undefined if even a record without the reason has more than MAX_RECORD_BYTES, or does not fit into the pod
 */
export function recordDecision(summary: DecisionSummary, user: Pod, written: Pod): string | undefined {
  const request = REQUEST_KEYS.flatMap((key) => {
    const value = user.annotations.get(key);
    return value === undefined || value.length > MAX_REQUEST_VALUE ? [] : [[key, value]];
  });
  const enforced = written.containers
    .filter((container, index) => container.imagePullPolicy !== user.containers[index]?.imagePullPolicy)
    .map((container) => container.name);
  const needed = {
    request: Object.fromEntries(request),
    wrote: {
      annotations: difference(user.annotations, written.annotations),
      labels: difference(user.labels, written.labels),
      ...(enforced.length > 0 && { imagePullPolicy: enforced }),
    },
  };
  const { outcome, why } = summary;
  return [
    { outcome, why, ...needed },
    { outcome, ...needed },
  ]
    .map((record) => JSON.stringify(record))
    .find((text) => {
      const bytes = utf8Length(text);
      return bytes <= MAX_RECORD_BYTES && annotationsFit(written.annotations, DECISION.length + bytes);
    });
}

function difference(from: StringMap, to: StringMap): Record<string, WrittenValue> {
  const changed: [string, WrittenValue][] = [];
  for (const [key, value] of to) {
    if (from.get(key) === value) continue;
    changed.push([key, value.length > MAX_WRITTEN_VALUE ? { sha256: digestOf(value) } : value]);
  }
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
      annotations: new Map(isObject(annotations) ? Object.entries(annotations).filter(isWrittenEntry) : []),
      labels: readStringMap(labels, 'wrote.labels'),
      pullPolicies: new Set(
        Array.isArray(imagePullPolicy) ? imagePullPolicy.filter((name) => typeof name === 'string') : [],
      ),
    };
  } catch {
    return undefined;
  }
}

function isWrittenEntry(entry: [string, unknown]): entry is [string, WrittenValue] {
  const [, value] = entry;
  if (value === null || typeof value === 'string') return true;
  return isObject(value) && typeof value['sha256'] === 'string';
}
