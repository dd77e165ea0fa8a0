/**
 * The decision when a pod is bound, and its node is known. The API server merges the annotations of a Binding into the
 * pod in the same write that sets the node. It merges nothing else, and removes nothing (docs/domain.md, "Bindings").
 */
import type { DecisionOptions } from './options.ts';
import { decide, type Decision } from './decide.ts';
import { isObject, readStringMap, readText, type StringMap } from '../kubernetes/json.ts';
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
  const nodeName = isObject(target) ? readText(target['name']) : undefined;
  if (nodeName === undefined) throw new Unreadable('target.name', 'is missing');
  const annotations = readStringMap(metadata['annotations'], 'metadata.annotations');
  return {
    namespace: namespace ?? readText(metadata['namespace']) ?? 'default',
    podName,
    podUid: readText(metadata['uid']),
    nodeName,
    annotations,
    present: { metadata: true, annotations: isObject(metadata['annotations']), labels: true },
  };
}

export interface BindingDecision {
  readonly binding: Binding;
  /** The pod as it would be bound without us. */
  readonly seen: Pod;
  readonly decision: Decision;
  /** The annotations that the Binding should get; if the pod is denied, the annotations that the Binding has. */
  readonly annotations: StringMap;
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
  if (decision.outcome === 'denied') return { binding, seen, decision, annotations: binding.annotations };
  const written = [...decision.pod.annotations].filter(([key, value]) => before.get(key) !== value);
  return { binding, seen, decision, annotations: new Map([...binding.annotations, ...written]) };
}
