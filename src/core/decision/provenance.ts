/**
 * Records the changes of a decision in the decision annotation, and undoes them if the pod comes again: after a sidecar
 * injector, or as a copy of a live pod. Only values that are still as we wrote them are undone; any other value is the
 * user's new request (docs/architecture.md, "The decision").
 */
import type { Container, Pod } from '../pod.ts';
import type { Profile } from './profile/effects.ts';
import { isObject, readStringMap, type StringMap } from '../kubernetes/json.ts';
import { annotationsFit, MAX_ANNOTATION_BYTES, utf8Length } from '../kubernetes/metadata-syntax.ts';
import { CREATE_ON_MISS, DECISION, OUTCOME, REQUEST_KEYS, WAIT_FOR_CACHE } from '../annotations.ts';

/** The part of the annotation that is for people. */
export interface DecisionSummary {
  readonly outcome: string;
  readonly why: string;
}

/** A value that we wrote, or the digest of a longer value; null for an annotation that we removed. */
type WrittenValue = string | { readonly fnv1a: string } | null;

/** The labels that we write. */
const LABELS: readonly string[] = [CREATE_ON_MISS, OUTCOME, WAIT_FOR_CACHE];
/** The most bytes of the record. */
export const MAX_RECORD_BYTES = 4096;
/** Records of earlier releases may be longer; a text beyond this many characters is no record of ours. */
const MAX_READ_RECORD = 65_536;
/** A value of a request that can be valid. Another counts as absent, and only its beginning is recorded. */
const POSSIBLE_REQUEST = /^[\x20-\x7e]{0,253}$/;
const MAX_IMPOSSIBLE_REQUEST = 40;
/** A longer value, which only a profile can have, is recorded as its digest. */
const MAX_WRITTEN_VALUE = 253;
/** The same, if the record would be too long otherwise. */
const MAX_WRITTEN_VALUE_IN_SHORT = 16;

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
 * The pod without our changes. Only the six request names get a former value back, because the record may be forged; what a
 * profile added is taken off, and withAdditionsOf puts it back before anything is written.
 */
export function asUserWroteIt(pod: Pod, profile: Profile): Pod {
  const text = pod.annotations.get(DECISION);
  const isMarked = pod.annotations.has(CREATE_ON_MISS) || LABELS.some((key) => pod.labels.has(key));
  const isGated = pod.gates.includes(WAIT_FOR_CACHE);
  if (text === undefined && !isMarked && !isGated) return pod;

  const record = text === undefined ? undefined : parseRecord(text);
  const annotations = new Map(pod.annotations);
  annotations.delete(DECISION);
  annotations.delete(CREATE_ON_MISS);
  const ofProfile = [...(record?.labels ?? [])].filter(
    ([key, value]) => profile.labelKeys.has(key) && pod.labels.get(key) === value,
  );
  const labels = without(pod.labels, [...LABELS, ...ofProfile.map(([key]) => key)]);
  const gates = isGated ? pod.gates.filter((gate) => gate !== WAIT_FOR_CACHE) : pod.gates;
  if (!record) return { ...pod, annotations, labels, gates };

  // What we write fits into the annotations of a pod, so that more characters than that are not ours to compare.
  let characters = MAX_ANNOTATION_BYTES;
  for (const [key, written] of record.annotations) {
    const isRequest = REQUEST_KEYS.includes(key);
    if (!isRequest && !profile.annotationKeys.has(key)) continue;
    const value = annotations.get(key);
    characters -= value?.length ?? 0;
    if (characters >= 0 && isAsWritten(value, written))
      restore(annotations, key, isRequest ? record.request.get(key) : undefined);
  }
  const containers = pod.containers.map((container): Container =>
    record.pullPolicies.has(container.name) && container.imagePullPolicy === 'IfNotPresent'
      ? { ...container, imagePullPolicy: 'Always' }
      : container,
  );
  return { ...pod, annotations, labels, containers, gates };
}

/** Copies nothing unless one of the keys is there: a map may be large. */
function without(map: StringMap, keys: readonly string[]): StringMap {
  if (!keys.some((key) => map.has(key))) return map;
  const rest = new Map(map);
  for (const key of keys) rest.delete(key);
  return rest;
}

