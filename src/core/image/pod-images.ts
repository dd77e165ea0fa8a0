/**
 * Owns the images of a pod: the distinct references of its init containers and containers, and the hash
 * that names that set. Ephemeral containers do not exist yet when a pod is created.
 */
import type { Container } from '../pod.ts';
import { parseImageReference, type ImageReference } from './reference.ts';
import { remembering } from '../remembering.ts';
import { sha256Hex } from './sha256.ts';

const SEPARATOR = '\n';

export interface PodImages {
  /** Distinct by key, in the pod's order. */
  readonly references: readonly ImageReference[];
  /** Distinct texts that are no valid reference; each counts as an image that no cache holds. */
  readonly invalid: readonly string[];
  /** How many distinct images the pod has, the invalid ones included. */
  readonly count: number;
  /** What the image text of a container refers to; undefined for an invalid one. */
  readonly referenceOf: (image: string) => ImageReference | undefined;
}

/** No image reference is as long as a pod's containers may make the texts of all of them. */
const MAX_REMEMBERED_LENGTH = 8192;
const remembered = remembering(5000, (images) => readImages(images.split(SEPARATOR)));

/** For the pods of one workload, which come one after the other, the same object: what is found out of it may stay. */
export function podImages(containers: readonly Container[]): PodImages {
  const texts = containers.map((container) => container.image);
  const images = texts.join(SEPARATOR);
  const isPlain = images.length <= MAX_REMEMBERED_LENGTH && !texts.some((text) => text.includes(SEPARATOR));
  return isPlain ? remembered(images) : readImages(texts);
}

function readImages(texts: readonly string[]): PodImages {
  const byText = new Map<string, ImageReference | undefined>();
  for (const text of texts) if (!byText.has(text)) byText.set(text, parseImageReference(text));

  const byKey = new Map<string, ImageReference>();
  const invalid: string[] = [];
  for (const [text, reference] of byText) {
    if (!reference) invalid.push(text);
    else if (!byKey.has(reference.key)) byKey.set(reference.key, reference);
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
  return rememberedHash(keys.join(SEPARATOR));
}

const rememberedHash = remembering(5000, (keys) => sha256Hex(keys).slice(0, 32));
