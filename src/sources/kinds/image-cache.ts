/**
 * Reads an ImageCache object (eci.alibabacloud.com/v1) into the fields that a decision needs (docs/domain.md,
 * "ImageCache").
 */
import { isBeingDeleted } from '../../core/kubernetes/object.ts';
import { IMAGE_CACHE_API_VERSION, type ImageCache } from '../../core/image-cache.ts';
import { parseImageReference, type ImageReference } from '../../core/image/reference.ts';
import { GIB } from '../../core/kubernetes/quantity.ts';
import { readText } from '../../core/kubernetes/json.ts';
import { Unreadable } from '../../core/kubernetes/problem.ts';
import { REGION_LABEL } from '../../core/decision/region.ts';
import { readLabels, readPart, readTime, type Manifest } from './manifest.ts';

export const IMAGE_CACHE = 'eci.alibabacloud.com/ImageCache';
/** The path of all ImageCaches at the API server. */
export const IMAGE_CACHES = `/apis/${IMAGE_CACHE_API_VERSION}/imagecaches`;

export function imageCachePath(name: string): string {
  return `${IMAGE_CACHES}/${name}`;
}

/** GiB; the size of a cache that states none. */
const DEFAULT_SIZE = 20;

export function readImageCache({ name, metadata, object }: Manifest): ImageCache {
  const spec = readPart(object, 'spec');
  const status = readPart(object, 'status');

  const images = readImages(spec['images']);
  const size = spec['imageCacheSize'] ?? DEFAULT_SIZE;
  if (typeof size !== 'number' || !(size > 0) || !Number.isFinite(size)) {
    throw new Unreadable('spec.imageCacheSize', 'must be a positive number of GiB');
  }
  const createdAtMs = readTime(metadata['creationTimestamp'], 'metadata.creationTimestamp');
  const startedAt = readTime(status['startTime'], 'status.startTime');
  const expiresAtMs = readTime(status['expireDateTime'], 'status.expireDateTime');
  const labels = readLabels(metadata);

  return {
    name,
    id: readText(status['imageCacheId']),
    images,
    sizeBytes: Math.round(size * GIB),
    phase: readText(status['phase']) ?? '',
    progress: readText(status['progress']) ?? '',
    createdAtMs: createdAtMs ?? startedAt ?? 0,
    expiresAtMs,
    deleting: isBeingDeleted(metadata),
    // An ImageCache states no region; if caches of several regions are in one cluster, this label distinguishes them.
    region: labels.get(REGION_LABEL),
  };
}

/** Distinct by key and sorted by key, as ImageCache.images must be. */
function readImages(value: unknown): ImageReference[] {
  if (!Array.isArray(value) || value.length === 0) {
    throw new Unreadable('spec.images', 'must be an array of at least one image');
  }
  const images = new Map<string, ImageReference>();
  for (const [index, item] of value.entries()) {
    const reference = typeof item === 'string' ? parseImageReference(item) : undefined;
    if (!reference)
      throw new Unreadable(`spec.images[${index}]`, `is no image reference: ${JSON.stringify(item)}`);
    images.set(reference.key, reference);
  }
  return [...images.values()].toSorted((a, b) => (a.key < b.key ? -1 : 1));
}
