/** Reads a Node: its labels, and the sizes of the images that it holds. */
import { parseImageReference } from '../../core/image/reference.ts';
import type { Node } from '../../core/kubernetes/object.ts';
import { isObject } from '../../core/kubernetes/json.ts';
import { Unreadable } from '../../core/kubernetes/problem.ts';
import { readLabels, readPart, type Manifest } from './manifest.ts';

export const NODE = '/Node';

export function readNode({ name, metadata, object }: Manifest): Node {
  const labels = readLabels(metadata);
  const status = readPart(object, 'status');
  const images: unknown = status['images'] ?? [];
  if (!Array.isArray(images)) throw new Unreadable('status.images', 'must be an array');

  const imageSizes = new Map<string, number>();
  for (const image of images) {
    if (!isObject(image)) continue;
    const { names, sizeBytes } = image;
    if (!Array.isArray(names) || typeof sizeBytes !== 'number' || !(sizeBytes >= 0)) continue;
    // An image has a name for each of its tags, and one for its digest.
    for (const text of names) {
      const reference = typeof text === 'string' ? parseImageReference(text) : undefined;
      if (reference) imageSizes.set(reference.key, sizeBytes);
    }
  }
  return { name, labels, imageSizes };
}
