/** A cache of a plan: its manifest, what it buys and what it costs. */
import { IMAGE_SET, MADE_BY } from '../annotations.ts';
import { LEAST_GIB, sizesOf, sizeStepAbove, UNKNOWN_GIB, UNPACKED } from '../cache-size.ts';
import { cacheName, type DesiredImage, type Unsized } from '../controller/desired-cache.ts';
import { contentAnnotations } from '../controller/own-cache.ts';
import { pullSeconds, snapshotMonth, type CostOptions } from '../decision/break-even.ts';
import type { View } from '../decision/view.ts';
import { IMAGE_CACHE_API_VERSION } from '../image-cache.ts';
import { imageSetHash } from '../image/image-set.ts';
import { byKey } from '../image/reference.ts';
import type { JsonObject } from '../kubernetes/json.ts';
import { byName } from '../kubernetes/object.ts';
import { GIB } from '../kubernetes/quantity.ts';
import type { Need, PlannedPods } from './needs.ts';

export interface PlannedCache {
  readonly name: string;
  /** Ready for kubectl apply. */
  readonly manifest: JsonObject;
  readonly images: readonly string[];
  readonly sizeGib: number;
  /** How many of its images have a size that no node reports; each is taken to need 2 GiB. */
  readonly unknownSizes: number;
  /** The namespace that it belongs to, because of its credentials; null: everybody's. */
  readonly namespace: string | null;
  readonly serves: readonly PlannedPods[];
  /** How many pods it serves, or will. */
  readonly pods: number;
  /** What it buys: seconds of pulling that each of its pods is spared, at most. */
  readonly secondsSaved: number;
  /** What it costs: its snapshot for a month, and the disk of each pod for an hour. */
  readonly monthCost: number;
  readonly podHourCost: number;
}

/** Of the names, which follow from the contents, so that the same contents have the same name. */
const PLAN_PREFIX = 'plan-';

/** GiB on a disk that an image is taken to need if no node reports its size (inferred). */
const ASSUMED_GIB = 2;

/** The GiB that an image needs on the disk of a cache. @param key normalised */
export function imageGib(key: string, view: View): number {
  const bytes = view.imageSize(key);
  return bytes === undefined ? ASSUMED_GIB : (bytes * UNPACKED) / GIB;
}

/** The whole GiB that a cache of these images needs. @param keys normalised references */
function plannedGib(keys: readonly string[], view: View): number {
  const sum = keys.reduce((gib, key) => gib + imageGib(key, view), 0);
  return Math.max(Math.ceil(sum), ...keys.map((key) => leastGibWith(key, view)));
}

/** The least GiB of a cache with this image: more if its size is not known. */
export function leastGibWith(key: string, view: View): number {
  return view.imageSize(key) === undefined ? UNKNOWN_GIB : LEAST_GIB;
}

/**
 * The cache for these needs, of which there is at least one.
 * @param textOf how an image is written, by its key; for others, the shortest of the ways in which pods write it
 */
export function plannedCache(
  needs: readonly Need[],
  textOf: ReadonlyMap<string, string>,
  view: View,
  { prices, pullRate }: CostOptions,
): PlannedCache {
  const first = needs[0]!.desired;
  const texts = new Map<string, DesiredImage>();
  for (const { desired } of needs)
    for (const { key, text } of desired.images) {
      const known = texts.get(key)?.text;
      const better = known === undefined || text.length < known.length ? text : known;
      texts.set(key, { key, text: textOf.get(key) ?? better });
    }
  const images = [...texts.values()].toSorted(byKey);
  const contents: Unsized = {
    ...first,
    images,
    imageSet: imageSetHash(images),
    pullSecrets: [...new Set(needs.flatMap(({ desired }) => desired.pullSecrets))].toSorted(),
  };
  const keys = images.map(({ key }) => key);
  const cap = Math.min(...needs.map(({ storageGib }) => storageGib));
  const needed = plannedGib(keys, view);
  // Steps, so that the size that a node reports changes the manifest seldom.
  const sizeGib = Math.max(Math.min(sizeStepAbove(needed), cap), needed);
  const name = cacheName(contents, PLAN_PREFIX);
  const serves = needs
    .map(({ namespace, workload, pods }) => ({ namespace, workload, pods, name: `${namespace}/${workload}` }))
    .toSorted(byName)
    .map(({ name: _name, ...rest }) => rest);
  return {
    name,
    manifest: manifestOf(name, contents, sizeGib),
    images: images.map(({ text }) => text),
    sizeGib,
    unknownSizes: sizesOf(keys, view).unknown,
    namespace: first.owner?.namespace ?? null,
    serves,
    pods: serves.reduce((sum, { pods }) => sum + pods, 0),
    secondsSaved: Math.max(
      ...needs.map(({ desired }) =>
        pullSeconds(
          desired.images.map(({ key }) => key),
          pullRate,
          view,
        ),
      ),
    ),
    monthCost: snapshotMonth(needed),
    podHourCost: sizeGib * prices.diskGibHour,
  };
}

function manifestOf(name: string, contents: Unsized, sizeGib: number): JsonObject {
  const annotations = contentAnnotations(contents);
  return {
    apiVersion: IMAGE_CACHE_API_VERSION,
    kind: 'ImageCache',
    metadata: {
      name,
      labels: { [MADE_BY.label]: MADE_BY.plan, [IMAGE_SET]: contents.imageSet },
      ...(Object.keys(annotations).length > 0 && { annotations }),
    },
    spec: {
      images: contents.images.map(({ text }) => text),
      imageCacheSize: sizeGib,
      ...(contents.pullSecrets.length > 0 && { imagePullSecrets: contents.pullSecrets }),
    },
  };
}
