/**
 * Makes the clusters and pods for the measurements, the same ones for the same seed: caches of five images whose
 * popularity follows Zipf's law, with one sidecar image in nearly all of them.
 */
import { NOT_ASKED, type ImageCache } from '../../src/core/image-cache.ts';
import { byKey, parseImageReference, type ImageReference } from '../../src/core/image/reference.ts';
import { GIB } from '../../src/core/kubernetes/quantity.ts';

export const SIDECAR = 'registry.example.com/mesh/proxy:1.22.3';
const SIDECAR_SHARE = 0.95;
const IMAGES_PER_CACHE = 5;
const VERSIONS = 4;
export const CREATED_FROM = Date.parse('2026-01-01T00:00:00Z');

/** Uniform in [0, 1), the same sequence for the same seed (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Draws ranks 0..count-1 with a probability proportional to 1 / (rank + 1). */
export function zipf(count: number, random: () => number): () => number {
  const cumulative = new Float64Array(count);
  let sum = 0;
  for (let rank = 0; rank < count; rank++) cumulative[rank] = sum += 1 / (rank + 1);
  return () => {
    const target = random() * sum;
    let [low, high] = [0, count - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (cumulative[middle]! < target) low = middle + 1;
      else high = middle;
    }
    return low;
  };
}

/** An image of this popularity rank; neighbours in rank are versions of one repository. */
export function imageOfRank(rank: number): string {
  const repository = Math.floor(rank / VERSIONS);
  return `registry.example.com/team-${repository % 97}/service-${repository}:v1.${rank % VERSIONS}.0`;
}

export interface CacheDescription {
  readonly name: string;
  readonly id: string;
  readonly images: readonly string[];
  readonly sizeGiB: number;
  readonly createdAt: number;
}

/** @param count caches, and as many different images */
export function* describeCaches(count: number, seed = 1): Generator<CacheDescription, undefined> {
  const random = randomFrom(seed);
  const draw = zipf(count, random);
  for (let i = 0; i < count; i++) {
    const images = new Set<string>(random() < SIDECAR_SHARE ? [SIDECAR] : []);
    while (images.size < IMAGES_PER_CACHE) images.add(imageOfRank(draw()));
    yield {
      name: `cache-${i}`,
      id: `imc-2ze${i.toString(36).padStart(17, '0')}`,
      images: [...images],
      sizeGiB: 20 + Math.floor(random() * 11),
      createdAt: CREATED_FROM + Math.floor(random() * 300 * 86_400) * 1000,
    };
  }
  return undefined;
}

/** Makes the cache from JSON, as a source does, because V8 stores strings from JSON in another form. */
export function toImageCache(description: CacheDescription): ImageCache {
  const { name, id, images, sizeGiB, createdAt } = JSON.parse(
    JSON.stringify(description),
  ) as CacheDescription;
  return {
    name,
    id,
    images: images.map((image): ImageReference => parseImageReference(image)!).toSorted(byKey),
    sizeBytes: sizeGiB * GIB,
    phase: 'Ready',
    progress: '100%',
    createdAtMs: createdAt,
    expiresAtMs: undefined,
    deleting: false,
    retiring: false,
    region: undefined,
    architecture: 'amd64',
    operatingSystem: 'linux',
    madeByController: false,
    namespaces: undefined,
    namespaceUid: undefined,
    secretNamespaces: '',
    hasRegistryCredentials: false,
    insecureRegistries: '',
    ...NOT_ASKED,
  };
}

/** Image sets of pods: two to four images of a cluster of this size, and the sidecar. */
export function* describeImageSets(caches: number, seed = 2): Generator<string[], never> {
  const random = randomFrom(seed);
  const draw = zipf(caches, random);
  for (;;) {
    const images = new Set<string>([SIDECAR]);
    const count = 3 + Math.floor(random() * 3);
    while (images.size < count) images.add(imageOfRank(draw()));
    yield [...images];
  }
}
