/** What was decided for a pod that exists, and what ECI did with it, as its annotations say. */
import { DECISION, MATCHED_CACHE, PIN } from '../annotations.ts';
import type { Outcome } from '../decision/reasons.ts';
import { partOf, readText, type JsonObject } from '../kubernetes/json.ts';
import { objectName } from '../kubernetes/object.ts';
import { isPlaced, readDecision, truthOf, type Result } from './pod-truth.ts';

export interface PodRecord {
  readonly name: string;
  /** ISO 8601; null if the pod does not say. */
  readonly createdAt: string | null;
  /** `Running`; empty if the pod has none yet. */
  readonly phase: string;
  /** `none` if no webhook decided the pod. */
  readonly decided: Outcome | 'none';
  readonly why: string;
  /** The ID that the pod carries; null: none. */
  readonly written: string | null;
  /** Whether ECI has placed the pod; until then the next two fields are null. */
  readonly isPlaced: boolean;
  /** The ID of the cache that ECI started the pod from; null: none. */
  readonly used: string | null;
  readonly result: Result | null;
}

export function recordOf(pod: JsonObject): PodRecord {
  const metadata = partOf(pod, 'metadata');
  const annotations = partOf(metadata, 'annotations');
  const { outcome, why } = readDecision(annotations[DECISION]);
  return {
    name: objectName(pod),
    createdAt: readText(metadata['creationTimestamp']) ?? null,
    phase: readText(partOf(pod, 'status')['phase']) ?? '',
    decided: outcome,
    why,
    written: readText(annotations[PIN.modern]) ?? readText(annotations[PIN.legacy]) ?? null,
    isPlaced: isPlaced(pod),
    used: readText(annotations[MATCHED_CACHE]) ?? null,
    result: truthOf(pod)?.result ?? null,
  };
}

/** Whether a webhook decided the pod, or ECI runs it: other pods count nowhere. */
export function isCounted({ decided, isPlaced: placed }: PodRecord): boolean {
  return decided !== 'none' || placed;
}

/** Whether the pod was given a cache with all its images, or pins one. */
export function isDecidedWarm({ decided }: PodRecord): boolean {
  return decided === 'hit' || decided === 'pinned';
}

/** The newest first; those without a time last. */
export function newestFirst(a: PodRecord, b: PodRecord): number {
  return (b.createdAt ?? '').localeCompare(a.createdAt ?? '') || a.name.localeCompare(b.name);
}
