/**
 * Owns the decision as a pod is bound, when its node is known. The API server merges the annotations of a Binding into
 * the pod in the same write that sets its node, and nothing else of it; none can be removed that way. Domain facts,
 * "Kubernetes facts".
 */
import type { DecisionConfig } from './config.ts';
import { decide, type Decision } from './decide.ts';
import {
  EMPTY_MAP,
  isObject,
  readStringMap,
  readText,
  typeName,
  Unreadable,
  type StringMap,
} from './json.ts';
import { patchBetween, type Operation } from './patch/json-patch.ts';
import type { Pod } from './pod.ts';
import type { View } from './view.ts';

export interface Binding {
  readonly namespace: string;
  readonly podName: string;
  /** Undefined where the binder does not say which pod of that name it means. */
  readonly podUid: string | undefined;
  readonly nodeName: string;
  readonly annotations: StringMap;
  readonly present: Pod['present'];
}

/**
 * Reads a Binding; its own name is the pod's.
 * @param namespace of the request, which wins over the one in the object
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
  /** The pod as it would be bound without us. */
  readonly seen: Pod;
  readonly decision: Decision;
  /** Of the Binding. */
  readonly patch: readonly Operation[];
}

/**
 * Decides for a pod as it is bound.
 * @param pod as it is before
 * @param now milliseconds since 1970
 */
export function decideOnBinding(
  binding: Binding,
  pod: Pod,
  view: View,
  config: DecisionConfig,
  now: number,
): BindingDecision {
  const annotations = new Map([...pod.annotations, ...binding.annotations]);
  const seen = { ...pod, annotations, nodeName: binding.nodeName };
  const decision = decide(seen, view, config, now, 'binding');
  if (decision.outcome === 'denied') return { seen, decision, patch: [] };
  const written = [...decision.pod.annotations].filter(([key, value]) => annotations.get(key) !== value);
  const unchanged = { labels: EMPTY_MAP, containers: [] };
  const patch = patchBetween(
    { ...unchanged, annotations: binding.annotations, present: binding.present },
    { ...unchanged, annotations: new Map([...binding.annotations, ...written]) },
  );
  return { seen, decision, patch };
}
