/**
 * Owns what a cache would have to be that pods miss: its images, its size, and what it takes to pull them; and its name,
 * which follows from these alone, so that a thousand replicas and any number of controllers mean one cache.
 */
import { sha256Hex } from '../image/sha256.ts';
import type { StringMap } from '../kubernetes/json.ts';
import { GIB } from '../kubernetes/quantity.ts';

export interface DesiredImage {
  /** As the pod writes it, which is what ECI is to pull. */
  readonly text: string;
  /** Normalised. */
  readonly key: string;
}

export interface DesiredCache {
  /** Distinct by key, sorted by it. */
  readonly images: readonly DesiredImage[];
  /** The hash of the image set that the pod was marked with; of it, this may be a part. */
  readonly imageSet: string;
  readonly sizeGib: number;
  /** `namespace:secretName`, sorted. */
  readonly pullSecrets: readonly string[];
  /** The pod's registry annotations, under the names that an ImageCache has for them. */
  readonly registry: StringMap;
}

/** What an ImageCache may have (domain facts). */
export const MOST_IMAGES = 20;
const SIZES_GIB = { least: 20, most: 32_768 };

export const NAME_PREFIX = 'auto-';
/** Hexadecimal digits: 128 bits, as many as the marker has. */
const HASH_LENGTH = 32;

/** @param storageBytes what the pod's instance can hold: 30 GiB and its extra ephemeral storage */
export function sizeFor(storageBytes: number): number {
  return Math.min(Math.max(Math.ceil(storageBytes / GIB), SIZES_GIB.least), SIZES_GIB.most);
}

/** The name of the first ImageCache that is made for a desired. */
export function nameOf({ images, sizeGib, pullSecrets, registry }: DesiredCache): string {
  const parts = [
    images.map(({ key }) => key),
    [sizeGib],
    pullSecrets,
    Array.from(registry, ([key, value]) => `${key}=${value}`).toSorted(),
  ];
  return NAME_PREFIX + sha256Hex(JSON.stringify(parts)).slice(0, HASH_LENGTH);
}

/** The name of a later one, after those before it have failed. @param attempt from 1 */
export function nameOfAttempt(name: string, attempt: number): string {
  return attempt === 1 ? name : `${name}-${attempt}`;
}

/** The name of the first one, given that of any. */
export function firstNameOf(name: string): string {
  return name.slice(0, NAME_PREFIX.length + HASH_LENGTH);
}

/** Whether a name is one that a controller gives. What it has made, it knows by the label. */
export function isOwnName(name: string): boolean {
  return name.startsWith(NAME_PREFIX) && /^[0-9a-f]{32}(?:-\d+)?$/.test(name.slice(NAME_PREFIX.length));
}
