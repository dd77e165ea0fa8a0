/**
 * The decision when a pod is bound, and its node is known. The API server merges the annotations of a Binding into the
 * pod in the same write that sets the node, and later versions its labels. It merges nothing else, and removes nothing
 * (docs/domain.md, "Bindings").
 */
import { AUTO, CREATE_ON_MISS, DECISION, OUTCOME, PIN } from '../annotations.ts';
import type { DecisionOptions } from './options.ts';
import { decide, type Decision } from './decide.ts';
import { isObject, readStringMap, readText, type StringMap } from '../kubernetes/json.ts';
import { isObjectName } from '../kubernetes/metadata-syntax.ts';
import { typeName, Unreadable } from '../kubernetes/problem.ts';
import type { Pod } from '../pod.ts';
import type { View } from './view.ts';

export interface Binding {
  readonly namespace: string;
  readonly podName: string;
  /** The pod's UID; undefined if the scheduler gives none, so that the name alone identifies the pod. */
  readonly podUid: string | undefined;
  readonly nodeName: string;
  readonly annotations: StringMap;
  readonly labels: StringMap;
  readonly present: Pod['present'];
}

/**
 * Reads a Binding, whose name is the pod's.
 * @param namespace the namespace of the request, which wins over the one in the object
 * @throws Unreadable
 */
export function readBinding(value: unknown, namespace: string | undefined): Binding {
  if (!isObject(value)) throw new Unreadable('binding', `is ${typeName(value)}; it must be an object`);
  const { metadata, target } = value;
  if (!isObject(metadata)) throw new Unreadable('metadata', 'is missing');
  const podName = readText(metadata['name']);
  if (podName === undefined) throw new Unreadable('metadata.name', 'is missing');
  if (!isObjectName(podName)) throw new Unreadable('metadata.name', 'is no name that a pod can have');
  const inNamespace = namespace ?? readText(metadata['namespace']) ?? 'default';
  if (!isObjectName(inNamespace)) throw new Unreadable('namespace', 'is no name that a namespace can have');
  const nodeName = isObject(target) ? readText(target['name']) : undefined;
  if (nodeName === undefined) throw new Unreadable('target.name', 'is missing');
  const annotations = readStringMap(metadata['annotations'], 'metadata.annotations');
  return {
    namespace: inNamespace,
    podName,
    podUid: readText(metadata['uid']),
    nodeName,
    annotations,
    labels: readStringMap(metadata['labels'], 'metadata.labels'),
    present: {
      metadata: true,
      annotations: isObject(metadata['annotations']),
      labels: isObject(metadata['labels']),
    },
  };
}

export interface BindingDecision {
  readonly binding: Binding;
  /** The pod as it would be bound without us. */
  readonly seen: Pod;
  readonly decision: Decision;
  /** The annotations that the Binding should get; if the pod is denied, the annotations that the Binding has. */
  readonly annotations: StringMap;
  /** The labels that the Binding should get. Kubernetes before 1.35 does not merge them into the pod. */
  readonly labels: StringMap;
}

/**
 * Decides for a pod when it is bound.
 * @param pod the pod before the binding
 */
export function decideOnBinding(
  binding: Binding,
  pod: Pod,
  view: View,
  options: DecisionOptions,
  nowMs: number,
): BindingDecision {
  const before = new Map([...pod.annotations, ...binding.annotations]);
  const seen = { ...pod, annotations: before, nodeName: binding.nodeName };
  const decision = decide(seen, view, options, nowMs, 'binding');
  const { outcome } = decision;
  if (outcome === 'denied') return { binding, seen, decision, ...asItIs(binding) };
  const written = [...decision.pod.annotations].filter(([key, value]) => before.get(key) !== value);
  if (written.length === 0) return { binding, seen, decision, ...asItIs(binding) };
  return {
    binding,
    seen,
    decision,
    annotations: new Map([...binding.annotations, ...written]),
    labels: new Map(binding.labels).set(OUTCOME, outcome),
  };
}

function asItIs({ annotations, labels }: Binding): Pick<BindingDecision, 'annotations' | 'labels'> {
  return { annotations, labels };
}

/** Annotations that say no more than what a decision chose. */
const CHOSEN: readonly string[] = [PIN.modern, PIN.legacy, AUTO.modern, AUTO.legacy, CREATE_ON_MISS];

/**
 * The decision as a caller may see it who is not known to be an API server, and could ask about any pod: the ID, the
 * marker and the switches that this decision writes, with a record of them, and nothing that was read from the pod.
 */
export function forUnknownCaller({
  binding,
  seen,
  decision,
  annotations,
  labels,
}: BindingDecision): BindingDecision {
  const { outcome, cacheId, createOnMiss } = decision;
  const chosenId = outcome === 'hit' || outcome === 'partial' ? cacheId : undefined;
  const values = new Set([chosenId, createOnMiss, 'true', 'false']);
  const written = CHOSEN.map((key) => [key, annotations.get(key)] as const).filter(
    (entry): entry is readonly [string, string] =>
      entry[1] !== undefined && values.has(entry[1]) && seen.annotations.get(entry[0]) !== entry[1],
  );
  const record = JSON.stringify({ outcome, wrote: { annotations: Object.fromEntries(written) } });
  return {
    binding,
    seen,
    decision: {
      ...decision,
      cacheId: chosenId,
      why: "the image cache of the pod cannot be used; the webhook's log says why",
      warnings: [],
    },
    annotations: new Map([
      ...binding.annotations,
      ...(outcome === 'denied' ? [] : written),
      ...(outcome !== 'denied' && written.length > 0 ? [[DECISION, record] as const] : []),
    ]),
    labels: written.length > 0 ? labels : binding.labels,
  };
}
