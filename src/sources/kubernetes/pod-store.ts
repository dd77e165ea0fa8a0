/**
 * Keeps the pods of one watch that matter to the controller. Pods with the same content share it, so that a thousand
 * replicas take little more memory than one; what is too much is not kept, and never looked at as a miss.
 */
import { createHash } from 'node:crypto';
import { CREATE_ON_MISS } from '../../core/annotations.ts';
import type { JsonObject } from '../../core/kubernetes/json.ts';
import { DAY } from '../../core/kubernetes/time.ts';
import { Totals } from '../../core/totals.ts';
import {
  readWatchedPod,
  contentSize,
  type PodContent,
  type WatchedPod,
} from '../../core/controller/watched-pod.ts';
import { isPlaced } from '../../core/truth/pod-truth.ts';
import type { Store } from './list-all.ts';

/**
 * What all contents may take together (podSize), and those of one namespace: a namespace with thousands of different pods
 * leaves room for others. Once half of the room is taken, each namespace gets a little of the rest.
 */
const MAX_CONTENTS = { all: 24 * 2 ** 20, ofNamespace: 4 * 2 ** 20, littleOfNamespace: 64 * 2 ** 10 };

interface Shared {
  readonly content: PodContent;
  readonly size: number;
  pods: number;
}

/** The contents of the pods of several stores, each content once. */
export class PodContents {
  readonly #shared = new Map<string, Shared>();
  readonly #keys = new WeakMap<PodContent, string>();
  /** Of their sizes, by namespace. */
  readonly #kept = new Totals();
  readonly #onFull: (what: string) => void;
  #isFull = false;

  /** @param onFull called when a content is not kept, until all contents are kept again */
  constructor(onFull: (what: string) => void = () => undefined) {
    this.#onFull = onFull;
  }

  /** @returns the content that all equal pods share; undefined if there are too many contents */
  take(content: PodContent): PodContent | undefined {
    const key = fingerprint(content);
    const known = this.#shared.get(key);
    if (known) {
      known.pods += 1;
      return known.content;
    }
    const size = contentSize(content);
    const { namespace } = content.pod;
    const most = this.#isHalfFull() ? MAX_CONTENTS.littleOfNamespace : MAX_CONTENTS.ofNamespace;
    if (this.#kept.all + size > MAX_CONTENTS.all || this.#kept.of(namespace) + size > most) {
      if (!this.#isFull)
        this.#onFull(`namespace ${namespace} has too many different pods to look at all of them`);
      this.#isFull = true;
      return undefined;
    }
    this.#kept.add(namespace, size);
    this.#shared.set(key, { content, size, pods: 1 });
    this.#keys.set(content, key);
    return content;
  }

  release(content: PodContent): void {
    const key = this.#keys.get(content) ?? '';
    const shared = this.#shared.get(key);
    if (!shared) return;
    shared.pods -= 1;
    if (shared.pods > 0) return;
    this.#kept.add(content.pod.namespace, -shared.size);
    this.#shared.delete(key);
    // Once half of it is free again, the next time is worth another word.
    if (!this.#isHalfFull()) this.#isFull = false;
  }

  #isHalfFull(): boolean {
    return this.#kept.all >= MAX_CONTENTS.all / 2;
  }

  get size(): number {
    return this.#shared.size;
  }
}

function fingerprint({ pod, pullSecrets }: PodContent): string {
  const text = JSON.stringify([pod, pullSecrets], (_key, value: unknown) =>
    value instanceof Map ? [...value] : value,
  );
  return createHash('sha256').update(text).digest('base64');
}

export interface PodStoreEvents {
  /** A pod has come or gone, or has changed in a way that matters. */
  readonly onChange: () => void;
  /** A pod that this store did not have. */
  readonly onNew?: (watched: WatchedPod) => void;
  /** A pod that this store no longer has: deleted, or no longer selected by the watch. */
  readonly onGone?: (watched: WatchedPod, key: string) => void;
  /**
   * A pod that had started has ended, or has run for so long that it matters no more.
   * @param milliseconds that it has lived
   */
  readonly onLife?: (watched: WatchedPod, milliseconds: number, hasEnded: boolean) => void;
  /** A pod as the API server has it, with each change. */
  readonly onPod?: (pod: JsonObject) => void;
  /** ECI has placed a pod that this store had before. */
  readonly onPlaced?: (pod: JsonObject) => void;
  readonly now: () => number;
}

export class PodStore implements Store {
  /** Undefined for a pod that does not matter, or cannot be read. */
  readonly #pods = new Map<string, WatchedPod | undefined>();
  /** The keys of all pods that ECI has not placed yet, also of those that do not matter. */
  readonly #unplaced = new Set<string>();
  readonly #contents: PodContents;
  readonly #events: PodStoreEvents;

