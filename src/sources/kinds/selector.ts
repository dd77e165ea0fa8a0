/**
 * Reads a Selector object (eci.aliyun.com/v1 and v1beta1), the custom resource of eci-profile, and the parts that it
 * shares with the entries of the eci-profile ConfigMap (docs/domain.md, "eci-profile").
 */
import { OWN_PREFIX } from '../../core/annotations.ts';
import type { Destination, Metadata, PrioritySelector } from '../../core/decision/profile/effects.ts';
import { readLabelSelector } from '../../core/kubernetes/label-selector.ts';
import { readStringMap, type JsonObject } from '../../core/kubernetes/json.ts';
import { Unreadable } from '../../core/kubernetes/problem.ts';
import { readPart, type Manifest } from './manifest.ts';

export const SELECTOR = 'eci.aliyun.com/Selector';

/** The policies, and where pods run under each. The vendor's default is virtualNodeOnly. */
const POLICIES: ReadonlyMap<string, Destination> = new Map([
  ['fair', 'eci-or-normal-nodes'],
  ['normalNodeOnly', 'normal-nodes'],
  ['normalNodePrefer', 'eci-or-normal-nodes'],
  ['virtualNodeOnly', 'eci'],
]);

export function readSelector({ name, object }: Manifest): PrioritySelector {
  const spec = readPart(object, 'spec');
  const namespaceSelector = readLabelSelector(spec['namespaceLabels'], 'spec.namespaceLabels');
  const objectSelector = readLabelSelector(spec['objectLabels'], 'spec.objectLabels');
  const effect = readEffect(spec, 'spec');
  const destination = readPolicy(spec);
  const priority: unknown = spec['priority'] ?? 0;
  if (typeof priority !== 'number' || !Number.isInteger(priority)) {
    throw new Unreadable('spec.priority', 'must be a whole number');
  }
  return { name, namespaceSelector, objectSelector, ...effect, destination, priority };
}

/** Reads `effect.annotations` and `effect.labels`; an absent effect adds nothing. */
export function readEffect(parent: JsonObject, path: string): Metadata {
  const effect = readPart(parent, 'effect', `${path}.effect`);
  const annotations = readStringMap(effect['annotations'], `${path}.effect.annotations`);
  const labels = readStringMap(effect['labels'], `${path}.effect.labels`);
  const reserved = [...annotations.keys(), ...labels.keys()].find((key) => key.startsWith(OWN_PREFIX));
  if (reserved !== undefined) {
    throw new Unreadable(
      `${path}.effect`,
      `sets ${reserved}; what begins with ${OWN_PREFIX} is the webhook's own`,
    );
  }
  return { annotations, labels };
}

function readPolicy(spec: JsonObject): Destination {
  const policy = readPart(spec, 'policy', 'spec.policy');
  // The object has one member, named after the policy. An unknown one is newer than this webhook.
  const known = Object.keys(policy).find((name) => POLICIES.has(name)) ?? '';
  return POLICIES.get(known) ?? 'eci';
}
