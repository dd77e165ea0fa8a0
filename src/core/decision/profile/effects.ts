/**
 * Profile effects: which selectors match a pod, and which annotations and labels they add to it. Of the matching
 * Selector objects, only the one with the highest priority takes effect; of the entries of the ConfigMap
 * kube-system/eci-profile, all that match apply, in order (docs/domain.md, "eci-profile").
 */
import { ACR_INSTANCE, AUTO, ECI_LABELS, MATCH_COUNT, PERFECT_MATCH, PIN } from '../../annotations.ts';
import type { StringMap } from '../../kubernetes/json.ts';
import { byName } from '../../kubernetes/object.ts';
import type { Selecting, SelectorTable } from './selector-table.ts';

/** Where the pods that a selector matches run, by its policy. */
export type Destination = 'eci' | 'eci-or-normal-nodes' | 'normal-nodes';

export interface ProfileSelector extends Selecting {
  readonly name: string;
  readonly annotations: StringMap;
  readonly labels: StringMap;
  readonly destination: Destination;
}

export interface PrioritySelector extends ProfileSelector {
  /** The higher priority wins; equal priorities by name, so that every replica agrees. */
  readonly priority: number;
}

export interface Profile {
  /** Selector objects, the highest priority first, then by name. */
  readonly byPriority: SelectorTable<PrioritySelector>;
  /** Entries of the ConfigMap, in their order. */
  readonly inOrder: SelectorTable<ProfileSelector>;
  /** The annotation and label keys that some effect may write. */
  readonly annotationKeys: ReadonlySet<string>;
  readonly labelKeys: ReadonlySet<string>;
}

export function comparePriority(a: PrioritySelector, b: PrioritySelector): number {
  return b.priority - a.priority || byName(a, b);
}

/** The selectors that match, in the order in which their effects apply. */
export function matchingSelectors(
  profile: Profile,
  podLabels: StringMap,
  namespaceLabels: StringMap,
): ProfileSelector[] {
  const [first] = profile.byPriority.matching(podLabels, namespaceLabels);
  return [...(first ? [first] : []), ...profile.inOrder.matching(podLabels, namespaceLabels)];
}

export interface Metadata {
  readonly annotations: StringMap;
  readonly labels: StringMap;
}

/**
 * Groups of names for the same setting. If the pod, or an earlier selector, has one name of a group, a selector adds
 * none of them, so that a profile never overrides the pod.
 */
const SAME_ANNOTATIONS: readonly (readonly string[])[] = [
  [PIN.modern, PIN.legacy, AUTO.modern, AUTO.legacy],
  [PERFECT_MATCH, MATCH_COUNT],
  [ACR_INSTANCE.pod, ACR_INSTANCE.cache],
];
const SAME_LABELS: readonly (readonly string[])[] = [ECI_LABELS];

/** Adds the annotations and labels that the metadata lacks; of several selectors with a key, the first one counts. */
export function applyEffects(metadata: Metadata, selectors: readonly ProfileSelector[]): Metadata {
  let { annotations, labels } = metadata;
  for (const selector of selectors) {
    annotations = withDefaults(annotations, selector.annotations, SAME_ANNOTATIONS);
    labels = withDefaults(labels, selector.labels, SAME_LABELS);
  }
  return { annotations, labels };
}

/** @param same groups of names: if one name of a group is present, no name of that group is added */
function withDefaults(
  present: StringMap,
  additions: StringMap,
  same: readonly (readonly string[])[],
): StringMap {
  const missing = [...additions].filter(([key]) => {
    const names = same.find((group) => group.includes(key)) ?? [key];
    return !names.some((name) => present.has(name));
  });
  return missing.length === 0 ? present : new Map([...present, ...missing]);
}
