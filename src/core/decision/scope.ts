/**
 * The scope: whether a pod goes to ECI, and which sign shows that (docs/domain.md, "Signs of ECI"). A toleration is no
 * sign, because a pod that tolerates virtual nodes may still run on a normal node.
 */
import { BURST_RESOURCE, ECI_LABELS } from '../annotations.ts';
import type { StringMap } from '../kubernetes/json.ts';
import { allowedValues, type NodeTerm } from '../kubernetes/node-affinity.ts';
import type { Pod } from '../pod.ts';
import type { ProfileSelector } from './profile/effects.ts';
import type { View } from './view.ts';

/** `eci`: pods with a sign of ECI. `all`: every pod, for serverless clusters, where all pods run on ECI. */
export type Scope = 'eci' | 'all';

const POD_OR_NAMESPACE_LABELS = ECI_LABELS.map((key) => [key, 'true'] as const);
const NAMESPACE_LABELS: readonly (readonly [string, string])[] = [
  ...POD_OR_NAMESPACE_LABELS,
  ['virtual-node-affinity-injection', 'enabled'],
];
const NODE_LABELS: readonly (readonly [string, string])[] = [
  ['type', 'virtual-kubelet'],
  ['k8s.aliyun.com/vnode', 'true'],
];
/** `virtual-kubelet`, `virtual-kubelet-cn-beijing-i`, `virtual-node-eci-0`. */
const VIRTUAL_NODE_NAME = /^virtual-(?:kubelet|node)(?:-|$)/;

/** Labels of a pod that runs on ACS: the first with the value true, the second with any value. */
const ACS_LABEL = ['alibabacloud.com/acs', 'true'] as const;
const ACS_COMPUTE_CLASS = 'alibabacloud.com/compute-class';

/** The sign that a pod goes to ECI. */
export interface EciSign {
  /** In words: `pod label eci=true`. */
  readonly text: string;
  /** False if the pod may also run on a normal node. */
  readonly certain: boolean;
}

/**
 * Undefined if nothing shows that the pod goes to ECI.
 * @param matching the profile selectors that match the pod
 */
export function signOfEci(
  pod: Pod,
  view: View,
  matching: readonly ProfileSelector[],
  scope: Scope,
): EciSign | undefined {
  const certain = certainSign(pod, view, matching, scope);
  if (certain !== undefined) return { text: certain, certain: true };
  const uncertain = uncertainSign(pod, matching);
  return uncertain === undefined ? undefined : { text: uncertain, certain: false };
}

/** Whether a pod runs on ACS, which does not use the image caches of ECI (docs/domain.md, "ACS"). */
export function isAcsPod(labels: StringMap): boolean {
  return labels.get(ACS_LABEL[0]) === ACS_LABEL[1] || labels.has(ACS_COMPUTE_CLASS);
}

function certainSign(
  pod: Pod,
  view: View,
  matching: readonly ProfileSelector[],
  scope: Scope,
): string | undefined {
  const podLabel = found(pod.labels, POD_OR_NAMESPACE_LABELS);
  if (podLabel) return `pod label ${podLabel}`;
  if (pod.nodeName !== undefined && isVirtualNode(pod.nodeName, view)) return `virtual node ${pod.nodeName}`;
  const nodeLabel = found(pod.nodeSelector, NODE_LABELS);
  if (nodeLabel) return `nodeSelector ${nodeLabel}`;
  if (pod.nodeTerms.length > 0 && pod.nodeTerms.every(isForVirtualNodes))
    return 'required node affinity for virtual nodes';
  if (pod.annotations.get(BURST_RESOURCE) === 'eci_only') return `annotation ${BURST_RESOURCE}=eci_only`;
  const namespaceLabel = found(view.namespaceLabels(pod.namespace), NAMESPACE_LABELS);
  if (namespaceLabel) return `label ${namespaceLabel} of namespace ${pod.namespace}`;
  const selector = matching.find((each) => each.destination === 'eci' && marksForEci(each));
  if (selector) return signOfSelector(selector);
  return scope === 'all' ? 'scope all' : undefined;
}

/** The sign of a pod that may run on a virtual node or on a normal one. */
function uncertainSign(pod: Pod, matching: readonly ProfileSelector[]): string | undefined {
  if (pod.nodeTerms.some(namesVirtualNodes)) return 'node affinity that allows virtual nodes among others';
  if (pod.annotations.get(BURST_RESOURCE) === 'eci') return `annotation ${BURST_RESOURCE}=eci`;
  const selector = matching.find(marksForEci);
  return selector && signOfSelector(selector);
}

/** Whether a term of the required node affinity allows only virtual nodes. */
function isForVirtualNodes(term: NodeTerm): boolean {
  return NODE_LABELS.some(([key, value]) => {
    const allowed = allowedValues(term, [key], undefined);
    return allowed?.length === 1 && allowed[0] === value;
  });
}

/** Whether a term of the required node affinity allows virtual nodes by name, perhaps among other nodes. */
function namesVirtualNodes(term: NodeTerm): boolean {
  return NODE_LABELS.some(([key, value]) => allowedValues(term, [key], undefined)?.includes(value));
}

/**
 * Whether a match with the selector is a sign of ECI. A selector without constraints is no sign, because it matches
 * every pod; its effects are for pods that go to ECI for another reason.
 */
function marksForEci(selector: ProfileSelector): boolean {
  return (
    selector.destination !== 'normal-nodes' &&
    (selector.objectSelector.length > 0 || selector.namespaceSelector.length > 0)
  );
}

function signOfSelector({ name }: ProfileSelector): string {
  return `eci-profile selector ${name}`;
}

export function isVirtualNode(nodeName: string, view: View): boolean {
  return isVirtual(nodeName, view.nodeLabels(nodeName));
}

/** Whether a node with this name and these labels is a virtual one. */
export function isVirtual(nodeName: string, labels: StringMap): boolean {
  return VIRTUAL_NODE_NAME.test(nodeName) || found(labels, NODE_LABELS) !== undefined;
}

function found(labels: StringMap, wanted: readonly (readonly [string, string])[]): string | undefined {
  const label = wanted.find(([key, value]) => labels.get(key) === value);
  return label?.join('=');
}
