/** The pod with everything that a decision writes into it: annotations, labels, scheduling gate, and the record of all this. */
import { CREATE_ON_MISS, DECISION, OUTCOME, WAIT_FOR_CACHE } from '../annotations.ts';
import type { Pod } from '../pod.ts';
import type { DecisionContext, StepResult } from './context.ts';
import { recordDecision } from './provenance.ts';
import { withoutRemovals, writeAnnotations } from './write.ts';

/** @returns undefined if the annotations, or the record of our changes, would be too large */
export function writtenPod(
  { moment, seen, user, metadata, request, options }: DecisionContext,
  { outcome, reason, why, writing, waitMs }: StepResult,
  pod: Pod,
): Pod | undefined {
  // Effects only add keys, so equal sizes mean that the effects added nothing, and no record is needed.
  const { annotations: asked, labels: labelled } = metadata;
  const isUntouched = asked.size === user.annotations.size && labelled.size === user.labels.size;
  if (!writing && isUntouched && (moment === 'creation' || user === seen)) return pod;
  const wanted = writing ? writeAnnotations(asked, request, writing, options.dialect) : new Map(asked);
  const annotations = moment === 'binding' ? withoutRemovals(seen.annotations, wanted) : wanted;
  const marker = moment === 'creation' ? writing?.createOnMiss : undefined;
  const labels = marker === undefined ? labelled : new Map(labelled).set(CREATE_ON_MISS, marker);
  const waits = waitMs !== undefined;
  const written = {
    ...pod,
    annotations,
    labels: waits ? new Map(labels).set(WAIT_FOR_CACHE, 'true') : labels,
    gates: waits ? [...pod.gates, WAIT_FOR_CACHE] : pod.gates,
  };
  annotations.delete(DECISION);
  const record = recordDecision({ outcome, why }, user, written);
  if (record === undefined) return undefined;
  annotations.set(DECISION, record);
  // At a binding the label goes onto the Binding; a pod whose node is not known yet is decided then.
  if (moment === 'binding' || reason === 'NodeNotKnown') return written;
  return { ...written, labels: new Map(written.labels).set(OUTCOME, outcome) };
}
