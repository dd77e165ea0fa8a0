/**
 * Pods that no replica of the webhook answered: the API server had to ask it, and the pod carries no decision although a
 * decision would have written one. With failurePolicy Ignore, such pods are created all the same.
 */
import { DECISION } from '../annotations.ts';
import { decide } from '../decision/decide.ts';
import type { DecisionOptions } from '../decision/options.ts';
import type { View } from '../decision/view.ts';
import { matchesLabels, readLabelSelector, type LabelSelector } from '../kubernetes/label-selector.ts';
import { objectsIn, partOf, textsIn, type JsonObject, type StringMap } from '../kubernetes/json.ts';
import { objectName, objectNamespace } from '../kubernetes/object.ts';
import { Unreadable } from '../kubernetes/problem.ts';
import { parseTime } from '../kubernetes/time.ts';
import { readPod } from '../pod.ts';

/** Which pods the API server asks the webhook about, since when. */
export interface WebhookScope {
  /** Milliseconds since 1970. */
  readonly sinceMs: number;
  /** A pod is asked about if it passes both selectors of one of them. */
  readonly selectors: readonly { readonly namespace: LabelSelector; readonly object: LabelSelector }[];
}

/**
 * @param configuration a MutatingWebhookConfiguration
 * @throws Unreadable
 */
export function readWebhookScope(configuration: JsonObject): WebhookScope {
  const webhooks = objectsIn(configuration['webhooks']).filter(isForPods);
  return {
    sinceMs: parseTime(partOf(configuration, 'metadata')['creationTimestamp']) ?? Infinity,
    selectors: webhooks.map((webhook, i) => ({
      namespace: readLabelSelector(webhook['namespaceSelector'], `webhooks[${i}].namespaceSelector`),
      object: readLabelSelector(webhook['objectSelector'], `webhooks[${i}].objectSelector`),
    })),
  };
}

function isForPods(webhook: JsonObject): boolean {
  return objectsIn(webhook['rules']).some(({ resources }) => textsIn(resources).includes('pods'));
}

/**
 * The pods that nobody answered for, as `namespace/name`, sorted.
 * @param configuration a MutatingWebhookConfiguration
 * @throws Unreadable if the configuration cannot be read
 */
export function unansweredOf(
  pods: readonly JsonObject[],
  configuration: JsonObject,
  view: View,
  options: DecisionOptions,
  nowMs: number,
): string[] {
  const scope = readWebhookScope(configuration);
  return pods
    .filter((pod) => isUnanswered(pod, scope, view, options, nowMs))
    .map((pod) => `${objectNamespace(pod)}/${objectName(pod)}`)
    .toSorted();
}

/**
 * Whether nobody answered for this pod. A pod for which a decision would write nothing cannot be told from such a pod, and
 * counts as answered.
 */
export function isUnanswered(
  object: JsonObject,
  scope: WebhookScope,
  view: View,
  options: DecisionOptions,
  nowMs: number,
): boolean {
  const metadata = partOf(object, 'metadata');
  if ((parseTime(metadata['creationTimestamp']) ?? 0) <= scope.sinceMs) return false;
  if (partOf(metadata, 'annotations')[DECISION] !== undefined) return false;
  try {
    const read = readPod(object, undefined);
    // Without bindTime the webhook has seen the pod before it had a node.
    const pod = options.bindTime ? read : { ...read, nodeName: undefined };
    const labels = withName(view.namespaceLabels(pod.namespace), pod.namespace);
    const isAsked = scope.selectors.some(
      ({ namespace, object: ofPod }) => matchesLabels(namespace, labels) && matchesLabels(ofPod, pod.labels),
    );
    return isAsked && decide(pod, view, options, nowMs).pod.annotations.has(DECISION);
  } catch (error) {
    if (error instanceof Unreadable) return false;
    throw error;
  }
}

/** The label that the API server gives each namespace. */
function withName(labels: StringMap, name: string): StringMap {
  return new Map(labels).set('kubernetes.io/metadata.name', name);
}