/**
 * What the user wrote, and what the record claims that profiles and pull policies were changed to, as the pod has it:
 * nothing but the six request names is ever taken out or replaced because a record says so.
 */
export function withAdditionsOf(seen: Pod, user: Pod, profile: Profile): Pod {
  const annotations = withMissing(user.annotations, seen.annotations, profile.annotationKeys);
  const labels = withMissing(user.labels, seen.labels, profile.labelKeys);
  const isSame =
    annotations === user.annotations && labels === user.labels && seen.containers === user.containers;
  return isSame ? user : { ...user, annotations, labels, containers: seen.containers };
}

/** Puts back the entries with these keys that were taken off. Copies nothing unless there is one: a map may be large. */
function withMissing(map: StringMap, from: StringMap, keys: ReadonlySet<string>): StringMap {
  const missing = [...keys].filter((key) => from.has(key) && !map.has(key) && !REQUEST_KEYS.includes(key));
  if (missing.length === 0) return map;
  const complete = new Map(map);
  for (const key of missing) complete.set(key, from.get(key) ?? '');
  return complete;
}

function isAsWritten(value: string | undefined, written: WrittenValue): boolean {
  if (value === undefined) return written === null;
  return isObject(written) ? digestOf(value) === written.fnv1a : value === written;
}

/**
 * FNV-1a over the characters of a text, with its length. Not a strong hash, because a user who forges one changes
 * nothing but the user's own annotation.
 */
function digestOf(text: string): string {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return `${text.length}-${(hash >>> 0).toString(16)}`;
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
    return value === undefined ? [] : [[key, recordedRequest(value)]];
  });
  const enforced = written.containers
    .filter((container, index) => container.imagePullPolicy !== user.containers[index]?.imagePullPolicy)
    .map((container) => container.name);
  const recordWith = (why: string | undefined, longest: number): string =>
    JSON.stringify({
      outcome: summary.outcome,
      why,
      request: Object.fromEntries(request),
      wrote: {
        annotations: difference(user.annotations, written.annotations, longest),
        labels: difference(user.labels, without(written.labels, [OUTCOME]), Infinity),
        ...(enforced.length > 0 && { imagePullPolicy: enforced }),
      },
    });
  for (const [why, longest] of [
    [summary.why, MAX_WRITTEN_VALUE],
    [summary.why, MAX_WRITTEN_VALUE_IN_SHORT],
    [undefined, MAX_WRITTEN_VALUE_IN_SHORT],
  ] as const) {
    const record = recordWith(why, longest);
    const bytes = utf8Length(record);
    if (bytes <= MAX_RECORD_BYTES && annotationsFit(written.annotations, DECISION.length + bytes))
      return record;
  }
  return undefined;
}

/** What is recorded in place of an impossible value is as impossible, so that the pod asks for the same. */
function recordedRequest(value: string): string {
  if (value.length <= MAX_IMPOSSIBLE_REQUEST || POSSIBLE_REQUEST.test(value)) return value;
  return `${value.slice(0, MAX_IMPOSSIBLE_REQUEST).toWellFormed()}…`;
}

/** @param longest the most characters of a value that is recorded itself; a longer one is recorded as its digest */
function difference(from: StringMap, to: StringMap, longest: number): Record<string, WrittenValue> {
  const changed: [string, WrittenValue][] = [];
  let common = 0;
  for (const [key, value] of to) {
    const former = from.get(key);
    if (former !== undefined) common += 1;
    if (former === value) continue;
    const most = REQUEST_KEYS.includes(key) ? MAX_WRITTEN_VALUE : longest;
    changed.push([key, value.length > most ? { fnv1a: digestOf(value) } : value]);
  }
  // If every key of `from` was met, none is missing in `to`.
  if (common < from.size) for (const key of from.keys()) if (!to.has(key)) changed.push([key, null]);
  // Sorted, or the text would depend on the order of the pod's annotations.
  return Object.fromEntries(changed.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

/** @returns undefined if the text is no record of ours; then nothing can be undone */
function parseRecord(text: string): WriteRecord | undefined {
  if (text.length > MAX_READ_RECORD) return undefined;
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
  return isObject(value) && typeof value['fnv1a'] === 'string';
}
