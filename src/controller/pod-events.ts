/**
 * Writes Events on pods: which cache a pod got, or that a cache is being made for it; the reasons are ECI's own
 * (docs/domain.md). Of several pods with the same message, only the youngest gets an Event, which counts the others.
 */
import { CREATE_ON_MISS } from '../core/annotations.ts';
import { describePhase, isUsable, type ImageCache } from '../core/image-cache.ts';
import { podImages } from '../core/image/image-set.ts';
import { degreeOf, wantedImages } from '../core/decision/match/degree.ts';
import { completeInTheMaking, suitsAs, type Miss } from '../core/controller/misses.ts';
import type { ObjectReference } from '../core/kubernetes/object.ts';
import { cachesPointedTo, type WatchedPod } from '../core/controller/watched-pod.ts';
import type { DecisionOptions } from '../core/decision/options.ts';
import { decide } from '../core/decision/decide.ts';
import { isHidden, tenantOf } from '../core/decision/sharing.ts';
import type { View } from '../core/decision/view.ts';

/** Writes an Event on a pod or a workload. Returns before the API server has the Event. */
export type RecordEvent = (
  about: ObjectReference,
  type: 'Normal' | 'Warning',
  reason: string,
  message: string,
) => void;

/** Milliseconds between two Events with the same reason about one cache; the later Event counts the pods in between. */
const EVENT_EVERY_MS = 600_000;
/** Events that one reconciliation writes at most; the next writes the others. */
const MOST_AT_ONCE = 20;
/** Refused misses that are remembered, so that each gets one Event. */
const MOST_SAID = 10_000;

/** What pods found, for people. */
const FOUND: Readonly<Record<Miss['found'], string>> = {
  nothing: 'no image cache',
  'partial, used': 'no complete image cache, and will use one that lacks some of the images',
  'partial, left to ECI': 'no complete image cache; the choice is left to ECI, which may know one',
};

type Found = 'SuccessfulHitImageCache' | 'ImageCacheNotComplete';

interface Group {
  readonly found: Found;
  readonly cache: ImageCache;
  /** Pods since the last Event. */
  readonly pods: number;
  readonly last: WatchedPod;
  /** Undefined if there was no Event yet. */
  readonly eventAtMs: number | undefined;
}

export class PodEvents {
  readonly #recordEvent: RecordEvent;
  readonly #options: DecisionOptions;
  /** The refused misses that have an Event already, by image set and pod. */
  readonly #refused = new Set<string>();
  readonly #groups = new Map<string, Group>();
  /**
   * The pods of the last reconciliation, by uid. Undefined before the first reconciliation, which writes no Events on
   * pods, because an earlier leader may have written them.
   */
  #seen: ReadonlySet<string> | undefined;

  constructor(recordEvent: RecordEvent, options: DecisionOptions) {
    this.#recordEvent = recordEvent;
    this.#options = options;
  }

  created(name: string, { pods, found, lastBy }: Miss): void {
    if (lastBy.kind === 'Pod') {
      this.#recordEvent(lastBy, 'Normal', 'ImageCacheMissed', `${thisPod(pods)} found ${FOUND[found]}`);
    }
    const message = `ImageCache ${name} is being made for ${imagesOf(lastBy)}; pods that are created after it is Ready start from it`;
    this.#recordEvent(lastBy, 'Normal', 'ImageCacheAutoCreated', message);
  }

  /** @param miss the miss that the cache was made for; undefined if no pod misses it any more */
  failed(name: string, miss: Miss | undefined): void {
    if (!miss) return;
    const message = `ImageCache ${name} for ${imagesOf(miss.lastBy)} failed and will be tried again; kubectl describe imagecache ${name} says why (an image that cannot be pulled, or a quota of ECI)`;
    this.#recordEvent(miss.lastBy, 'Warning', 'ImageCacheNotComplete', message);
  }

