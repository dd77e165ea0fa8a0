/**
 * When a cache of ours costs more than it saves: ECI gives each pod a disk of the cache's size as long as the pod lives, and
 * the pod costs nothing while it need not pull (docs/domain.md, "Money").
 */
import { neededGib, sizesOf } from '../cache-size.ts';
import type { PodSize } from '../kubernetes/pod-requests.ts';
import type { View } from './view.ts';

/** In one currency. */
export interface Prices {
  /** A disk, for a GiB and hour. */
  readonly diskGibHour: number;
  /** A pod, for a vCPU and second, and for a GiB of memory and second. */
  readonly vcpuSecond: number;
  readonly memoryGibSecond: number;
}

export interface CostOptions {
  readonly prices: Prices;
  /** How fast a pod pulls, in compressed megabytes a second. */
  readonly pullRate: number;
}

/** What the snapshot of a cache costs for a GiB and month: the vendor's example, China, CNY; settings.ts has the other prices. */
export const SNAPSHOT_PRICE = 0.12;

/** GiB of an automatic cache of ECI that cost a pod nothing. */
const FREE_GIB = 30;
const HOUR = 3600;
const MEGABYTE = 1e6;
/** Seconds that a pod pulls at least if the size of an image is not known: the example of the vendor. */
const UNKNOWN_PULL = 50;

/** What the snapshot of a cache costs in a month. */
export function snapshotMonth(gib: number): number {
  return gib * SNAPSHOT_PRICE;
}

/** GiB of the disk of its cache that a pod pays for. @param isAutomatic whether ECI made the cache by itself */
export function paidDiskGib(gib: number, isAutomatic: boolean): number {
  return isAutomatic ? Math.max(gib - FREE_GIB, 0) : gib;
}

export function pricePerSecond({ cpu, memoryGib }: PodSize, prices: Prices): number {
  return cpu * prices.vcpuSecond + memoryGib * prices.memoryGibSecond;
}

/**
 * Seconds that a pod lives until the disk of a cache, as large as its images need, has cost as much as the pulling would have.
 * @param keys normalised references of the pod's images
 * @param gib of the cache, if it is known; else as large as its images need
 */
export function breakEvenSeconds(
  size: PodSize,
  keys: readonly string[],
  { prices, pullRate }: CostOptions,
  view: View,
  gib = neededGib(keys, { maxSizeGib: Infinity }, view),
): number {
  const pulling = pullSeconds(keys, pullRate, view);
  return (pulling * pricePerSecond(size, prices) * HOUR) / (gib * prices.diskGibHour);
}

/** Seconds that a pod pulls these images. @param pullRate compressed megabytes a second */
export function pullSeconds(keys: readonly string[], pullRate: number, view: View): number {
  const { knownBytes, unknown } = sizesOf(keys, view);
  const known = knownBytes / (pullRate * MEGABYTE);
  return unknown > 0 ? Math.max(known, UNKNOWN_PULL) : known;
}
