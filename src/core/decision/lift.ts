/**
 * Lets a pod go that waits for its cache: takes our scheduling gate off, and decides again with what is known by now. (That
 * ECI reads an ID that is written after the creation of a pod, and before it is bound, is inferred.)
 */
import { WAIT_FOR_CACHE } from '../annotations.ts';
import { objectsIn, partOf, type JsonObject, type StringMap } from '../kubernetes/json.ts';
import { decideOnJson } from './decide.ts';
import type { DecisionOptions } from './options.ts';
import type { View } from './view.ts';

/**
 * @param pod as the API server has it
 * @returns a JSON merge patch that holds for this state of the pod; undefined if no gate of ours is on it
 */
export function liftPatch(
  pod: JsonObject,
  view: View,
  options: DecisionOptions,
  nowMs: number,
): JsonObject | undefined {
  const { uid, resourceVersion } = partOf(pod, 'metadata');
  const gates = objectsIn(partOf(pod, 'spec')['schedulingGates']);
  const others = gates.filter(({ name }) => name !== WAIT_FOR_CACHE);
  if (others.length === gates.length) return undefined;
  // It has waited, and does so once; and pull policies can no longer be changed.
  const deciding = { ...options, waitForCache: 'never', pullPolicy: 'warn' } as const;
  const { seen, decision } = decideOnJson(pod, undefined, view, deciding, nowMs);
  const after = decision.outcome === 'denied' ? seen : decision.pod;
  return {
    metadata: {
      uid,
      resourceVersion,
      annotations: changes(seen.annotations, after.annotations),
      labels: { ...changes(seen.labels, after.labels), [WAIT_FOR_CACHE]: null },
    },
    spec: { schedulingGates: others },
  };
}

/** As a JSON merge patch: null removes a key. */
function changes(from: StringMap, to: StringMap): Record<string, string | null> {
  const removed = [...from.keys()].filter((key) => !to.has(key)).map((key) => [key, null] as const);
  const set = [...to].filter(([key, value]) => from.get(key) !== value);
  return Object.fromEntries([...removed, ...set]);
}
