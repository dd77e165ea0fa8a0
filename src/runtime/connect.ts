/** Connects each part of the program to a cluster, or to a folder of manifests. */
import type { Clock } from '../clock.ts';
import type { Config } from '../config/config.ts';
import type { Cluster } from '../controller/cluster.ts';
import type { JsonObject } from '../core/kubernetes/json.ts';
import { objectReference } from '../core/kubernetes/object.ts';
import type { PodEvent } from '../core/simulation/pod-start.ts';
import type { ClusterIndex } from '../index/cluster-index.ts';
import { FilesCluster } from '../sources/files/files-cluster.ts';
import { FilesSource } from '../sources/files/files-source.ts';
import { ObjectFolder } from '../sources/files/object-folder.ts';
import { FolderImageCaches } from '../sources/files/image-cache-files.ts';
import type { ControllerEvents } from '../sources/kubernetes/connect.ts';
import type { Aftermath } from '../sources/kubernetes/history.ts';
import type { WebhookSourceOptions } from '../sources/kubernetes/webhook-source.ts';
import type { KindStatus, Source, SourceEvents } from '../sources/source.ts';
import type { FindUnboundPod } from '../webhook/answer.ts';

// The functions below import the Kubernetes client only if they need it, because the import takes longer than all other
// work of `imc explain`.

const FILES = 'files:';

/** The folder of the source `files:DIR`; undefined if the source is a cluster. */
export function folderOf({ source }: Pick<Config, 'source'>): string | undefined {
  return source.startsWith(FILES) ? source.slice(FILES.length) : undefined;
}

export type SourceConfig = Pick<
  Config,
  'source' | 'kubeconfig' | 'kubeContext' | 'createOnMiss' | 'controller' | 'waitForCache'
> &
  Omit<WebhookSourceOptions, 'podLives' | 'controllerLease' | 'gatedPods'>;

/** `namespace/name` of the ConfigMap with the lives of pods, which has the name of the Lease; undefined if nobody needs them. */
function podLivesIn({
  createOnMiss,
  controller,
}: Pick<Config, 'createOnMiss' | 'controller'>): string | undefined {
  return createOnMiss.by === 'auto' ? controller.lease : undefined;
}

export interface ConnectedSource {
  readonly source: Source;
  /** Undefined if the source does not follow pods. */
  readonly findUnboundPod: FindUnboundPod | undefined;
}

/**
 * Connects the source that fills the index of the webhook.
 * @param patchOf lets a pod go that waits for its cache; without it, no pods are let go
 * @throws if no cluster is configured
 */
export async function connectSource(
  config: SourceConfig,
  index: ClusterIndex,
  events: SourceEvents,
  clock: Clock,
  patchOf?: (pod: JsonObject) => JsonObject | undefined,
): Promise<ConnectedSource> {
  const folder = folderOf(config);
  if (folder !== undefined)
    return { source: new FilesSource(folder, index, events, clock), findUnboundPod: undefined };
  const { connectWebhookSource } = await import('../sources/kubernetes/connect.ts');
  const { waitForCache, controller } = config;
  const options = {
    ...config,
    podLives: podLivesIn(config),
    controllerLease: waitForCache === 'allow' && patchOf ? controller.lease : undefined,
    gatedPods:
      waitForCache !== 'never' && patchOf ? { isDraining: waitForCache === 'drain', patchOf } : undefined,
  };
  const source = connectWebhookSource(config.kubeconfig, config.kubeContext, index, events, options, clock);
  const pods = source.unboundPods;
  return { source, findUnboundPod: pods && ((pod) => pods.find(pod)) };
}

export interface ConnectedController {
  /** Fills the index. */
  readonly source: Source;
  readonly cluster: Cluster & {
    readonly start: () => Promise<void>;
    readonly stop: () => Promise<void>;
    readonly problems: () => readonly string[];
    readonly status: () => readonly KindStatus[];
  };
  /** Calls `onLead` whenever this replica leads, until the signal. */
  readonly election: { readonly run: (signal: AbortSignal) => Promise<void> };
}

