/**
 * A folder of manifests as the controller's cluster: its pods, its workloads, and the ImageCaches that the controller
 * made, each in a file of its own. A folder has one controller, so there is no leader election.
 */
import type { Clock, Timer } from '../../clock.ts';
import { randomUUID } from 'node:crypto';
import type { Cluster, Written } from '../../controller/cluster.ts';
import type { PodLives } from '../../core/decision/pod-life.ts';
import { isObject, partOf, readText, type JsonObject } from '../../core/kubernetes/json.ts';
import { readGroupKind, withAnnotations, type ObjectReference } from '../../core/kubernetes/object.ts';
import { messageOf } from '../../core/kubernetes/problem.ts';
import { Digests } from '../../core/controller/digests.ts';
import { isOwnCache, type OwnCache } from '../../core/controller/own-cache.ts';
import { Uses, type UsageById } from '../../core/controller/uses.ts';
import { namesOf, readWatchedPod, type WatchedPod } from '../../core/controller/watched-pod.ts';
import { readWatchedWorkload, type WatchedWorkload } from '../../core/controller/watched-workload.ts';
import { isPlaced } from '../../core/truth/pod-truth.ts';
import { workloadKind } from '../../core/workload/kinds.ts';
import { readManifest } from '../kinds/manifest.ts';
import { readOwnCache } from '../kinds/own-cache.ts';
import type { KindStatus } from '../source.ts';
import { ObjectFolder, type StandingObject } from './object-folder.ts';

/** Milliseconds between two polls. */
const POLL_EVERY_MS = 300;

export class FilesCluster implements Cluster {
  readonly #folder: ObjectFolder;
  readonly #onChange: () => void;
  readonly #onProblem: (problem: string) => void;
  readonly #onPlaced: (pod: JsonObject) => void;
  readonly #clock: Clock;
  /** The pods that ECI had not placed when the folder was last read. */
  #unplaced: ReadonlySet<string> = new Set();
  #pods: readonly WatchedPod[] = [];
  /** The pods on nodes whose use is counted already. */
  #counted: ReadonlySet<string> = new Set();
  readonly #digests = new Digests();
  #workloads: readonly WatchedWorkload[] = [];
  /** Names of pull secrets, by `namespace/name` of the ServiceAccount. */
  #accounts: ReadonlyMap<string, readonly string[]> = new Map();
  #own = new Map<string, { readonly cache: OwnCache; readonly standing: StandingObject }>();
  #confirmedAtMs: number | undefined;
  #lastSeen = '';
  #timer: Pick<Timer, 'cancel'> | undefined;
  #polling: Promise<void> = Promise.resolve();

  constructor(
    path: string,
    events: {
      readonly onChange: () => void;
      readonly onProblem: (problem: string) => void;
      /** ECI has placed a pod that was there before. */
      readonly onPlaced: (pod: JsonObject) => void;
    },
    clock: Clock,
  ) {
    this.#folder = new ObjectFolder(path);
    this.#onChange = events.onChange;
    this.#onProblem = events.onProblem;
    this.#onPlaced = events.onPlaced;
    this.#clock = clock;
  }

