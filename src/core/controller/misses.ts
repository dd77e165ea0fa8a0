/**
 * Finds the misses of this moment. A marker says that a pod missed a cache when it was created; whether the pod still
 * misses one is decided anew, by the rules of the webhook. So nothing has to remember a miss, and a miss that was
 * served is gone.
 */
import type { DecisionOptions } from '../decision/options.ts';
import { decide, type Decision } from '../decision/decide.ts';
import type { ImageReference } from '../image/reference.ts';
import { FAILED, type ImageCache } from '../image-cache.ts';
import { firstInOrder } from '../decision/match/order.ts';
import type { CandidateLevel, View } from '../decision/view.ts';
import type { ObjectReference } from '../kubernetes/object.ts';
import type { WatchedPod } from './watched-pod.ts';
import { MOST_IMAGES, cacheName, sizeFor, type DesiredCache, type DesiredImage } from './desired-cache.ts';

export interface Miss {
  readonly desired: DesiredCache;
  /** When the latest of the pods that miss it was created. */
  readonly missedAtMs: number;
  /** How many pods miss it; 0 for a pre-warmed workload that has no pod yet. */
  readonly pods: number;
  /** The latest of those pods, or the workload. */
  readonly lastBy: ObjectReference;
}

/** A cache in one of these phases never becomes Ready. */
const HOPELESS: ReadonlySet<string> = new Set([FAILED, 'UpdateFailed']);

/**
 * The misses, by the name of the cache that would end each.
 * @param now milliseconds since 1970
 */
export function missesOf(
  pods: Iterable<WatchedPod>,
  view: View,
  config: DecisionOptions,
  now: number,
): Map<string, Miss> {
  const misses = new Map<string, Miss>();
  for (const watched of pods) {
    if (watched.deleting) continue;
    const decision = decide(watched.pod, view, config, now);
    for (const desired of desiredCaches(watched, decision, view)) {
      const name = cacheName(desired);
      const known = misses.get(name);
      const isLast = known === undefined || watched.createdAtMs > known.missedAtMs;
      misses.set(name, {
        desired,
        missedAtMs: isLast ? watched.createdAtMs : known.missedAtMs,
        pods: (known?.pods ?? 0) + Number(watched.subject.kind === 'Pod'),
        lastBy: isLast ? watched.subject : known.lastBy,
      });
    }
  }
  return misses;
}

/** Empty if the pod misses nothing, or if the cache that it misses is being made. */
function desiredCaches(watched: WatchedPod, decision: Decision, view: View): DesiredCache[] {
  const { createOnMiss, images, request } = decision;
  if (createOnMiss === undefined || !images || !request) return [];
  const textOf = new Map<string, string>();
  for (const { image } of watched.pod.containers) {
    const key = images.referenceOf(image)?.key;
    if (key !== undefined && !textOf.has(key)) textOf.set(key, image);
  }
  const toDesiredImages = (references: readonly ImageReference[]): DesiredImage[] =>
    references
      .map(({ key }) => ({ key, text: textOf.get(key) ?? key }))
      .toSorted((a, b) => (a.key < b.key ? -1 : 1));
  const { pullSecrets, registry } = watched;
  const base = { imageSet: createOnMiss, sizeGib: sizeFor(request.storageBytes), pullSecrets, registry };
  if (images.references.length <= MOST_IMAGES) {
    if (completeInTheMaking(images.references, view)) return [];
    return [{ ...base, images: toDesiredImages(images.references) }];
  }
  const left = toDesiredImages(withoutThoseHeld(images.references, view));
  const parts: DesiredCache[] = [];
  for (let i = 0; i < left.length; i += MOST_IMAGES)
    parts.push({ ...base, images: left.slice(i, i + MOST_IMAGES) });
  return parts;
}

/**
 * For a pod with more images than a cache may have: the images that no cache holds or will hold. The caches with the
 * largest overlap count first.
 */
function withoutThoseHeld(images: readonly ImageReference[], view: View): readonly ImageReference[] {
  let left = images;
  for (;;) {
    const best = [bestUsable(left, view), bestInTheMaking(left, view)]
      .filter((each) => each !== undefined)
      .toSorted((a, b) => b.exact - a.exact)[0];
    if (!best || best.exact === 0) return left;
    const held = new Set(best.cache.images.map(({ key }) => key));
    left = left.filter(({ key }) => !held.has(key));
  }
}

/** A cache that has all these images and is being made. */
export function completeInTheMaking(images: readonly ImageReference[], view: View): ImageCache | undefined {
  const best = bestInTheMaking(images, view);
  return best?.exact === images.length ? best.cache : undefined;
}

interface Overlap {
  readonly cache: ImageCache;
  readonly exact: number;
}

function bestUsable(images: readonly ImageReference[], view: View): Overlap | undefined {
  return bestOf(images, view, ({ usable }) => usable);
}

function bestInTheMaking(images: readonly ImageReference[], view: View): Overlap | undefined {
  return bestOf(images, view, ({ unusable }) =>
    unusable.filter(({ deleting, phase }) => !deleting && !HOPELESS.has(phase)),
  );
}

/** The cache that holds most of the images, among those that `counting` selects. */
function bestOf(
  images: readonly ImageReference[],
  view: View,
  counting: (level: CandidateLevel) => readonly ImageCache[],
): Overlap | undefined {
  for (const level of view.candidates(images)) {
    const [cache] = firstInOrder(counting(level), 1, 0);
    if (cache) return { cache, exact: level.degree.exact };
  }
  return undefined;
}