/**
 * Connects the controller's source, cluster and leader election.
 * @param identity of this replica; no two replicas have the same
 * @throws if no cluster is configured
 */
export async function connectController(
  config: Config,
  identity: string,
  index: ClusterIndex,
  events: ControllerEvents,
  clock: Clock,
): Promise<ConnectedController> {
  const folder = folderOf(config);
  if (folder === undefined) {
    const { connectControllerSources } = await import('../sources/kubernetes/connect.ts');
    const options = { ...config, podLives: podLivesIn(config) };
    return connectControllerSources(options, identity, index, events, clock);
  }
  const { onProblem, onStep, onChange, onPlaced, onLead } = events;
  return {
    source: new FilesSource(folder, index, { onProblem, onProgress: onStep, onChange }, clock),
    cluster: new FilesCluster(folder, { onProblem, onChange, onPlaced }, clock),
    // A folder has one controller, which always leads.
    election: { run: onLead },
  };
}

/** What ECI reads and writes in a cluster, for `imc status` and the simulator. */
export interface ImageCacheObjects {
  /** All ImageCaches, as they are now. @throws if they cannot be read */
  caches(): Promise<readonly JsonObject[]>;
  setStatus(object: JsonObject, status: JsonObject): Promise<void>;
  delete(object: JsonObject): Promise<void>;
  /** All nodes, and all pods. @throws if they cannot be read */
  nodesAndPods(): Promise<{ readonly nodes: readonly JsonObject[]; readonly pods: readonly JsonObject[] }>;
  annotatePod(pod: JsonObject, annotations: Readonly<Record<string, string>>): Promise<void>;
  /** Does nothing if Events have no place in the source. */
  recordEvent(pod: JsonObject, event: PodEvent): Promise<void>;
}

/**
 * @param signal ends the requests under way
 * @throws if the configuration leads to no source
 */
export async function connectImageCaches(
  config: Config,
  signal = new AbortController().signal,
): Promise<ImageCacheObjects> {
  const folder = folderOf(config);
  if (folder !== undefined) return new FolderImageCaches(folder);
  const { connectImageCacheObjects } = await import('../sources/kubernetes/connect.ts');
  return connectImageCacheObjects(config.kubeconfig, config.kubeContext, signal);
}

/**
 * The pods, Jobs and ReplicaSets of the source, as objects, for `imc replay` and `imc verify`.
 * @throws if they cannot be read
 */
export async function readHistory(config: Config): Promise<readonly JsonObject[]> {
  const folder = folderOf(config);
  if (folder !== undefined) return new ObjectFolder(folder).contents();
  const { readClusterHistory } = await import('../sources/kubernetes/connect.ts');
  return readClusterHistory(config.kubeconfig, config.kubeContext);
}

/**
 * The pods of the source, and what became of them. What may not be read is empty, and a problem.
 * @param namespace of the pods; undefined: all
 */
export async function readAftermath(config: Config, namespace?: string): Promise<Aftermath> {
  const folder = folderOf(config);
  if (folder === undefined) {
    const { readClusterAftermath } = await import('../sources/kubernetes/connect.ts');
    const { webhookConfiguration } = config.tls.managed;
    return readClusterAftermath(config.kubeconfig, config.kubeContext, namespace, webhookConfiguration);
  }
  const objects = await new ObjectFolder(folder).contents();
  const inNamespace = (object: JsonObject): boolean =>
    namespace === undefined || objectReference(object, '', '').namespace === namespace;
  const ofKind = (kind: string): JsonObject[] =>
    objects.filter((object) => object['kind'] === kind && inNamespace(object));
  return { pods: ofKind('Pod'), events: ofKind('Event'), configuration: undefined, problems: [] };
}
