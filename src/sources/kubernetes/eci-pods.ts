/**
 * The pods that the controller follows: those without a node, and those on virtual nodes, with one watch for each
 * virtual node. So it sees every pod of ECI, marked or not, and no pod of a normal node.
 */
import type { Clock } from '../../clock.ts';
import { Digests } from '../../core/controller/digests.ts';
import { Lives } from '../../core/controller/lives.ts';
import type { OwnCache } from '../../core/controller/own-cache.ts';
import { Uses, type UsageById } from '../../core/controller/uses.ts';
import type { PodLives } from '../../core/decision/pod-life.ts';
import type { JsonObject } from '../../core/kubernetes/json.ts';
import type { WatchedPod } from '../../core/controller/watched-pod.ts';
import type { Resource, Store } from './list-all.ts';
import { PodContents, PodStore, type PodStoreEvents } from './pod-store.ts';
import type { ReflectedKind } from './reflectors.ts';

const PODS = { paths: ['/api/v1/pods'], mayBeAbsent: false };
const UNBOUND: Resource = { ...PODS, kind: 'Pod without a node', fieldSelector: 'spec.nodeName=' };

/** Virtual nodes that are followed; a cluster has one for each zone. */
const MOST_NODES = 500;
/** IDs whose uses are remembered until they are taken. */
const MOST_USES = 10_000;
/** Milliseconds for which a pod counts after the watch of unbound pods has lost it: its node's watch may be later. */
const BINDING_TAKES = 90_000;
/** Pods between these two watches that are remembered. */
const MOST_BINDING = 10_000;

interface FollowedNode extends ReflectedKind {
  readonly store: PodStore;
  readonly stop: AbortController;
}

export interface EciPodsEvents {
  readonly onChange: () => void;
  readonly onFailure: (message: string) => void;
  /** ECI has placed a pod. */
  readonly onPlaced: (pod: JsonObject) => void;
}

export class EciPods {
  readonly #contents: PodContents;
  readonly #reflect: (resource: Resource, store: Store) => ReflectedKind;
  readonly #run: (kind: ReflectedKind, signal?: AbortSignal) => void;
  readonly #events: EciPodsEvents;
  readonly #clock: Clock;
  readonly #unbound: PodStore;
  readonly #unboundKind: ReflectedKind;
  readonly #nodes = new Map<string, FollowedNode>();
  readonly #uses = new Uses(MOST_USES);
  readonly #lives = new Lives();
  /** Undefined if nobody asks which tags have moved. */
  readonly #digests: Digests | undefined;
  /** By uid: pods that were unbound a moment ago, and until when they count. */
  readonly #binding = new Map<string, { readonly watched: WatchedPod; readonly untilMs: number }>();
  #isOverLimit = false;

  /**
   * @param reflect makes a reflector for a store
   * @param run starts a reflector, until the signal
   * @param hasDigests whether to remember which digests pods show
   */
  constructor(
    reflect: (resource: Resource, store: Store) => ReflectedKind,
    run: (kind: ReflectedKind, signal?: AbortSignal) => void,
    events: EciPodsEvents,
    clock: Clock,
    hasDigests = false,
  ) {
    if (hasDigests) this.#digests = new Digests();
    this.#reflect = reflect;
    this.#run = run;
    this.#events = events;
    this.#clock = clock;
    this.#contents = new PodContents((what) => events.onFailure(what));
    this.#unbound = this.#storeWith({ onGone: (watched, key) => this.#noteBinding(watched, key) });
    this.#unboundKind = reflect(UNBOUND, this.#unbound);
  }

  #storeWith(events: Pick<PodStoreEvents, 'onNew' | 'onGone' | 'onLife' | 'onPlaced' | 'onPod'>): PodStore {
    return new PodStore(this.#contents, {
      ...events,
      onChange: this.#events.onChange,
      now: () => this.#clock.now(),
    });
  }

  start(): void {
    this.#run(this.#unboundKind);
  }

  /** Follows the pods of these virtual nodes, and of no others. */
  followNodes(names: ReadonlySet<string>): void {
    for (const [name, { stop, store }] of this.#nodes) {
      if (names.has(name)) continue;
      this.#nodes.delete(name);
      stop.abort();
      store.clear();
    }
    for (const name of names) {
      if (this.#nodes.has(name)) continue;
      if (this.#nodes.size >= MOST_NODES) break;
      const store = this.#storeWith({
        onNew: (watched) => this.#noteUse(watched),
        onPlaced: this.#events.onPlaced,
        ...(this.#digests && { onPod: (pod) => this.#digests?.note(pod) }),
        onLife: (...life) => this.#lives.add(...life, this.#clock.now()),
      });
      const { reflector } = this.#reflect(
        { ...PODS, kind: `Pod on ${name}`, fieldSelector: `spec.nodeName=${name}` },
        store,
      );
      const node = { reflector, store, stop: new AbortController() };
      this.#nodes.set(name, node);
      this.#run(node, node.stop.signal);
    }
    const isOverLimit = names.size > MOST_NODES;
    if (isOverLimit && !this.#isOverLimit)
      this.#events.onFailure(
        `the cluster has ${names.size} virtual nodes, more than ${MOST_NODES}: the controller does nothing`,
      );
    this.#isOverLimit = isOverLimit;
  }

  /** Whether the pods of all virtual nodes are followed; if not, it is not known which caches are needed. */
  get isComplete(): boolean {
    return !this.#isOverLimit;
  }

  *pods(): Iterable<WatchedPod> {
    yield* this.#unbound.values();
    for (const { store } of this.#nodes.values()) yield* store.values();
    const now = this.#clock.now();
    for (const [uid, { watched, untilMs }] of this.#binding) {
      if (untilMs > now) yield watched;
      else this.#binding.delete(uid);
    }
  }

  lives(now: number, published: PodLives): PodLives {
    return this.#lives.expected(this.pods(), published, now);
  }

  moved(cache: OwnCache): readonly string[] {
    return this.#digests?.moved(cache) ?? [];
  }

  takeUses(): UsageById {
    return this.#uses.take();
  }

  kinds(): readonly ReflectedKind[] {
    return [this.#unboundKind, ...this.#nodes.values()];
  }

  #noteUse(watched: WatchedPod): void {
    this.#binding.delete(watched.subject.uid);
    this.#uses.add(watched);
  }

  #noteBinding(watched: WatchedPod, key: string): void {
    const { uid } = watched.subject;
    // The two watches are not in step: that of the node may have it already.
    for (const { store } of this.#nodes.values()) if (store.get(key)?.subject.uid === uid) return;
    if (watched.pointsTo.length === 0 || watched.deleting || this.#binding.size >= MOST_BINDING) return;
    // Only what it points to counts meanwhile.
    const held = { ...watched, content: undefined };
    this.#binding.set(uid, { watched: held, untilMs: this.#clock.now() + BINDING_TAKES });
  }
}