  refused({ desired, lastBy }: Miss, quota: number): void {
    const key = `${desired.imageSet} ${lastBy.uid}`;
    if (this.#refused.has(key)) return;
    if (this.#refused.size >= MOST_SAID) this.#refused.clear();
    this.#refused.add(key);
    const message = `no ImageCache is made for ${imagesOf(lastBy)}: quota (${quota}) reached, and every cache was used after this miss`;
    this.#recordEvent(lastBy, 'Warning', 'ImageCacheMissed', message);
  }

  /**
   * @param pods the pods that have not started yet
   * @param now milliseconds since 1970
   */
  starting(pods: Iterable<WatchedPod>, view: View, now: number): void {
    const seen = new Set<string>();
    for (const watched of pods) {
      const { uid } = watched.subject;
      seen.add(uid);
      if (this.#seen && !this.#seen.has(uid)) this.#add(watched, view, now);
    }
    this.#seen = seen;
    let told = 0;
    for (const [key, group] of this.#groups) {
      const isDue = group.eventAtMs === undefined || now - group.eventAtMs >= EVENT_EVERY_MS;
      if (!isDue) continue;
      if (group.pods === 0) this.#groups.delete(key);
      else if (told < MOST_AT_ONCE) {
        told += 1;
        this.#sayFound(group);
        this.#groups.set(key, { ...group, pods: 0, eventAtMs: now });
      }
    }
  }

  #add(watched: WatchedPod, view: View, nowMs: number): void {
    const cache = cacheFor(watched, view, this.#options, nowMs);
    if (!cache) return;
    const found = isUsable(cache) ? 'SuccessfulHitImageCache' : 'ImageCacheNotComplete';
    const key = `${found} ${cache.name}`;
    const known = this.#groups.get(key);
    const last =
      known && known.pods > 0 && known.last.createdAtMs > watched.createdAtMs ? known.last : watched;
    this.#groups.set(key, { found, cache, pods: (known?.pods ?? 0) + 1, last, eventAtMs: known?.eventAtMs });
  }

  #sayFound({ found, cache, pods, last }: Group): void {
    const { name, id, images } = cache;
    const references = podImages(last.pod, this.#options.imageVolumes)?.references ?? [];
    const { exact } = degreeOf(wantedImages(references), images);
    const rest = exact < references.length ? '; the others are pulled' : '';
    const message =
      found === 'SuccessfulHitImageCache'
        ? `${thisPod(pods)} ${pods < 2 ? 'was' : 'were'} given ImageCache ${name} (${id}), which holds ${exact} of ${references.length} images${rest}`
        : `${thisPod(pods)} cannot start from ImageCache ${name}, which is ${stateOf(cache)}`;
    this.#recordEvent(last.subject, 'Normal', found, message);
  }
}

/**
 * The cache that the pod was given or pins; else a cache that was being made when the pod was created and has all its
 * images.
 */
function cacheFor(
  watched: WatchedPod,
  view: View,
  options: DecisionOptions,
  nowMs: number,
): ImageCache | undefined {
  const { pod, createdAtMs } = watched;
  const [id] = cachesPointedTo(watched);
  if (id !== undefined) {
    const cache = view.cacheById(id);
    const tenant = tenantOf(pod.namespace, view, options.sharing.mode);
    return cache && !isHidden(cache, tenant) ? cache : undefined;
  }
  if (!pod.annotations.has(CREATE_ON_MISS)) return undefined;
  const { images, match } = decide(pod, view, options, nowMs);
  if (!images || !match) return undefined;
  const cache = completeInTheMaking(images.references, suitsAs(match.request), nowMs, view);
  return cache && cache.createdAtMs < createdAtMs ? cache : undefined;
}

function stateOf(cache: ImageCache): string {
  return cache.deleting ? 'being deleted' : describePhase(cache);
}

function thisPod(pods: number): string {
  if (pods < 2) return 'this pod';
  return `this pod and ${pods - 1} earlier one${pods > 2 ? 's' : ''}`;
}

function imagesOf({ kind }: ObjectReference): string {
  return kind === 'Pod' ? "this pod's images" : "the images of this workload's template";
}
