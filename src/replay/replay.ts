/**
 * Replays a trace: each pod gets the decision of the webhook, the running controller makes and retires ImageCaches, and ECI
 * is played, all under a virtual clock.
 */
import { CREATE_ON_MISS, ECI_LABELS } from '../core/annotations.ts';
import { readWatchedPod, watchedPod, type WatchedPod } from '../core/controller/watched-pod.ts';
import type { WatchedWorkload } from '../core/controller/watched-workload.ts';
import { decide, type Decision } from '../core/decision/decide.ts';
import { parseImageReference, type ImageReference } from '../core/image/reference.ts';
import type { ImageCache } from '../core/image-cache.ts';
import { GIB } from '../core/kubernetes/quantity.ts';
import { partOf, type JsonObject } from '../core/kubernetes/json.ts';
import { DAY } from '../core/kubernetes/time.ts';
import { readPod, type Pod } from '../core/pod.ts';
import { ClusterIndex } from '../index/cluster-index.ts';
import { Reconciler, type ReconcilerOptions } from '../controller/reconciler.ts';
import { Account, type Outcome, type ReplayPrices } from './account.ts';
import { EciRegion } from './eci-region.ts';
import { compressedBytes, imagesOf, type ImageOptions } from './images.ts';
import { ReplayCluster } from './replay-cluster.ts';
import type { Trace, TracePod } from './trace.ts';
import { VirtualClock } from './virtual-clock.ts';

/** What is the same for all policies. */
export interface World extends ImageOptions {
  readonly prices: ReplayPrices;
  /** Milliseconds that ECI needs to make a cache. */
  readonly creationTime: number;
  /** Compressed bytes of images that a pod pulls in a second. */
  readonly bytesPerSecond: number;
  /** Milliseconds by which a template changes before its first pod, for pre-warming; undefined: it is not seen before. */
  readonly templatesAhead: number | undefined;
  /** Whether the nodes of the cluster report the sizes of the images. */
  readonly knownSizes: boolean;
}

/** All pods of one key with the same images and namespace. */
interface Template {
  readonly object: JsonObject;
  /** The pod in the template of the workload: without what injectors add, and without a node. */
  readonly ofWorkload: JsonObject;
  readonly pod: Pod;
  readonly references: readonly ImageReference[];
  /** Compressed bytes by key. */
  readonly sizes: ReadonlyMap<string, number>;
  /** What the controller keeps of the pods, by the annotations that they were given. */
  readonly watched: Map<string, WatchedPod>;
}

const NODE = 'virtual-kubelet-replay';
/** When the trace begins; any time will do. */
const BEGINNING = Date.parse('2026-01-01T00:00:00Z');
/** Milliseconds from the creation of a pod until its first container starts if it pulls nothing. */
const START_TAKES = 10_000;

/** @returns the same outcome for the same arguments */
export async function replay(trace: Trace, policy: ReconcilerOptions, world: World): Promise<Outcome> {
  const running = new Replay(policy, world);
  return running.run(trace);
}

class Replay {
  readonly #policy: ReconcilerOptions;
  readonly #world: World;
  readonly #index = new ClusterIndex();
  readonly #clock: VirtualClock;
  readonly #cluster: ReplayCluster;
  readonly #eci: EciRegion;
  readonly #account: Account;
  readonly #reconciler: Reconciler;
  readonly #templates = new Map<string, Template>();
  readonly #sizes = new Map<string, number>();
  #mostKept = 0;
  #packs = 0;

