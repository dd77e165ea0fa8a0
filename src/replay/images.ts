/**
 * Gives the pods of a trace their images: those that the trace names, or one image for each template, whose tag changes, and
 * a sidecar in all pods. The sizes follow from the name of the image and the seed.
 */
import { logNormal, spreadFrom, uniform } from './random.ts';
import type { TracePod } from './trace.ts';

export interface ImageOptions {
  readonly seed: number;
  /** Seconds after which each template gets a new tag; Infinity: never. */
  readonly newTagEvery: number;
  /** Images that injectors add to every pod. */
  readonly sidecars: readonly string[];
}

/** One image for each version of a template, in a registry that needs no credentials. */
export function imagesOf(pod: TracePod, { seed, newTagEvery, sidecars }: ImageOptions): readonly string[] {
  if (pod.images) return pod.images;
  return [`registry.example/app/${pathOf(pod.key)}:${tagAt(pod, seed, newTagEvery)}`, ...sidecars];
}

/** The templates do not change at the same moment. */
function tagAt({ key, created }: TracePod, seed: number, newTagEvery: number): string {
  if (newTagEvery === Infinity) return 'v1';
  return `v${Math.floor(created / newTagEvery + uniform(seed, `${key} first tag`)) + 1}`;
}

/** A key as a part of a repository's path. */
function pathOf(key: string): string {
  return (
    key
      .toLowerCase()
      .replaceAll(/[^a-z0-9]+/g, '-')
      .replaceAll(/^-|-$/g, '') || 'app'
  );
}

const MIB = 2 ** 20;
/** Compressed, half of what the images of Docker Hub take unpacked: median 94 MB, 90th percentile 1.3 GB (2019). */
const SIZE = { median: 47 * MIB, ninetieth: 650 * MIB, most: 50 * 1024 * MIB };

/** The compressed size of an image; all versions of one image have about the same. */
export function compressedBytes(image: string, seed: number): number {
  const repository = image.replace(/:[^/]*$/, '');
  const size = logNormal(seed, `size ${repository}`, SIZE.median, spreadFrom(SIZE.median, SIZE.ninetieth));
  return Math.min(Math.max(Math.round(size), MIB), SIZE.most);
}
