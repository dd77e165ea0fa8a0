/**
 * Where a pod runs: its region, architecture and operating system, each from the labels of its node, else from its node
 * selector, its required node affinity and `spec.os` (docs/domain.md, "Architecture and operating system").
 */
import type { ImageCache } from '../image-cache.ts';
import { problemOfLabelValue } from '../kubernetes/metadata-syntax.ts';
import { allowedValues, ANY_OTHER } from '../kubernetes/node-affinity.ts';
import type { StringMap } from '../kubernetes/json.ts';
import type { Pod } from '../pod.ts';
import type { View } from './view.ts';

/** The label of a Node, a node selector or an ImageCache that names its region. */
export const REGION_LABEL = 'topology.kubernetes.io/region';

/** What ECI has; the first is that of a pod that states none, and of an ImageCache without the annotation. */
export const ARCHITECTURES = ['amd64', 'arm64'] as const;
export const OPERATING_SYSTEMS = ['linux', 'windows'] as const;
export const DEFAULT_PLATFORM = { architecture: ARCHITECTURES[0], operatingSystem: OPERATING_SYSTEMS[0] };

/** What is undefined is not known; a filter then accepts every cache. */
export interface Placement {
  readonly region: string | undefined;
  readonly architecture: string | undefined;
  readonly operatingSystem: string | undefined;
  /** Set if the pod allows several values of a property, or none: then no cache is chosen for it. */
  readonly unknown: UnknownProperty | undefined;
}

export interface UnknownProperty {
  /** `architecture`, `operating system` or `region`. */
  readonly name: string;
  readonly allowed: readonly string[];
}

/** The values that the pod allows, a few of them; for people. */
export function describeAllowed({ allowed }: UnknownProperty): string {
  return allowed.length === 0 ? 'none that ECI has' : allowed.slice(0, MAX_NAMED_VALUES).join(', ');
}

const MAX_NAMED_VALUES = 5;

interface Property {
  readonly name: string;
  /** The present name of the label, then the deprecated one. */
  readonly labels: readonly string[];
  /** The values that ECI has; undefined if they are not known. */
  readonly possible: readonly string[] | undefined;
  /** Whether all nodes of a cluster have the same value. */
  readonly isOfCluster: boolean;
  /** The value of nodes that are not named, if the possible values are not known. */
  readonly others?: string | undefined;
}

const REGION: Property = { name: 'region', labels: [REGION_LABEL], possible: undefined, isOfCluster: true };
const ARCHITECTURE: Property = {
  name: 'architecture',
  labels: ['kubernetes.io/arch', 'beta.kubernetes.io/arch'],
  possible: ARCHITECTURES,
  isOfCluster: false,
};
const OPERATING_SYSTEM: Property = {
  name: 'operating system',
  labels: ['kubernetes.io/os', 'beta.kubernetes.io/os'],
  possible: OPERATING_SYSTEMS,
  isOfCluster: false,
};

/**
 * Where a pod runs, as far as its node or its spec leaves no choice.
 * @param configuredRegion the cluster's region; empty if the configuration names none
 */
export function placementOf(pod: Pod, view: View, configuredRegion: string): Placement {
  const configured = configuredRegion === '' ? undefined : configuredRegion;
  const read = [
    readProperty(REGION, allowedBy(pod, view, { ...REGION, others: configured }), configured),
    readProperty(ARCHITECTURE, allowedBy(pod, view, ARCHITECTURE), DEFAULT_PLATFORM.architecture),
    readProperty(
      OPERATING_SYSTEM,
      allowedBy(pod, view, OPERATING_SYSTEM, pod.operatingSystem),
      DEFAULT_PLATFORM.operatingSystem,
    ),
  ];
  const [region, architecture, operatingSystem] = read.map(({ value }) => value);
  return { region, architecture, operatingSystem, unknown: read.find(({ unknown }) => unknown)?.unknown };
}

/** @param byDefault the value if the pod says nothing */
function readProperty(
  { name, isOfCluster }: Property,
  allowed: readonly string[] | undefined,
  byDefault: string | undefined,
): { readonly value: string | undefined; readonly unknown?: UnknownProperty } {
  if (allowed === undefined) return { value: byDefault };
  if (allowed.length === 1 && allowed[0] !== ANY_OTHER) return { value: allowed[0] };
  // A cluster is in one region, so that the configured one decides between several that a pod allows.
  const isConfigured = isOfCluster && byDefault !== undefined;
  if (isConfigured && (allowed.includes(byDefault) || allowed.includes(ANY_OTHER)))
    return { value: byDefault };
  return { value: undefined, unknown: { name, allowed } };
}

/**
 * The values of a property that a pod allows; undefined if the pod does not restrict the property.
 * @param stated a value that the pod's spec states besides node selector and affinity
 */
function allowedBy(pod: Pod, view: View, property: Property, stated?: string): readonly string[] | undefined {
  const { labels, others } = property;
  const possible = property.possible ?? (others === undefined ? undefined : [others]);
  const [ofNode] = pod.nodeName === undefined ? [] : valuesOf(view.nodeLabels(pod.nodeName), labels);
  if (ofNode !== undefined) return [ofNode].filter((value) => isPossible(property, value));
  const ofTerms = pod.nodeTerms.map((term) => allowedValues(term, labels, possible));
  const said = [...(stated === undefined ? [] : [stated]), ...valuesOf(pod.nodeSelector, labels)];
  if (said.length > 0) {
    const isAllowed = (value: string): boolean =>
      isPossible(property, value) &&
      said.every((other) => other === value) &&
      (ofTerms.length === 0 || ofTerms.some((allowed) => !allowed || allowed.includes(value)));
    return said.slice(0, 1).filter(isAllowed);
  }
  if (ofTerms.every((allowed) => allowed === undefined)) return undefined;
  const values = new Set(ofTerms.flatMap((allowed) => allowed ?? possible ?? [ANY_OTHER]));
  return [...values].filter((value) => value === ANY_OTHER || isPossible(property, value));
}

/** Whether a node of ECI can have this value. */
function isPossible({ possible }: Property, value: string): boolean {
  return possible ? possible.includes(value) : problemOfLabelValue(value) === undefined;
}

/** The values under the present and the deprecated name. */
function valuesOf(labels: StringMap, names: readonly string[]): string[] {
  return names.flatMap((name) => labels.get(name) ?? []);
}

/** Whether a pod with this placement can run what the cache holds. */
export function isSamePlatform(
  cache: Pick<ImageCache, 'architecture' | 'operatingSystem'>,
  { architecture, operatingSystem }: Pick<Placement, 'architecture' | 'operatingSystem'>,
): boolean {
  return cache.architecture === architecture && cache.operatingSystem === operatingSystem;
}
