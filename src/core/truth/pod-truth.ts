/**
 * The ground truth of one pod: what the webhook predicted, and which cache ECI started it from, as the annotations say that
 * both wrote (docs/region.md, "Ground truth"). Needs no credentials for ECI's API.
 */
import { DECISION, ECI_INSTANCE, MATCHED_CACHE, PIN } from '../annotations.ts';
import type { Outcome } from '../decision/reasons.ts';
import { isObject, partOf, readText, type JsonObject } from '../kubernetes/json.ts';

/**
 * `right`: ECI used the cache that was written into the pod, or none where none was predicted. `wrong`: it used another one
 * or none although one was written, or none although some cache of the cluster matches. `eci`: no ID was written, and ECI
 * chose by itself. `unpredicted`: no webhook decided the pod, and ECI used no cache.
 */
export type Result = 'right' | 'wrong' | 'eci' | 'unpredicted';

export interface PodTruth {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  /** The outcome of the decision; `none` if the pod carries no decision. */
  readonly predicted: Outcome | 'none';
  /** The ID that the pod carried when it started; undefined: none. */
  readonly written: string | undefined;
  /** The ID of the cache that ECI used; undefined: none. */
  readonly used: string | undefined;
  readonly result: Result;
}

const OUTCOMES: ReadonlySet<unknown> = new Set<Outcome>([
  'hit',
  'partial',
  'pinned',
  'miss',
  'denied',
  'skipped',
]);

/** Whether ECI has placed the pod. */
export function isPlaced(pod: JsonObject): boolean {
  return readText(partOf(partOf(pod, 'metadata'), 'annotations')[ECI_INSTANCE]) !== undefined;
}

/** @returns undefined until ECI has placed the pod */
export function truthOf(pod: JsonObject): PodTruth | undefined {
  const metadata = partOf(pod, 'metadata');
  const annotations = partOf(metadata, 'annotations');
  if (!isPlaced(pod)) return undefined;
  const predicted = readDecision(annotations[DECISION]).outcome;
  const written = readText(annotations[PIN.modern]) ?? readText(annotations[PIN.legacy]);
  const used = readText(annotations[MATCHED_CACHE]);
  return {
    namespace: readText(metadata['namespace']) ?? 'default',
    name: readText(metadata['name']) ?? '',
    uid: readText(metadata['uid']) ?? '',
    predicted,
    written,
    used,
    result: resultOf(predicted, written, used),
  };
}

function resultOf(
  predicted: Outcome | 'none',
  written: string | undefined,
  used: string | undefined,
): Result {
  if (written !== undefined) return used === written ? 'right' : 'wrong';
  if (used !== undefined) return 'eci';
  if (predicted === 'none') return 'unpredicted';
  return predicted === 'partial' ? 'wrong' : 'right';
}

/** What the record of a decision says to people. */
export interface RecordedDecision {
  readonly outcome: Outcome | 'none';
  /** Empty if there is no decision. */
  readonly why: string;
}

/**
 * Reads the record of the decision from a pod's annotations. Anybody may edit annotations, so that one that is no decision of
 * ours counts as none.
 */
export function readDecision(decision: unknown): RecordedDecision {
  const none = { outcome: 'none', why: '' } as const;
  if (typeof decision !== 'string' || decision.length > MAX_DECISION) return none;
  try {
    const record: unknown = JSON.parse(decision);
    if (!isObject(record) || !OUTCOMES.has(record['outcome'])) return none;
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the set holds all outcomes
    return { outcome: record['outcome'] as Outcome, why: readText(record['why']) ?? '' };
  } catch {
    return none;
  }
}

/** Characters; ours are shorter. */
const MAX_DECISION = 65_536;