  /** @throws if the folder cannot be read */
  async start(): Promise<void> {
    await this.#poll();
    this.#timer = this.#clock.every(POLL_EVERY_MS, () => {
      this.#polling = this.#poll().catch((error: unknown) => this.#onProblem(messageOf(error)));
    });
  }

  async stop(): Promise<void> {
    this.#timer?.cancel();
    await this.#polling;
  }

  pods(): Iterable<WatchedPod> {
    return this.#pods;
  }

  /** Counts a pod once, when it is first seen on a node. */
  takeUses(): UsageById {
    const uses = new Uses();
    const onNodes = this.#pods.filter(({ nodeName }) => nodeName !== undefined);
    for (const pod of onNodes) if (!this.#counted.has(nameIn(pod.subject))) uses.add(pod);
    this.#counted = new Set(onNodes.map(({ subject }) => nameIn(subject)));
    return uses.take();
  }

  /** A folder does not say when a pod ended, so nothing is learned from it. */
  lives(_now: number, published: PodLives): PodLives {
    return published;
  }

  /** No pod of a folder waits. */
  patchPod(): Promise<Written> {
    return Promise.resolve('outdated');
  }

  publishLives(): Promise<Written> {
    return Promise.resolve('done');
  }

  workloads(): Iterable<WatchedWorkload> {
    return this.#workloads;
  }

  pullSecretsOf(namespace: string, account: string): readonly string[] {
    return this.#accounts.get(`${namespace}/${account}`) ?? [];
  }

  moved(cache: OwnCache): readonly string[] {
    return this.#digests.moved(cache);
  }

  ownCaches(): readonly OwnCache[] {
    return Array.from(this.#own.values(), ({ cache }) => cache);
  }

  confirmedAtMs(): number | undefined {
    return this.#confirmedAtMs;
  }

  problems(): readonly string[] {
    return [];
  }

  status(): readonly KindStatus[] {
    const kinds = { 'own ImageCache': this.#own.size, Pod: this.#pods.length };
    const confirmedAtMs = this.#confirmedAtMs;
    return Object.entries(kinds).map(([kind, objects]) => ({
      kind,
      objects,
      state: 'watching',
      confirmedAtMs,
    }));
  }

  /** Adds the fields that an API server would add. */
  async create(object: JsonObject): Promise<Written> {
    const metadata = partOf(object, 'metadata');
    const creationTimestamp = new Date(this.#clock.now()).toISOString();
    try {
      await this.#folder.add(String(metadata['name']), {
        ...object,
        metadata: { ...metadata, uid: randomUUID(), creationTimestamp },
      });
      return 'done';
    } catch (error) {
      if (isObject(error) && error['code'] === 'EEXIST') return 'outdated';
      throw error;
    }
  }

  annotate({ name, uid }: OwnCache, changes: Readonly<Record<string, string | null>>): Promise<Written> {
    return this.#replace(name, uid, (object) => withAnnotations(object, changes));
  }

  delete({ name, uid }: OwnCache): Promise<Written> {
    return this.#replace(name, uid, () => undefined);
  }

  async #replace(
    name: string,
    uid: string,
    change: (object: JsonObject) => JsonObject | undefined,
  ): Promise<Written> {
    const held = this.#own.get(name);
    if (held?.cache.uid !== uid) return 'outdated';
    await this.#folder.replace(held.standing, change(held.standing.object));
    await this.#poll();
    return 'done';
  }

  #tellPlaced(pods: readonly JsonObject[]): void {
    for (const pod of pods) if (isPlaced(pod) && this.#unplaced.has(nameOfObject(pod))) this.#onPlaced(pod);
    this.#unplaced = new Set(pods.filter((pod) => !isPlaced(pod)).map(nameOfObject));
  }

  /** Writes nothing, because a folder has no Events; the log says the same. */
  recordEvent(): void {
    // Nothing to do.
  }

  async #poll(): Promise<void> {
    const all = await this.#folder.objects();
    const ofKind = (kind: string): StandingObject[] => all.filter(({ object }) => object['kind'] === kind);
    for (const { object } of ofKind('Pod')) this.#digests.note(object);
    this.#tellPlaced(ofKind('Pod').map(({ object }) => object));
    this.#pods = ofKind('Pod').flatMap(({ object }) => tryTo(() => readWatchedPod(object)));
    this.#workloads = all.flatMap((each) =>
      tryTo(() =>
        workloadKind(readGroupKind(each.object))?.isPrewarmed === true
          ? [readWatchedWorkload(asOfItsFile(each))]
          : [],
      ).flat(),
    );
    this.#accounts = new Map(
      ofKind('ServiceAccount').map(({ object }) => [
        nameOfObject(object),
        namesOf(object['imagePullSecrets']),
      ]),
    );
    const own = ofKind('ImageCache').filter(({ object }) => isOwnCache(object));
    this.#own = new Map(
      own.flatMap((standing) =>
        tryTo(() => readOwnCache(readManifest(standing.object))).map((cache) => [
          cache.name,
          { cache, standing },
        ]),
      ),
    );
    this.#confirmedAtMs = this.#clock.now();
    const seen = JSON.stringify(all.map(({ object }) => object));
    if (seen !== this.#lastSeen) this.#onChange();
    this.#lastSeen = seen;
  }
}

/** The object, created when its file was last written: a manifest does not say when its template changed. */
function asOfItsFile({ object, writtenAt }: StandingObject): JsonObject {
  const creationTimestamp = new Date(writtenAt).toISOString();
  return { ...object, metadata: { ...partOf(object, 'metadata'), creationTimestamp } };
}

function nameIn({ namespace, name }: ObjectReference): string {
  return `${namespace}/${name}`;
}

function nameOfObject(object: JsonObject): string {
  const { namespace, name } = partOf(object, 'metadata');
  return `${readText(namespace) ?? 'default'}/${readText(name) ?? ''}`;
}

function tryTo<T>(read: () => T): T[] {
  try {
    return [read()];
  } catch {
    // The files source reports broken ImageCaches; nobody reports a pod or a workload that cannot be read.
    return [];
  }
}
