/** Builds every component that talks to the API server. */
import type { Clock } from '../../clock.ts';
import type { JsonObject } from '../../core/kubernetes/json.ts';
import type { ClusterIndex } from '../../index/cluster-index.ts';
import type { SourceEvents } from '../source.ts';
import { ApiClient } from './api-client.ts';
import { listAftermath, listHistory, type Aftermath } from './history.ts';
import { liftAll, type LiftAllOptions } from './lift-all.ts';
import { ApiQuestions } from './api-questions.ts';
import { ClusterWorkloads } from './cluster-workloads.ts';
import { loadKubeConfig } from './kube-config.ts';
import { WebhookSource, type WebhookSourceOptions } from './webhook-source.ts';
import { LeaderElection } from './lease.ts';
import { ControllerSource } from './controller-source.ts';
import type { ReflectorEvents } from './reflector.ts';
import type { TruthEvents } from './truth-source.ts';
import { KubernetesPodDryRuns } from './pod-dry-run.ts';
import { ClusterImageCaches } from './image-cache-objects.ts';
import { KubernetesCaBundleApi, type CaBundleApiOptions } from './ca-bundle-api.ts';

/**
 * The source of the webhook's index.
 * @param kubeconfig path; empty for the usual places
 * @param context name of a context in the kubeconfig; empty for its current context
 * @throws if no cluster is configured
 */
export function connectWebhookSource(
  kubeconfig: string,
  context: string,
  index: ClusterIndex,
  events: SourceEvents,
  options: WebhookSourceOptions,
  clock: Clock,
): WebhookSource {
  const api = clientFor(kubeconfig, context);
  return new WebhookSource(api, index, events, options, clock);
}

/** The objects that hold the webhook's own CA. @throws if no cluster is configured */
export function connectCaBundle(
  kubeconfig: string,
  context: string,
  options: CaBundleApiOptions,
  events: Pick<ReflectorEvents, 'onFailure' | 'onStep'>,
  clock: Clock,
): KubernetesCaBundleApi {
  return new KubernetesCaBundleApi(clientFor(kubeconfig, context), options, events, clock);
}

export interface ControllerEvents extends TruthEvents {
  /** ECI has placed a pod that was there before. */
  readonly onPlaced: (pod: JsonObject) => void;
  readonly onProblem: (problem: string) => void;
  readonly onStep: (message: string) => void;
  readonly onChange: () => void;
  /** @param signal aborted when this replica no longer leads */
  readonly onLead: (signal: AbortSignal) => Promise<void>;
}

export interface ControllerOptions {
  readonly kubeconfig: string;
  readonly kubeContext: string;
  readonly maxStalenessMs: number;
  readonly prewarm: boolean;
  /** `namespace/name` of the ConfigMap with the lives of pods; undefined: the controller publishes none. */
  readonly podLives: string | undefined;
  readonly tls: { readonly managed: { readonly webhookConfiguration: string } };
  /** `namespace/name` of the Lease, and for how many milliseconds it is valid. */
  readonly controller: {
    readonly lease: string;
    readonly leaseDurationMs: number;
    readonly refresh: 'never' | 'digest';
  };
}

/** @param identity of this replica; no two replicas have the same */
export function connectControllerSources(
  { kubeconfig, kubeContext, maxStalenessMs, prewarm, podLives, tls, controller }: ControllerOptions,
  identity: string,
  index: ClusterIndex,
  events: ControllerEvents,
  clock: Clock,
): {
  readonly source: WebhookSource;
  readonly cluster: ControllerSource;
  readonly election: LeaderElection;
} {
  const api = clientFor(kubeconfig, kubeContext);
  const { onProblem, onStep, onChange, onLead } = events;
  const source = new WebhookSource(
    api,
    index,
    {
      onProblem,
      onProgress: onStep,
      onChange: () => {
        cluster.followNodes(index.nodes.virtualNodes);
        onChange();
      },
    },
    {
      maxStalenessMs,
      bindTime: false,
      podLives,
      controllerLease: undefined,
      gatedPods: undefined,
      recordEvents: false,
    },
    clock,
  );
  const { webhookConfiguration } = tls.managed;
  const hasDigests = controller.refresh === 'digest';
  const options = { maxStalenessMs, prewarm, podLives, hasDigests, webhookConfiguration };
  const cluster = new ControllerSource(api, { ...events, onFailure: onProblem }, options, clock);
  const [namespace = '', name = ''] = controller.lease.split('/');
  const lease = { namespace, name, identity, durationMs: controller.leaseDurationMs };
  // A client of its own, so that no other request is in the way of the renewal.
  const forElection = clientFor(kubeconfig, kubeContext);
  const election = new LeaderElection(forElection, lease, { onLead, onStep, onFailure: onProblem }, clock);
  return { source, cluster, election };
}

/** What `imc check` asks. @param signal ends the requests under way */
export function connectApiQuestions(kubeconfig: string, context: string, signal: AbortSignal): ApiQuestions {
  return new ApiQuestions(clientFor(kubeconfig, context), signal);
}

/** Creates pods as dry runs. */
export function connectPodDryRuns(kubeconfig: string, context: string): KubernetesPodDryRuns {
  return new KubernetesPodDryRuns(clientFor(kubeconfig, context));
}

/** The ImageCaches for the simulator. @param signal ends the requests under way */
export function connectImageCacheObjects(
  kubeconfig: string,
  context: string,
  signal: AbortSignal,
): ClusterImageCaches {
  return new ClusterImageCaches(clientFor(kubeconfig, context), signal);
}

/** Lets all pods go that wait for their cache. @throws if the API server refuses, or does not answer */
export function liftAllGates(
  kubeconfig: string,
  context: string,
  options: LiftAllOptions,
  signal: AbortSignal,
): Promise<void> {
  return liftAll(clientFor(kubeconfig, context), options, signal);
}

/** Lists what the cluster knows of its pods. @throws if it cannot be read */
export function readClusterHistory(kubeconfig: string, context: string): Promise<JsonObject[]> {
  return listHistory(clientFor(kubeconfig, context), new AbortController().signal);
}

/** Reads pods, and what became of them. @param namespace of the pods; undefined: all */
export function readClusterAftermath(
  kubeconfig: string,
  context: string,
  namespace: string | undefined,
  webhookConfiguration: string,
): Promise<Aftermath> {
  const { signal } = new AbortController();
  return listAftermath(clientFor(kubeconfig, context), namespace, webhookConfiguration, signal);
}

/** Workloads and their pods, for a command that looks and ends. */
export function connectClusterWorkloads(kubeconfig: string, context: string): ClusterWorkloads {
  const config = loadKubeConfig(kubeconfig, context);
  const { namespace } = config.getContextObject(config.getCurrentContext()) ?? {};
  return new ClusterWorkloads(clientFor(kubeconfig, context), namespace);
}

function clientFor(kubeconfig: string, context: string): ApiClient {
  return new ApiClient(() => loadKubeConfig(kubeconfig, context));
}
