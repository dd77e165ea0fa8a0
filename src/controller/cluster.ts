/** The state of the cluster as the controller sees it, and the changes that it may make. */
import type { OwnCache } from '../core/controller/own-cache.ts';
import type { Workloads } from '../core/controller/prewarm.ts';
import type { UsageById } from '../core/controller/uses.ts';
import type { WatchedPod } from '../core/controller/watched-pod.ts';
import type { PodLives } from '../core/decision/pod-life.ts';
import type { JsonObject } from '../core/kubernetes/json.ts';
import type { ObjectReference } from '../core/kubernetes/object.ts';

/** Why the API server does not accept a change of one object; changes of others may be accepted. */
export interface Refusal {
  readonly refused: string;
}

/** `outdated`: the object has changed or is gone, so that nothing was written. */
export type Written = 'done' | 'outdated' | Refusal;

/** Writes an Event on a pod or a workload. Returns before the API server has the Event. */
export type RecordEvent = (
  about: ObjectReference,
  type: 'Normal' | 'Warning',
  reason: string,
  message: string,
) => void;

/** Each change throws if the API server gives no answer, can serve nobody now, or the signal is aborted. */
export interface Cluster extends Workloads {
  /** The pods without a node, and those on virtual nodes. */
  pods(): Iterable<WatchedPod>;
  /** The uses by pods that got a node since the last call. */
  takeUses(): UsageById;
  /**
   * How long pods live, by what this replica has seen, and else as it was published; `published` itself if nothing is new.
   * @param now milliseconds since 1970
   */
  lives(now: number, published: PodLives): PodLives;
  ownCaches(): readonly OwnCache[];
  /** The images of a cache whose tags have moved, as the statuses of pods show it. */
  moved(cache: OwnCache): readonly string[];
  /** When the API server last confirmed the pods and ImageCaches; undefined before the first time. */
  confirmedAtMs(): number | undefined;
  /** Creates an ImageCache; `outdated` if one of that name exists. */
  create(object: JsonObject, signal: AbortSignal): Promise<Written>;
  /** Sets annotations of a cache that has not changed since it was read; null removes one. */
  annotate(
    cache: OwnCache,
    annotations: Readonly<Record<string, string | null>>,
    signal: AbortSignal,
  ): Promise<Written>;
  /** Deletes a cache that has not changed since it was read. */
  delete(cache: OwnCache, signal: AbortSignal): Promise<Written>;
  /**
   * Changes a pod; `outdated` if it is gone, has changed since it was read, or needs no change.
   * @param patchOf makes a JSON merge patch of the pod as it is now; undefined: nothing needs to be done
   */
  patchPod(
    pod: ObjectReference,
    patchOf: (pod: JsonObject) => JsonObject | undefined,
    signal: AbortSignal,
  ): Promise<Written>;
  /** @param lives as describeLives has them */
  publishLives(lives: string, signal: AbortSignal): Promise<Written>;
  readonly recordEvent: RecordEvent;
}
