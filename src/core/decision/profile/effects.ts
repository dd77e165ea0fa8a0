/**
 * Profile effects: which selectors match a pod, and which annotations and labels they add to it. There are two kinds of
 * selectors (docs/domain.md, "eci-profile"): Selector objects, of which the one with the highest priority takes effect
 * alone, and the entries of the ConfigMap kube-system/eci-profile, which apply in order.
 */
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
 * Adds the annotations and labels that the metadata lacks; never overwrites what is there, nor what an earlier selector
 * added.
 */
export function applyEffects(metadata: Metadata, selectors: readonly ProfileSelector[]): Metadata {
  if (selectors.length === 0) return metadata;
  return {
    annotations: withDefaults(
      metadata.annotations,
      selectors.map((selector) => selector.annotations),
    ),
    labels: withDefaults(
      metadata.labels,
      selectors.map((selector) => selector.labels),
    ),
  };
}

function withDefaults(present: StringMap, additions: readonly StringMap[]): StringMap {
  const missing = new Map<string, string>();
  for (const addition of additions)
    for (const [key, value] of addition) if (!present.has(key) && !missing.has(key)) missing.set(key, value);
  return missing.size === 0 ? present : new Map([...present, ...missing]);
}