  constructor(contents: PodContents, events: PodStoreEvents) {
    this.#contents = contents;
    this.#events = events;
  }

  apply(key: string, object: JsonObject): void {
    this.#events.onPod?.(object);
    this.#notePlacing(key, object);
    const before = this.#pods.get(key);
    const after = this.#read(object);
    this.#pods.set(key, after);
    if (before) this.#noteLife(before, after);
    if (before?.content) this.#contents.release(before.content);
    if (after && before?.subject.uid !== after.subject.uid) this.#events.onNew?.(after);
    if (!isSame(before, after)) this.#events.onChange();
  }

  /** A pod that was placed before it was seen is not reported: an earlier leader did. */
  #notePlacing(key: string, object: JsonObject): void {
    const { onPlaced } = this.#events;
    if (!onPlaced) return;
    if (!isPlaced(object)) this.#unplaced.add(key);
    else if (this.#unplaced.delete(key)) onPlaced(object);
  }

  #read(object: JsonObject): WatchedPod | undefined {
    let watched: WatchedPod;
    try {
      watched = readWatchedPod(object);
    } catch {
      // The API server has accepted the pod, but it has no containers, or an image that is no text: it misses nothing.
      return undefined;
    }
    const { content, pointsTo, hasStarted, createdAtMs } = watched;
    const isMarked = content?.pod.annotations.has(CREATE_ON_MISS) === true;
    if (!isMarked && pointsTo.length === 0) return undefined;
    // A miss of a day ago leads to no cache, and a use of a day ago is recorded.
    if (hasStarted && this.#events.now() - createdAtMs > DAY) return undefined;
    // What the pod points to counts even if its content is not kept. Of a pod that starts, an Event tells its images.
    const isWanted = content && (isMarked || !hasStarted);
    return { ...watched, content: isWanted ? this.#contents.take(content) : undefined };
  }

  delete(key: string): void {
    this.#remove(key, true);
  }

  #remove(key: string, isEnd: boolean): void {
    const before = this.#pods.get(key);
    this.#pods.delete(key);
    this.#unplaced.delete(key);
    if (!before) return;
    this.#noteEnd(before, isEnd);
    if (before.content) this.#contents.release(before.content);
    this.#events.onGone?.(before, key);
    this.#events.onChange();
  }

  /** Forgets all pods, because nothing watches them any more. */
  clear(): void {
    for (const key of this.#pods.keys()) this.#remove(key, false);
  }

  #noteLife(before: WatchedPod, after: WatchedPod | undefined): void {
    if (after === undefined) this.#noteEnd(before, false);
    else if (after.subject.uid !== before.subject.uid) this.#noteEnd(before);
    else if (after.hasEnded) this.#noteEnd({ ...after, hasEnded: before.hasEnded });
  }

  /** @param isEnd false: the pod runs on, and is followed no longer */
  #noteEnd(watched: WatchedPod, isEnd = true): void {
    const { hasStarted, hasEnded, startedAtMs } = watched;
    const milliseconds = Math.max(this.#events.now() - startedAtMs, 0);
    if (hasStarted && !hasEnded) this.#events.onLife?.(watched, milliseconds, isEnd);
  }

  get(key: string): WatchedPod | undefined {
    return this.#pods.get(key);
  }

  keys(): Iterable<string> {
    return this.#pods.keys();
  }

  size(): number {
    return this.#pods.size;
  }

  *values(): Iterable<WatchedPod> {
    for (const watched of this.#pods.values()) if (watched) yield watched;
  }
}

/** Whether two states of a pod mean the same: most changes of a pod concern its status alone. */
function isSame(a: WatchedPod | undefined, b: WatchedPod | undefined): boolean {
  if (!a || !b) return a === b;
  return (
    a.content === b.content &&
    a.deleting === b.deleting &&
    a.hasStarted === b.hasStarted &&
    a.hasEnded === b.hasEnded &&
    a.isGated === b.isGated &&
    a.waitsUntilMs === b.waitsUntilMs &&
    a.subject.uid === b.subject.uid &&
    a.pointsTo.join() === b.pointsTo.join()
  );
}
