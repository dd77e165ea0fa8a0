/**
 * The cache that pods miss: its images, its size, and the credentials to pull them. Its name follows from these alone,
 * so that all replicas give it the same name.
 */
import { sha256Hex } from '../image/sha256.ts';
import type { StringMap } from '../kubernetes/json.ts';
import { GIB } from '../kubernetes/quantity.ts';

export interface DesiredImage {
  /** As the pod writes it; ECI pulls this. */
  readonly text: string;
  /** Normalised. */
  readonly key: string;
}

export interface DesiredCache {
  /** Distinct by key, sorted by key. */
  readonly images: readonly DesiredImage[];
  /** The hash of the image set in the pod's marker. A set of more than 20 images is split over several caches. */
  readonly imageSet: string;
  readonly sizeGib: number;
  /** `namespace:secretName`, sorted. */
  readonly pullSecrets: readonly string[];
  /** The pod's registry annotations, under the names that they have on an ImageCache. */
  readonly registry: StringMap;
}

/** The limits of an ImageCache: 20 images, and 20 to 32,768 GiB (docs/domain.md). */
export const MOST_IMAGES = 20;
const SIZES_GIB = { least: 20, most: 32_768 };

export const NAME_PREFIX = 'auto-';
/** Hexadecimal digits: 128 bits, as in the marker. */
const HASH_LENGTH = 32;

/**
 * The size of a cache for a pod: as large as the pod's storage allows.
 * @param storageBytes what the pod's instance can hold
 */
export function sizeFor(storageBytes: number): number {
  return Math.min(Math.max(Math.ceil(storageBytes / GIB), SIZES_GIB.least), SIZES_GIB.most);
}

/** The name of the first ImageCache for a desired cache. */
export function cacheName({ images, sizeGib, pullSecrets, registry }: DesiredCache): string {
  const parts = [
    images.map(({ key }) => key),
    [sizeGib],
    pullSecrets,
    Array.from(registry, ([key, value]) => `${key}=${value}`).toSorted(),
  ];
  return NAME_PREFIX + sha256Hex(JSON.stringify(parts)).slice(0, HASH_LENGTH);
}

/** The name of a later attempt, after the earlier ones failed. @param attempt from 1 */
export function nameOfAttempt(name: string, attempt: number): string {
  return attempt === 1 ? name : `${name}-${attempt}`;
}

/** The name of the first attempt, from the name of any attempt. */
export function firstNameOf(name: string): string {
  return name.slice(0, NAME_PREFIX.length + HASH_LENGTH);
}

/** Whether a name has the form that the controller gives. Which caches it made, the controller knows by their label. */
export function isOwnName(name: string): boolean {
  return name.startsWith(NAME_PREFIX) && /^[0-9a-f]{32}(?:-\d+)?$/.test(name.slice(NAME_PREFIX.length));
}
