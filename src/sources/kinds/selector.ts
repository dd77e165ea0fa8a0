/**
 * Reads a Selector object (eci.aliyun.com/v1 and v1beta1), the custom resource of eci-profile, and the parts that it
 * shares with the entries of the eci-profile ConfigMap (docs/domain.md, "eci-profile").
 */
import { OWN_PREFIX, WAIT_FOR_CACHE } from '../../core/annotations.ts';
import type {
  Destination,
  Metadata,
  PrioritySelector,
  ProfileSelector,
} from '../../core/decision/profile/effects.ts';
import { readLabelSelector } from '../../core/kubernetes/label-selector.ts';
import type { JsonObject, StringMap } from '../../core/kubernetes/json.ts';
import {
  annotationsFit,
  problemOfAnnotationKey,
  problemOfLabelKey,
  problemOfLabelValue,
} from '../../core/kubernetes/metadata-syntax.ts';
import { quote, typeName, Unreadable } from '../../core/kubernetes/problem.ts';
import { readPart, type Manifest } from './manifest.ts';

export const SELECTOR = 'eci.aliyun.com/Selector';

/** The policies, and where pods run under each. The vendor's default is virtualNodeOnly. */
const POLICIES: ReadonlyMap<string, Destination> = new Map([
  ['fair', 'eci-or-normal-nodes'],
  ['normalNodeOnly', 'normal-nodes'],
  ['normalNodePrefer', 'eci-or-normal-nodes'],
  ['virtualNodeOnly', 'eci'],
]);

/** A selector of a profile as far as it can be used, and the problems with the other parts. */
export interface SelectorReading<T> {
  /** Undefined if the label selectors are invalid: then the selector matches nothing. */
  readonly selector: T | undefined;
  readonly problems: readonly Unreadable[];
}

export function readSelector({ name, object }: Manifest): SelectorReading<PrioritySelector> {
  const spec = readPart(object, 'spec');
  const destination = readPolicy(spec);
  const priority: unknown = spec['priority'] ?? 0;
  if (typeof priority !== 'number' || !Number.isInteger(priority)) {
    throw new Unreadable('spec.priority', 'must be a whole number');
  }
  const { selector, problems } = readSelecting(spec, 'spec', ['namespaceLabels', 'objectLabels']);
  return { selector: selector && { ...selector, name, destination, priority }, problems };
}

type Selected = Pick<ProfileSelector, 'namespaceSelector' | 'objectSelector' | 'annotations' | 'labels'>;

/**
 * Reads the label selectors and the effect of a profile's selector.
 * @param names the field with the namespace selector, and the field with the pod selector
 */
export function readSelecting(
  parent: JsonObject,
  path: string,
  [namespaces, objects]: readonly [string, string],
): SelectorReading<Selected> {
  try {
    const namespaceSelector = readLabelSelector(parent[namespaces], `${path}.${namespaces}`);
    const objectSelector = readLabelSelector(parent[objects], `${path}.${objects}`);
    const problems: Unreadable[] = [];
    const effect = readEffect(parent, path, problems);
    return { selector: { namespaceSelector, objectSelector, ...effect }, problems };
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    const { path: at, message } = error;
    return {
      selector: undefined,
      problems: [new Unreadable(at, `${message.slice(at.length + 1)}; the selector matches nothing`)],
    };
  }
}

/**
 * Reads `effect.annotations` and `effect.labels`; an absent effect adds nothing. Leaves out keys and values that
 * Kubernetes refuses, because they would make every matching pod fail.
 */
function readEffect(parent: JsonObject, path: string, problems: Unreadable[]): Metadata {
  const effect = readPart(parent, 'effect', `${path}.effect`);
  const read = (
    field: string,
    problemOfKey: (key: string) => string | undefined,
    problemOfValue: (value: string) => string | undefined,
  ): StringMap => {
    const entries = Object.entries(readPart(effect, field, `${path}.effect.${field}`));
    const map = new Map<string, string>();
    for (const [key, value] of entries) {
      const isReserved = key.startsWith(OWN_PREFIX) && !(field === 'annotations' && key === WAIT_FOR_CACHE);
      const problem = isReserved
        ? `begins with ${OWN_PREFIX}, which is reserved for the webhook`
        : (problemOfKey(key) ??
          (typeof value === 'string'
            ? prefixed(`has the value ${quote(value)}, which `, problemOfValue(value))
            : `has a value that is ${typeName(value)}; it must be a string: quote it`));
      if (problem === undefined && typeof value === 'string') map.set(key, value);
      else
        problems.push(
          new Unreadable(
            `${path}.effect.${field}`,
            `sets ${quote(key)}, which ${problem}: it is not applied`,
          ),
        );
    }
    return map;
  };
  return {
    annotations: read('annotations', problemOfAnnotationKey, (value) =>
      annotationsFit(new Map([['', value]]), 0) ? undefined : 'is too long for an annotation',
    ),
    labels: read('labels', problemOfLabelKey, problemOfLabelValue),
  };
}

function prefixed(prefix: string, text: string | undefined): string | undefined {
  return text === undefined ? undefined : prefix + text;
}

function readPolicy(spec: JsonObject): Destination {
  const policy = readPart(spec, 'policy', 'spec.policy');
  // The object has one member, named after the policy. A policy that this webhook does not know counts as the default.
  const known = Object.keys(policy).find((name) => POLICIES.has(name)) ?? '';
  return POLICIES.get(known) ?? 'eci';
}
