/**
 * Owns what the controller sees of the cluster beyond the index: the pods with the marker, the pods that have not
 * started yet (they may point to a cache; and a marker that came with a binding is no label), and the ImageCaches that
 * it made. And the calls by which it makes and deletes those.
 */
import { setMaxListeners } from 'node:events';
import { CREATE_ON_MISS, MADE_BY } from '../../core/annotation/keys.ts';
import { messageOf } from '../../core/error-message.ts';
import type { JsonObject } from '../../core/json.ts';
import { oldestOf } from '../../core/oldest.ts';
import type { OwnCache } from '../../core/provision/own-cache.ts';
import { readWatchedPod, type WatchedPod } from '../../core/provision/watched-pod.ts';
import { IMAGE_CACHE } from '../kinds/image-cache.ts';
import { manifestOf } from '../kinds/manifest.ts';
import { readOwnCache } from '../kinds/own-cache.ts';
import type { KindStatus } from '../source.ts';
import { ApiError, CALL_TIMEOUT, type ApiClient } from './api-client.ts';
import { IMAGE_CACHES, imageCachePath } from './image-caches.ts';
import { EventRecorder } from './event-recorder.ts';
import { Reflector, timingFor, type ReflectorEvents, type Resource, type Store } from './reflector.ts';

const MARKED_PODS: Resource = {
  kind: 'marked Pod',
  paths: ['/api/v1/pods'],
  labelSelector: CREATE_ON_MISS,
  mayBeAbsent: false,
};
const PENDING_PODS: Resource = {
  kind: 'pending Pod',
  paths: ['/api/v1/pods'],
  fieldSelector: 'status.phase=Pending',
  mayBeAbsent: false,
};
const OWN_CACHES: Resource = {
  kind: 'own ImageCache',
  paths: [IMAGE_CACHES],
  labelSelector: `${MADE_BY.label}=${MADE_BY.controller}`,
  mayBeAbsent: true,
};

export interface ProvisionEvents extends Pick<ReflectorEvents, 'onFailure' | 'onStep'> {
  /** Something that a plan depends on is not what it was. */
  readonly onChange: () => void;
}

export class ProvisionSource {
  readonly #api: ApiClient;
  readonly #stopping = new AbortController();
  readonly #marked: Table<WatchedPod>;
  readonly #pending: Table<WatchedPod>;
  readonly #own: Table<OwnCache>;
  readonly #reflectors: readonly Reflector[];
  readonly #recorder: EventRecorder;
  readonly #synced = Promise.withResolvers<void>();
  #running: Promise<unknown> = Promise.resolve();

