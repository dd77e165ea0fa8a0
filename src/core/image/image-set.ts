/**
 * The images of a pod: the distinct references of its init containers and containers, and the hash that names that
 * set. Ephemeral containers do not exist yet when a pod is created.
 */
import type { Container } from '../pod.ts';
import { parseImageReference, type ImageReference } from './reference.ts';
import { sha256Hex } from './sha256.ts';

export interface PodImages {
  /** Distinct by key, in the pod's order. */
  readonly references: readonly ImageReference[];
  /** Distinct texts that are no valid reference; each counts as an image that no cache holds. */
  readonly invalid: readonly string[];
  /** How many distinct images the pod has, the invalid ones included. */
  readonly count: number;
  /** What the image text of a container refers to; undefined if it is invalid. */
  readonly referenceOf: (image: string) => ImageReference | undefined;
}

/**
 * An ECI pod has at most 20 containers, and a cache at most 20 images: a pod with more images than this cannot run on
 * ECI.
 */
export const MAX_POD_IMAGES = 100;

/** @returns undefined if the pod has more than MAX_POD_IMAGES distinct images, so that nothing else reads them all */
export function podImages(containers: readonly Container[]): PodImages | undefined {
  const byText = new Map<string, ImageReference | undefined>();
  const byKey = new Map<string, ImageReference>();
  const invalid: string[] = [];
  for (const { image } of containers) {
    if (byText.has(image)) continue;
    const reference = parseImageReference(image);
    byText.set(image, reference);
    if (!reference) invalid.push(image);
    else if (!byKey.has(reference.key)) byKey.set(reference.key, reference);
    if (byKey.size + invalid.length > MAX_POD_IMAGES) return undefined;
  }
  return {
    references: [...byKey.values()],
    invalid,
    count: byKey.size + invalid.length,
    referenceOf: (image) => byText.get(image),
  };
}

/**
 * The name of an image set: 32 hexadecimal digits, the same whatever the order of the images. A strong hash,
 * because a tenant who could forge a collision could keep another's cache from being made.
 */
export function imageSetHash(references: readonly ImageReference[]): string {
  const keys = references.map((reference) => reference.key).toSorted();
  return sha256Hex(keys.join('\n')).slice(0, 32);
}
