/**
 * Owns profile effects: which selectors match a pod, and which annotations and labels they add to it.
 * Two kinds of selector exist (domain facts, "eci-profile"): Selector objects, of which the one with the highest
 * priority takes effect alone, and the entries of the ConfigMap kube-system/eci-profile, which apply in order.
 */
import type { StringMap } from '../../kubernetes/json.ts';
import type { Selecting, SelectorTable } from './selector-table.ts';

/** Where the pods that a selector picks out run, by its policy. */
export type Destination = 'eci' | 'eci-or-normal-nodes' | 'normal-nodes';

export interface ProfileSelector extends Selecting {
  readonly name: string;
  readonly annotations: StringMap;
  readonly labels: StringMap;
  readonly destination: Destination;
}

export interface PrioritySelector extends ProfileSelector {
  /** Higher wins; equal ones by name, so that every replica agrees. */
  readonly priority: number;
}

export interface Profile {
  /** Selector objects, highest priority first, then by name. */
  readonly byPriority: SelectorTable<PrioritySelector>;
  /** ConfigMap entries, in the order of the document. */
  readonly inOrder: SelectorTable<ProfileSelector>;
  /** Every annotation and label key that some effect may write. */
  readonly annotationKeys: ReadonlySet<string>;
  readonly labelKeys: ReadonlySet<string>;
}

export function comparePriority(a: PrioritySelector, b: PrioritySelector): number {
  return b.priority - a.priority || (a.name < b.name ? -1 : Number(a.name > b.name));
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

/**
 * A pod that a selector picks out goes to ECI. A selector that constrains nothing picks out no pod: its effect
 * is for every pod that goes to ECI for another reason.
 */
export function marksForEci(selector: ProfileSelector): boolean {
  return (
    selector.destination !== 'normal-nodes' &&
    (selector.objectSelector.length > 0 || selector.namespaceSelector.length > 0)
  );
}

export interface Metadata {
  readonly annotations: StringMap;
  readonly labels: StringMap;
}

/** Adds what the metadata lacks; never overwrites what it has, nor what an earlier selector added. */
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
  const merged = new Map(present);
  for (const addition of additions) {
    for (const [key, value] of addition) if (!merged.has(key)) merged.set(key, value);
  }
  return merged;
}
