/**
 * Where a pod runs: its region, architecture and operating system, each from the labels of its node, else from its node
 * selector, its required node affinity and `spec.os` (docs/domain.md, "Architecture and operating system").
 */
import type { ImageCache } from '../image-cache.ts';
import { allowedValues } from '../kubernetes/node-affinity.ts';
import type { Pod } from '../pod.ts';
import type { View } from './view.ts';

/** The label of a Node, a node selector or an ImageCache that names its region. */
export const REGION_LABEL = 'topology.kubernetes.io/region';

/** The platform of a pod that states none, and of an ImageCache without the platform annotations. */
export const DEFAULT_PLATFORM = { architecture: 'amd64', operatingSystem: 'linux' } as const;

export interface Placement {
  /** Undefined if the region is not known: then a cache of any region is accepted. */
  readonly region: string | undefined;
  readonly architecture: string;
  readonly operatingSystem: string;
}

/** A property of the placement that is not known, because the pod allows several values of it, or none. */
export interface UnknownPlacement {
  /** `architecture`, `operating system` or `region`. */
  readonly property: string;
  readonly allowed: readonly string[];
}

interface Property {
  readonly name: string;
  /** The present name of the label, then the deprecated one. */
  readonly labels: readonly string[];
  /** The values that ECI has; undefined if they are not known. */
  readonly possible: readonly string[] | undefined;
}

const REGION: Property = { name: 'region', labels: [REGION_LABEL], possible: undefined };
const ARCHITECTURE: Property = {
  name: 'architecture',
  labels: ['kubernetes.io/arch', 'beta.kubernetes.io/arch'],
  possible: ['amd64', 'arm64'],
};
const OPERATING_SYSTEM: Property = {
  name: 'operating system',
  labels: ['kubernetes.io/os', 'beta.kubernetes.io/os'],
  possible: ['linux', 'windows'],
};

/** Stands for all values that the pod does not name, if one of its node affinity terms allows any value. */
const ANY_OTHER = 'any other';

/**
 * The placement of a pod; UnknownPlacement if the pod's node and its spec allow several values of a property, or none.
 * @param configuredRegion the cluster's region; empty if the configuration names none
 */
export function placementOf(pod: Pod, view: View, configuredRegion: string): Placement | UnknownPlacement {
  const configured = configuredRegion === '' ? undefined : configuredRegion;
  const regions = allowedBy(pod, view, REGION);
  const read = [
    // If a pod allows several regions, the cluster's own region counts, because a cluster is in one region.
    { property: REGION.name, allowed: configured && regions?.includes(configured) ? [configured] : regions },
    { property: ARCHITECTURE.name, allowed: allowedBy(pod, view, ARCHITECTURE) },
    {
      property: OPERATING_SYSTEM.name,
      allowed: allowedBy(pod, view, OPERATING_SYSTEM, pod.operatingSystem),
    },
  ];
  const unknown = read.find(({ allowed }) => allowed !== undefined && allowed.length !== 1);
  if (unknown) return { property: unknown.property, allowed: unknown.allowed ?? [] };
  const [region, architecture, operatingSystem] = read.map(({ allowed }) => allowed?.[0]);
  return {
    region: region ?? configured,
    architecture: architecture ?? DEFAULT_PLATFORM.architecture,
    operatingSystem: operatingSystem ?? DEFAULT_PLATFORM.operatingSystem,
  };
}

/**
 * The values of a property that a pod allows; undefined if it says nothing about the property.
 * @param stated a value that another field of the pod's spec states (`spec.os`)
 */
function allowedBy(pod: Pod, view: View, property: Property, stated?: string): readonly string[] | undefined {
  const { labels, possible } = property;
  const ofNode = pod.nodeName === undefined ? undefined : valueOf(view.nodeLabels(pod.nodeName), labels);
  if (ofNode !== undefined) return [ofNode];
  const ofSelector = valueOf(pod.nodeSelector, labels);
  const ofTerms = pod.nodeTerms.map((term) => allowedValues(term, labels, possible));
  const said = [stated, ofSelector].filter((value) => value !== undefined);
  if (said.length > 0) {
    const [value = ''] = said;
    const isRuledOut =
      said.some((other) => other !== value) ||
      (ofTerms.length > 0 && ofTerms.every((allowed) => allowed && !allowed.includes(value)));
    return isRuledOut ? [] : [value];
  }
  if (ofTerms.every((allowed) => allowed === undefined)) return undefined;
  return [...new Set(ofTerms.flatMap((allowed) => allowed ?? possible ?? [ANY_OTHER]))];
}

function valueOf(labels: ReadonlyMap<string, string>, names: readonly string[]): string | undefined {
  const name = names.find((each) => labels.has(each));
  return name === undefined ? undefined : labels.get(name);
}

/** Whether a pod with this placement can run what the cache holds. */
export function isSamePlatform(
  cache: Pick<ImageCache, 'architecture' | 'operatingSystem'>,
  { architecture, operatingSystem }: Pick<Placement, 'architecture' | 'operatingSystem'>,
): boolean {
  return cache.architecture === architecture && cache.operatingSystem === operatingSystem;
}
