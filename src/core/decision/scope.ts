/**
 * The scope: whether a pod is bound for ECI, and by which sign (docs/domain.md, "Signs of ECI"). A toleration alone
 * proves nothing.
 */
import type { ProfileSelector } from './profile/effects.ts';
import type { Pod } from '../pod.ts';
import type { StringMap } from '../kubernetes/json.ts';
import type { View } from './view.ts';

/** `eci`: pods with a sign of ECI. `all`: every pod, for serverless clusters, where all pods run on ECI. */
export type Scope = 'eci' | 'all';

const POD_OR_NAMESPACE_LABELS: readonly (readonly [string, string])[] = [
  ['alibabacloud.com/eci', 'true'],
  ['eci', 'true'],
];
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

/** What shows that a pod is bound for ECI. */
export interface EciSign {
  /** In words: `pod label eci=true`. */
  readonly text: string;
  /** False if the pod may still run on a normal node, by the policy of its Selector. */
  readonly certain: boolean;
}

/**
 * Undefined if nothing shows that the pod is bound for ECI.
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
  const selector = matching.find(marksForEci);
  return selector && { text: signOfSelector(selector), certain: false };
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
  const namespaceLabel = found(view.namespaceLabels(pod.namespace), NAMESPACE_LABELS);
  if (namespaceLabel) return `label ${namespaceLabel} of namespace ${pod.namespace}`;
  const selector = matching.find((each) => each.destination === 'eci' && marksForEci(each));
  if (selector) return signOfSelector(selector);
  return scope === 'all' ? 'scope all' : undefined;
}

/**
 * Whether a match means that the pod goes to ECI. A selector without constraints matches every pod, so it says nothing
 * about where a pod runs: its effect is for pods that go to ECI for another reason.
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
  return VIRTUAL_NODE_NAME.test(nodeName) || found(view.nodeLabels(nodeName), NODE_LABELS) !== undefined;
}

function found(labels: StringMap, wanted: readonly (readonly [string, string])[]): string | undefined {
  const label = wanted.find(([key, value]) => labels.get(key) === value);
  return label?.join('=');
}