  constructor(policy: ReconcilerOptions, world: World) {
    this.#policy = policy;
    this.#world = world;
    this.#clock = new VirtualClock(BEGINNING, (now) => this.#index.confirm(now));
    this.#eci = new EciRegion(this.#index, world.creationTime);
    this.#account = new Account(world.prices, world.creationTime / 1000, world.bytesPerSecond);
    const life = { creationTime: world.creationTime, failing: [] };
    this.#cluster = new ReplayCluster(this.#index, this.#clock, life, {
      onChange: () => this.#reconciler.wake(),
      onGone: (cache) => this.#countCache(cache),
    });
    this.#reconciler = new Reconciler(
      this.#cluster,
      this.#index,
      // A virtual clock is never set, and no word of it gets lost.
      { ...policy, longestRest: Infinity },
      {
        onCreated: () => this.#noteKept(),
        onRefresh: ignore,
        onMerge: () => {
          this.#noteKept();
          this.#packs += 1;
        },
        onMarked: ignore,
        onUnmarked: ignore,
        onDeleted: ignore,
        onReady: ignore,
        onFailed: ignore,
        onRefused: ignore,
        onWaitEnded: ignore,
        onProblem: (problem) => {
          throw new Error(problem);
        },
      },
      this.#clock,
    );
    this.#setNode();
  }

  async run({ pods, end }: Trace): Promise<Outcome> {
    const stopping = new AbortController();
    const controller =
      this.#policy.decision.createOnMiss.by !== 'eci' ? this.#reconciler.run(stopping.signal) : undefined;
    this.#planTemplates(pods);
    for (const [i, pod] of pods.entries()) {
      // oxlint-disable-next-line no-await-in-loop -- one thing happens after the other
      await this.#clock.moveTo(BEGINNING + pod.created * 1000);
      this.#admit(pod, `pod-${i}`, end);
    }
    await this.#clock.moveTo(BEGINNING + end * 1000);
    stopping.abort();
    await controller;
    for (const cache of this.#cluster.imageCaches()) this.#countCache(cache);
    return this.#account.outcome({
      mostKept: this.#mostKept,
      packs: this.#packs,
      automaticMade: this.#eci.made,
    });
  }

  #admit(traced: TracePod, name: string, end: number): void {
    const now = this.#clock.now();
    const template = this.#templateOf(traced);
    const decision = decide(template.pod, this.#index, this.#policy.decision, now);
    const life = (traced.deleted ?? end) - traced.created;
    const start = this.#eci.start(decision.pod.annotations, template.references, now);
    const size = { cpu: traced.cpu, memoryGib: traced.memoryGib };
    const pulling = this.#account.pod({ size, start, images: template.sizes, life });
    const watched = { ...watchedAs(decision, template, name, now), size };
    if (watched.pointsTo.length === 0 && decision.createOnMiss === undefined) return;
    this.#cluster.setPod(name, watched);
    const starts = START_TAKES + pulling * 1000;
    this.#clock.after(starts, () => this.#cluster.setPod(name, { ...watched, hasStarted: true }));
    // Later than a day, neither the miss nor the use of the pod counts any more.
    const followed = Math.min(life * 1000, DAY);
    this.#clock.after(Math.max(followed, starts + 1), () =>
      this.#cluster.deletePod(name, followed, life * 1000 <= DAY && traced.deleted !== undefined),
    );
    if (decision.createOnMiss !== undefined) this.#reconciler.wake();
  }

  /** Lets each template change before the first pod of its new version. */
  #planTemplates(pods: readonly TracePod[]): void {
    const { templatesAhead } = this.#world;
    if (templatesAhead === undefined) return;
    const current = new Map<string, Template>();
    for (const pod of pods) {
      const template = this.#templateOf(pod);
      if (current.get(pod.key) === template) continue;
      current.set(pod.key, template);
      const after = Math.max(pod.created * 1000 - templatesAhead, 0);
      this.#clock.after(after, () =>
        this.#cluster.setWorkload(pod.key, workloadOf(pod.key, template, this.#clock.now())),
      );
    }
  }

  #templateOf(traced: TracePod): Template {
    const { namespace } = traced;
    const images = imagesOf(traced, this.#world);
    const key = JSON.stringify([traced.key, namespace, images]);
    const known = this.#templates.get(key);
    if (known) return known;
    const ofTemplate = traced.images ? images : images.slice(0, 1);
    const object = podObject(traced.key, namespace, images);
    const references = images.map((image) => parseImageReference(image)).filter((each) => each !== undefined);
    const distinct = new Map(references.map((each) => [each.key, each]));
    const sizes = new Map(
      [...distinct.keys()].map((each) => [each, compressedBytes(each, this.#world.seed)]),
    );
    const template = {
      object,
      ofWorkload: podObject(traced.key, namespace, ofTemplate),
      pod: readPod(object, namespace),
      references: [...distinct.values()],
      sizes,
      watched: new Map<string, WatchedPod>(),
    };
    this.#templates.set(key, template);
    for (const [image, bytes] of sizes) this.#sizes.set(image, bytes);
    this.#setNode();
    return template;
  }

  #setNode(): void {
    const imageSizes = new Map(this.#world.knownSizes ? this.#sizes : []);
    this.#index.nodes.apply({ name: NODE, labels: new Map([['type', 'virtual-kubelet']]), imageSizes });
  }

  #noteKept(): void {
    this.#mostKept = Math.max(this.#mostKept, this.#cluster.ownCaches().length);
  }

  #countCache({ images, sizeBytes, createdAtMs }: ImageCache): void {
    const imageBytes = images.reduce((sum, { key }) => sum + (this.#sizes.get(key) ?? 0), 0);
    const alive = (this.#clock.now() - createdAtMs) / 1000;
    this.#account.cache({ sizeGib: sizeBytes / GIB, imageBytes, alive });
  }
}

function podObject(key: string, namespace: string, images: readonly string[]): JsonObject {
  return {
    metadata: { namespace, labels: { [ECI_LABELS[0]!]: 'true', app: key } },
    spec: { nodeName: NODE, containers: images.map((image, i) => ({ name: `c${i}`, image })) },
  };
}

function workloadOf(key: string, { ofWorkload, pod }: Template, now: number): WatchedWorkload {
  const { namespace } = pod;
  const subject = { apiVersion: 'apps/v1', kind: 'Deployment', namespace, name: key, uid: key };
  const { nodeName: _, ...spec } = partOf(ofWorkload, 'spec');
  const watched = watchedPod({ ...ofWorkload, spec }, namespace, subject, {
    createdAtMs: now,
    deleting: false,
  });
  return {
    groupKind: 'apps/Deployment',
    subject,
    labels: new Map(),
    changedAtMs: now,
    pods: [{ watched, account: 'default' }],
  };
}

/** The pod as the controller sees it. Pods that were given the same annotations share their content. */
function watchedAs(decision: Decision, { object, watched }: Template, name: string, now: number): WatchedPod {
  const annotations = Object.fromEntries(decision.pod.annotations);
  const key = JSON.stringify(annotations);
  const labels = Object.fromEntries(decision.pod.labels);
  const read =
    watched.get(key) ??
    readWatchedPod({ ...object, metadata: { ...partOf(object, 'metadata'), annotations, labels } });
  watched.set(key, read);
  const isMarked = annotations[CREATE_ON_MISS] !== undefined;
  return {
    ...read,
    content: isMarked ? read.content : undefined,
    subject: { ...read.subject, name, uid: name },
    createdAtMs: now,
    startedAtMs: now,
  };
}

/** For what a replay does not count. */
function ignore(): void {
  // Nothing to do.
}
