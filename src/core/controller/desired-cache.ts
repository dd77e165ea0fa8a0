/**
 * A desired cache: the images, the size and the pull credentials of an ImageCache that pods need and no ImageCache
 * offers. Its name follows from these data, so that all replicas choose the same name; the size counts only if it is
 * fixed.
 */
import { DEFAULT_PLATFORM, isSamePlatform } from '../decision/placement.ts';
import { shortHash } from '../image/sha256.ts';
import type { StringMap } from '../kubernetes/json.ts';

export interface DesiredImage {
  /** As the pod writes it; ECI pulls this. */
  readonly text: string;
  /** Normalised. */
  readonly key: string;
}

export interface DesiredCache {
  /** Distinct by key, sorted by key. */
  readonly images: readonly DesiredImage[];
  /** The hash in the pod's marker. All caches for a pod with more than 20 images have the hash of the whole set. */
  readonly imageSet: string;
  readonly sizeGib: number;
  /** How large an attempt may become after one failed because its images did not fit. */
  readonly largestGib: number;
  /** Set for pods that the common cache of these images is too large for. */
  readonly fixedSizeGib: number | undefined;
  /** The platform of the pods; a cache can be used on no other. */
  readonly architecture: string;
  readonly operatingSystem: string;
  /** `namespace:secretName`, sorted. */
  readonly pullSecrets: readonly string[];
  /** The namespace that the cache belongs to; undefined if it is made without credentials, and so for everybody. */
  readonly owner: { readonly namespace: string; readonly uid: string | undefined } | undefined;
  /** The pod's registry annotations, under the names that they have on an ImageCache. */
  readonly registry: StringMap;
}

export const NAME_PREFIX = 'auto-';
/** Hexadecimal digits: 128 bits, as in the marker. */
const HASH_LENGTH = 32;

/** A desired cache whose size is not known yet. */
export type Unsized = Omit<DesiredCache, 'sizeGib' | 'largestGib' | 'fixedSizeGib'>;

/** What caches have in common whose images may be in one cache. The pull secrets of a namespace are put together. */
export function kinOf({ architecture, operatingSystem, registry, owner }: Unsized): string {
  const annotations = Array.from(registry, ([key, value]) => `${key}=${value}`).toSorted();
  return JSON.stringify([architecture, operatingSystem, annotations, owner ?? null]);
}

/** The name of the first ImageCache for a desired cache. */
export function cacheName(
  desired: Unsized & Partial<Pick<DesiredCache, 'fixedSizeGib'>>,
  prefix = NAME_PREFIX,
): string {
  const { images, fixedSizeGib, pullSecrets, registry, architecture, operatingSystem, owner } = desired;
  const parts = [
    images.map(({ key }) => key),
    fixedSizeGib === undefined ? [] : [fixedSizeGib],
    pullSecrets,
    Array.from(registry, ([key, value]) => `${key}=${value}`).toSorted(),
    // The default platform adds nothing.
    ...(isSamePlatform(DEFAULT_PLATFORM, desired) ? [] : [[architecture, operatingSystem]]),
    ...(owner ? [['owner', owner.namespace, owner.uid ?? '']] : []),
  ];
  return prefix + shortHash(JSON.stringify(parts));
}

/** The name of an attempt's ImageCache: later attempts have their number at the end. @param attempt 1 for the first */
export function nameOfAttempt(name: string, attempt: number): string {
  return attempt === 1 ? name : `${name}-${attempt}`;
}

/** The name of the first attempt, from the name of any attempt. */
export function firstNameOf(name: string): string {
  return name.slice(0, NAME_PREFIX.length + HASH_LENGTH);
}

/** Whether a name has the form of the controller's names; isOwnCache says whether the controller made a cache. */
export function isOwnName(name: string): boolean {
  return name.startsWith(NAME_PREFIX) && /^[0-9a-f]{32}(?:-\d+)?$/.test(name.slice(NAME_PREFIX.length));
}
