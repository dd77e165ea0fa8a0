/**
 * Owns what `kubectl describe` says of pods and the caches that they found, or that are made for them: Events with the
 * reasons that ECI itself has (domain facts), one for all pods of which the same is to be said, on the last of them.
 */
import { CREATE_ON_MISS } from '../core/annotations.ts';
import { describePhase, isUsable, type ImageCache } from '../core/image-cache.ts';
import { podImages } from '../core/image/image-set.ts';
import { degreeOf, wantedImages } from '../core/decision/match/degree.ts';
import { completeInTheMaking, type Miss } from '../core/controller/misses.ts';
import type { ObjectReference } from '../core/kubernetes/object.ts';
import { cachesPointedTo, type WatchedPod } from '../core/controller/watched-pod.ts';
import type { View } from '../core/decision/view.ts';

/** Puts an Event on a pod or a workload. Nothing waits for it. */
export type Tell = (
  about: ObjectReference,
  type: 'Normal' | 'Warning',
  reason: string,
  message: string,
) => void;

/** Milliseconds between two Events that say the same of a cache; the later one counts the pods between. */
const TOLD_EVERY = 600_000;
/** Told at one look; the others at the next. */
const MOST_AT_ONCE = 20;
/** Kept of the misses that were refused. */
const MOST_SAID = 10_000;

type Found = 'SuccessfulHitImageCache' | 'ImageCacheNotComplete';

interface Group {
  readonly found: Found;
  readonly cache: ImageCache;
  /** That were not told of yet. */
  readonly pods: number;
  readonly last: WatchedPod;
  /** Milliseconds since 1970; undefined where nothing was said of it yet. */
  readonly toldAtMs: number | undefined;
}

export class PodEvents {
  readonly #tell: Tell;
  /** Of refused misses what was said already, by image set and pod. */
  readonly #refused = new Set<string>();
  readonly #groups = new Map<string, Group>();
  /** By uid, the pods of the last look; undefined before the first, whose pods somebody else may have told of. */
  #seen: ReadonlySet<string> | undefined;

  constructor(tell: Tell) {
    this.#tell = tell;
  }

  created(name: string, { pods, lastBy }: Miss): void {
    if (lastBy.kind === 'Pod')
      this.#tell(lastBy, 'Normal', 'ImageCacheMissed', `${thisPod(pods)} found no image cache`);
    const message = `ImageCache ${name} is made for ${imagesOf(lastBy)}; pods that are created once it is Ready start from it`;
    this.#tell(lastBy, 'Normal', 'ImageCacheAutoCreated', message);
  }

  /** @param miss that it was made for; undefined where nobody misses it any more */
  failed(name: string, miss: Miss | undefined): void {
    if (!miss) return;
    const message = `ImageCache ${name}, made for ${imagesOf(miss.lastBy)}, has failed, and is tried again later: kubectl describe imagecache ${name} says why, as for an image that cannot be pulled, or a quota of ECI`;
    this.#tell(miss.lastBy, 'Warning', 'ImageCacheNotComplete', message);
  }

  refused({ desired, lastBy }: Miss, quota: number): void {
    const key = `${desired.imageSet} ${lastBy.uid}`;
    if (this.#refused.has(key)) return;
    if (this.#refused.size >= MOST_SAID) this.#refused.clear();
    this.#refused.add(key);
    const message = `no ImageCache is made for ${imagesOf(lastBy)}: the quota of ${quota} is full of caches that were used since`;
    this.#tell(lastBy, 'Warning', 'ImageCacheMissed', message);
  }

  /**
   * @param pods those that have not started yet
   * @param now milliseconds since 1970
   */
  starting(pods: Iterable<WatchedPod>, view: View, now: number): void {
    const seen = new Set<string>();
    for (const watched of pods) {
      const { uid } = watched.subject;
      seen.add(uid);
      if (this.#seen && !this.#seen.has(uid)) this.#add(watched, view);
    }
    this.#seen = seen;
    let told = 0;
    for (const [key, group] of this.#groups) {
      const isDue = group.toldAtMs === undefined || now - group.toldAtMs >= TOLD_EVERY;
      if (!isDue) continue;
      if (group.pods === 0) this.#groups.delete(key);
      else if (told < MOST_AT_ONCE) {
        told += 1;
        this.#sayFound(group);
        this.#groups.set(key, { ...group, pods: 0, toldAtMs: now });
      }
    }
  }

  #add(watched: WatchedPod, view: View): void {
    const cache = cacheFor(watched, view);
    if (!cache) return;
    const found = isUsable(cache) ? 'SuccessfulHitImageCache' : 'ImageCacheNotComplete';
    const key = `${found} ${cache.name}`;
    const known = this.#groups.get(key);
    const last =
      known && known.pods > 0 && known.last.createdAtMs > watched.createdAtMs ? known.last : watched;
    this.#groups.set(key, { found, cache, pods: (known?.pods ?? 0) + 1, last, toldAtMs: known?.toldAtMs });
  }

  #sayFound({ found, cache, pods, last }: Group): void {
    const { name, id, images } = cache;
    const references = podImages(last.pod.containers)?.references ?? [];
    const { exact } = degreeOf(wantedImages(references), images);
    const message =
      found === 'SuccessfulHitImageCache'
        ? `${thisPod(pods)} was given ImageCache ${name} (${id}), which holds ${exact} of its ${references.length} images`
        : `${thisPod(pods)} cannot start from ImageCache ${name}, which is ${stateOf(cache)}`;
    this.#tell(last.subject, 'Normal', found, message);
  }
}

/** The cache that a pod was given or asks for; else one that was being made when it was created, and has all its images. */
function cacheFor(watched: WatchedPod, view: View): ImageCache | undefined {
  const { pod, createdAtMs } = watched;
  const [id] = cachesPointedTo(watched);
  if (id !== undefined) return view.cacheById(id);
  if (!pod.annotations.has(CREATE_ON_MISS)) return undefined;
  const cache = completeInTheMaking(podImages(pod.containers)?.references ?? [], view);
  return cache && cache.createdAtMs < createdAtMs ? cache : undefined;
}

function stateOf(cache: ImageCache): string {
  return cache.deleting ? 'being deleted' : describePhase(cache);
}

function thisPod(pods: number): string {
  if (pods < 2) return 'this pod';
  return `this pod, as ${pods - 1} other${pods > 2 ? 's' : ''} before it,`;
}

function imagesOf({ kind }: ObjectReference): string {
  return kind === 'Pod' ? "this pod's images" : "the images of this workload's template";
}
