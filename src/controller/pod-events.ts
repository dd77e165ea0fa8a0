/**
 * Writes Events on pods: which cache a pod got, or that a cache is being made for it; the reasons are ECI's own
 * (docs/domain.md). Of several pods of a namespace with the same message, only the youngest gets an Event, which counts the
 * others. No Event says anything about another namespace.
 */
import { CREATE_ON_MISS } from '../core/annotations.ts';
import { describePhase, isUsable, type ImageCache } from '../core/image-cache.ts';
import { podImages } from '../core/image/image-set.ts';
import { degreeOf, wantedImages } from '../core/decision/match/degree.ts';
import { completeInTheMaking, suitsAs } from '../core/controller/missing-images.ts';
import type { Miss } from '../core/controller/misses.ts';
import type { PlanOptions, RefusalCode, Refused } from '../core/controller/plan.ts';
import type { ObjectReference } from '../core/kubernetes/object.ts';
import type { WatchedPod } from '../core/controller/watched-pod.ts';
import type { DecisionOptions } from '../core/decision/options.ts';
import { decide } from '../core/decision/decide.ts';
import { isHidden, tenantOf } from '../core/decision/sharing.ts';
import type { View } from '../core/decision/view.ts';
import type { RecordEvent } from './cluster.ts';

/** Milliseconds between two Events in a namespace that say the same; the later Event counts the pods in between. */
const EVENT_EVERY_MS = 600_000;
/** Events that one reconciliation writes at most; the next writes the others. */
const MOST_AT_ONCE = 20;
/** Messages that are remembered, so that each is written once in EVENT_EVERY_MS. */
const MOST_REMEMBERED = 10_000;

/** What pods found, for people. */
const FOUND: Readonly<Record<Miss['found'], string>> = {
  nothing: 'no image cache',
  'partial, used': 'no complete image cache, and will use one that lacks some of the images',
  'partial, left to ECI': 'no complete image cache; the choice is left to ECI, which may know one',
};

/** Why a miss gets no cache, for people. */
const REFUSED: Readonly<Record<RefusalCode, (options: PlanOptions) => string>> = {
  Quota: ({ quota }) => `the quota (${quota}) is reached, and no cache may go for it`,
  TenantRate: ({ tenantCreationsPerHour }) =>
    `${tenantCreationsPerHour} were made for this tenant within an hour, which is the most (controller.tenantCreationsPerHour)`,
  Rate: ({ creationsPerHour }) =>
    `${creationsPerHour} were made within an hour, which is the most (controller.creationsPerHour)`,
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
  /** When an Event last said that misses are refused, by namespace and reason. */
  readonly #refusedAtMs = new Map<string, number>();
  /** By what was found, cache and namespace. */
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

  /** Begins anew as the leader: pods that are there by now were told by an earlier one. */
  begin(): void {
    this.#seen = undefined;
    this.#groups.clear();
  }

  created(name: string, { pods, found, lastBy }: Miss): void {
    if (lastBy.kind === 'Pod') {
      const message = `${thisPod(pods.get(lastBy.namespace) ?? 1)} found ${FOUND[found]}`;
      this.#recordEvent(lastBy, 'Normal', 'ImageCacheMissed', message);
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

  /** Writes one Event for all refused misses of a namespace with the same reason, on the youngest pod. */
  refused(refused: readonly Refused[], options: PlanOptions, now: number): void {
    for (const [key, at] of this.#refusedAtMs) if (now - at >= EVENT_EVERY_MS) this.#refusedAtMs.delete(key);
    const bySummary = Map.groupBy(refused, ({ miss: { lastBy }, code }) => `${code} ${lastBy.namespace}`);
    let told = 0;
    for (const [key, ofNamespace] of bySummary) {
      if (told === MOST_AT_ONCE) return;
      if (this.#refusedAtMs.has(key) || this.#refusedAtMs.size >= MOST_REMEMBERED) continue;
      told += 1;
      this.#refusedAtMs.set(key, now);
      const { miss, code } = ofNamespace.reduce((a, b) => (b.miss.missedAtMs > a.miss.missedAtMs ? b : a));
      const others = ofNamespace.length - 1;
      const sets =
        others === 0 ? '' : ` and ${others} other image set${others > 1 ? 's' : ''} of this namespace`;
      const message = `no ImageCache is made for ${imagesOf(miss.lastBy)}${sets}: ${REFUSED[code](options)}`;
      this.#recordEvent(miss.lastBy, 'Warning', 'ImageCacheMissed', message);
    }
  }

  /**
   * Says which cache the pods got that have come since the last call and have not started yet.
   * @param now milliseconds since 1970
   */
  starting(pods: Iterable<WatchedPod>, view: View, now: number): void {
    const seen = new Set<string>();
    for (const watched of pods) {
      if (watched.hasStarted || !mayBeTold(watched)) continue;
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
    const found = isUsable({ ...cache, apiPhase: undefined })
      ? 'SuccessfulHitImageCache'
      : 'ImageCacheNotComplete';
    const key = `${found} ${cache.name} ${watched.subject.namespace}`;
    if (this.#groups.size >= MOST_REMEMBERED && !this.#groups.has(key)) return;
    const known = this.#groups.get(key);
    const last =
      known && known.pods > 0 && known.last.createdAtMs > watched.createdAtMs ? known.last : watched;
    this.#groups.set(key, { found, cache, pods: (known?.pods ?? 0) + 1, last, eventAtMs: known?.eventAtMs });
  }

  #sayFound({ found, cache, pods, last }: Group): void {
    const { name, id } = cache;
    const images = last.content && podImages(last.content.pod, this.#options.imageVolumes);
    const references = images?.references ?? [];
    const { exact } = degreeOf(wantedImages(references), cache.images);
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
  const { content, createdAtMs, pointsTo, subject } = watched;
  const [id] = pointsTo;
  if (id !== undefined) {
    const cache = view.cacheById(id);
    const tenant = tenantOf(subject.namespace, view, options.sharing.mode);
    // What ECI's API alone knows is nobody's to see in a cluster.
    return cache && cache.knownFrom !== 'api' && !isHidden(cache, tenant) ? cache : undefined;
  }
  if (!content) return undefined;
  const { pod } = content;
  const { images, match } = decide(pod, view, options, nowMs);
  if (!images || !match) return undefined;
  const cache = completeInTheMaking(images.references, suitsAs(match.request), nowMs, view);
  return cache && cache.createdAtMs < createdAtMs ? cache : undefined;
}

/** Whether the pod has something to be told: most pods of normal nodes have nothing. */
function mayBeTold({ content, pointsTo }: WatchedPod): boolean {
  return pointsTo.length > 0 || content?.pod.annotations.has(CREATE_ON_MISS) === true;
}

function stateOf(cache: ImageCache): string {
  if (cache.deleting) return 'being deleted';
  return cache.retiring ? 'about to be deleted' : describePhase(cache);
}

function thisPod(pods: number): string {
  if (pods < 2) return 'this pod';
  return `this pod and ${pods - 1} earlier one${pods > 2 ? 's' : ''}`;
}

function imagesOf({ kind }: ObjectReference): string {
  return kind === 'Pod' ? "this pod's images" : "the images of this workload's template";
}