  /**
   * @param maxStaleness milliseconds for which what was confirmed is true without further word
   * @param now milliseconds since 1970
   */
  constructor(api: ApiClient, events: ProvisionEvents, maxStaleness: number, now: () => number) {
    this.#api = api;
    setMaxListeners(0, this.#stopping.signal);
    this.#recorder = new EventRecorder(
      api,
      'imagecache-controller',
      this.#stopping.signal,
      events.onFailure,
      now,
    );
    const onUnreadable = (what: string, error: unknown): void =>
      events.onFailure(`${what} cannot be read and is passed over: ${messageOf(error)}`);
    this.#marked = new Table(readWatchedPod, events.onChange, onUnreadable);
    this.#pending = new Table(readWatchedPod, events.onChange, onUnreadable);
    this.#own = new Table(
      (object) => readOwnCache(manifestOf(IMAGE_CACHE, object)),
      events.onChange,
      onUnreadable,
    );
    const tables: [Resource, Store][] = [
      [MARKED_PODS, this.#marked],
      [PENDING_PODS, this.#pending],
      [OWN_CACHES, this.#own],
    ];
    this.#reflectors = tables.map(
      ([resource, store]) =>
        new Reflector(
          resource,
          api,
          store,
          timingFor(maxStaleness),
          { onFailure: events.onFailure, onStep: events.onStep, onConfirmed: () => this.#confirm() },
          now,
        ),
    );
  }

  /** @returns once everything is here */
  start(): Promise<void> {
    const { signal } = this.#stopping;
    this.#running = Promise.all(this.#reflectors.map((reflector) => reflector.run(signal)));
    return this.#synced.promise;
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  /** Pods with the marker, each once. */
  markedPods(): Iterable<WatchedPod> {
    const pods = new Map(this.#marked.entries());
    for (const [key, watched] of this.#pending.entries())
      if (watched.pod.annotations.has(CREATE_ON_MISS)) pods.set(key, watched);
    return pods.values();
  }

  pendingPods(): Iterable<WatchedPod> {
    return this.#pending.values();
  }

  ownCaches(): readonly OwnCache[] {
    return [...this.#own.values()];
  }

  /** The oldest word on any of them, in milliseconds since 1970; undefined before the first of each. */
  confirmedAt(): number | undefined {
    return oldestOf(this.#reflectors.map(({ confirmedAt }) => confirmedAt));
  }

  problems(): readonly string[] {
    return this.#reflectors.flatMap(({ problem }) => problem ?? []);
  }

  status(): readonly KindStatus[] {
    const sizes = [this.#marked.size(), this.#pending.size(), this.#own.size()];
    return this.#reflectors.map(({ resource: { kind }, state, confirmedAt }, i) => ({
      kind,
      state,
      objects: sizes[i] ?? 0,
      confirmedAt,
    }));
  }

  /** @throws ApiError; Error where there is no answer */
  async create(object: JsonObject): Promise<'created' | 'exists' | { readonly refused: string }> {
    try {
      await this.#api.json({
        path: IMAGE_CACHES,
        method: 'POST',
        body: object,
        timeout: CALL_TIMEOUT,
        signal: this.#stopping.signal,
      });
      return 'created';
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.status === 409) return 'exists';
      if (error.status === 400 || error.status === 422) return { refused: error.message };
      throw error;
    }
  }

  /** The very object; another of the same name is left alone. @returns false where it is gone already */
  async delete({ name, uid }: Pick<OwnCache, 'name' | 'uid'>): Promise<boolean> {
    try {
      await this.#api.json({
        path: imageCachePath(name),
        method: 'DELETE',
        body: { preconditions: { uid } },
        timeout: CALL_TIMEOUT,
        signal: this.#stopping.signal,
      });
      return true;
    } catch (error) {
      if (error instanceof ApiError && [404, 409].includes(error.status)) return false;
      throw error;
    }
  }

  tell(
    pod: { readonly namespace: string; readonly name: string; readonly uid: string },
    type: 'Normal' | 'Warning',
    reason: string,
    message: string,
  ): void {
    this.#recorder.record({ apiVersion: 'v1', kind: 'Pod', ...pod }, type, reason, message);
  }

  #confirm(): void {
    if (this.confirmedAt() !== undefined) this.#synced.resolve();
  }
}

/** Objects as they were read, by key. One that cannot be read is passed over. */
class Table<T> implements Store {
  readonly #items = new Map<string, T | undefined>();
  readonly #read: (object: JsonObject) => T;
  readonly #onChange: () => void;
  readonly #onUnreadable: (what: string, error: unknown) => void;

  constructor(
    read: (object: JsonObject) => T,
    onChange: () => void,
    onUnreadable: (what: string, error: unknown) => void,
  ) {
    this.#read = read;
    this.#onChange = onChange;
    this.#onUnreadable = onUnreadable;
  }

  apply(key: string, object: JsonObject): void {
    try {
      this.#items.set(key, this.#read(object));
    } catch (error) {
      if (!this.#items.has(key)) this.#onUnreadable(key, error);
      this.#items.set(key, undefined);
    }
    this.#onChange();
  }

  delete(key: string): void {
    this.#items.delete(key);
    this.#onChange();
  }

  keys(): Iterable<string> {
    return this.#items.keys();
  }

  size(): number {
    return this.#items.size;
  }

  *entries(): Iterable<[string, T]> {
    for (const [key, item] of this.#items) if (item !== undefined) yield [key, item];
  }

  *values(): Iterable<T> {
    for (const [, item] of this.entries()) yield item;
  }
}
