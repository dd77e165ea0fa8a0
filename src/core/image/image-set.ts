/**
 * The images of a pod: the distinct references of its init containers and containers, and of its image volumes if they
 * count; and the hash that names that set. Ephemeral containers do not exist yet when a pod is created.
 */
import type { Pod } from '../pod.ts';
import { parseImageReference, type ImageReference } from './reference.ts';
import { shortHash } from './sha256.ts';

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

/** The most distinct images that a decision looks at. A pod with more cannot run on ECI, which allows 20 containers. */
export const MAX_POD_IMAGES = 100;

/**
 * @param imageVolumes whether the images of volumes count
 * @returns undefined if the pod has more than MAX_POD_IMAGES distinct images, so that the cost of a decision is limited
 */
export function podImages(
  pod: Pick<Pod, 'containers' | 'imageVolumes'>,
  imageVolumes: 'ignore' | 'count',
): PodImages | undefined {
  const byText = new Map<string, ImageReference | undefined>();
  const byKey = new Map<string, ImageReference>();
  const invalid: string[] = [];
  for (const image of imageTexts(pod, imageVolumes)) {
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

function* imageTexts(
  { containers, imageVolumes }: Pick<Pod, 'containers' | 'imageVolumes'>,
  volumes: 'ignore' | 'count',
): Generator<string> {
  for (const { image } of containers) yield image;
  if (volumes === 'count') yield* imageVolumes;
}

/**
 * The name of an image set: 32 hexadecimal digits, independent of the order of the images. The hash is a strong one,
 * because a tenant who could forge a collision could prevent the cache of another tenant.
 */
export function imageSetHash(references: readonly Pick<ImageReference, 'key'>[]): string {
  const keys = references.map((reference) => reference.key).toSorted();
  return shortHash(keys.join('\n'));
}
