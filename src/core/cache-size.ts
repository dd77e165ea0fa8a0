/** How large a cache must be: as large as its images need, whatever storage the pods ask for. */
import type { View } from './decision/view.ts';
import { GIB } from './kubernetes/quantity.ts';

export interface SizeOptions {
  /** GiB; no cache is larger. */
  readonly maxSizeGib: number;
}

/** GiB. ECI makes no smaller cache (docs/domain.md, "ImageCache"). */
export const LEAST_GIB = 20;
/** GiB, if the size of an image is not known. */
export const UNKNOWN_GIB = 30;
/** Images need about twice their compressed size on a disk (docs/domain.md, "ImageCache"). */
export const UNPACKED = 2;

/** What is known of the sizes of images. */
export interface ImageSizes {
  /** Compressed, of the images whose size is known. */
  readonly knownBytes: number;
  readonly unknown: number;
}

/** @param keys normalised references; the sizes are as the nodes report them */
export function sizesOf(keys: readonly string[], view: View): ImageSizes {
  let [knownBytes, unknown] = [0, 0];
  for (const key of keys) {
    const bytes = view.imageSize(key);
    if (bytes === undefined) unknown += 1;
    else knownBytes += bytes;
  }
  return { knownBytes, unknown };
}

/**
 * The GiB that a cache of these images needs, and at most `maxSizeGib`.
 * @param keys normalised references of the images
 */
export function neededGib(keys: readonly string[], { maxSizeGib }: SizeOptions, view: View): number {
  const { knownBytes, unknown } = sizesOf(keys, view);
  const needed = Math.ceil((knownBytes * UNPACKED) / GIB);
  const least = unknown > 0 ? UNKNOWN_GIB : LEAST_GIB;
  return Math.min(Math.max(needed, least), Math.max(maxSizeGib, LEAST_GIB));
}

/** The whole GiB that fit into a pod's storage; a pod cannot use a larger cache. */
export function storageGib(storageBytes: number): number {
  return Math.max(Math.floor(storageBytes / GIB), LEAST_GIB);
}

/** GiB. Few sizes, so that pods that ask for many different storages lead to few caches. */
const STEPS_GIB: readonly number[] = [20, 30, 40, 60, 80, 120, 160, 240, 320, 480, 640, 960, 1280];

/** The largest step that fits into this storage. */
export function sizeStepBelow(gib: number): number {
  return STEPS_GIB.findLast((step) => step <= gib) ?? LEAST_GIB;
}

/** The smallest step that is at least so large; the size itself beyond the last step. */
export function sizeStepAbove(gib: number): number {
  return STEPS_GIB.find((step) => step >= gib) ?? gib;
}

/** The size of the next attempt after one failed because its images did not fit. */
export function enlarged(sizeGib: number, largestGib: number): number {
  return Math.min(sizeGib * 2, Math.max(largestGib, sizeGib));
}
