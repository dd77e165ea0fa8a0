/** Owns how what needs a cluster comes to it. */
import type { Clock } from '../../clock.ts';
import type { ClusterIndex } from '../../index/cluster-index.ts';
import type { SourceEvents } from '../source.ts';
import { ApiClient } from './api-client.ts';
import { loadKubeConfig } from './kube-config.ts';
import { WebhookSource, type WebhookSourceOptions } from './webhook-source.ts';
import { LeaderElection } from './lease.ts';
import { ControllerSource } from './controller-source.ts';
import type { ReflectorEvents } from './reflector.ts';
import { KubernetesPodTrials } from './pod-trial.ts';
import { ClusterImageCaches } from './image-cache-objects.ts';
import { KubernetesCaBundleApi, type CaBundleApiOptions } from './ca-bundle-api.ts';
import { KubernetesUsageApi } from './usage-api.ts';

/**
 * @param kubeconfig path; empty for the usual places
 * @param context name of a context in it; empty for its current one
 * @throws where that leads to no cluster
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

/** As `connect`, to the objects that the webhook's own CA is kept in. */
export function connectCaBundle(
  kubeconfig: string,
  context: string,
  options: CaBundleApiOptions,
  events: Pick<ReflectorEvents, 'onFailure' | 'onStep'>,
  clock: Clock,
): KubernetesCaBundleApi {
  return new KubernetesCaBundleApi(clientFor(kubeconfig, context), options, events, clock);
}

/** Everything of the cluster that the controller has to do with. */
export interface ControllerConnection {
  readonly source: WebhookSource;
  readonly cluster: ControllerSource;
  readonly election: LeaderElection;
}

export interface ControllerEvents {
  readonly onProblem: (problem: string) => void;
  readonly onStep: (message: string) => void;
  readonly onChange: () => void;
  /** @param signal ends when this replica no longer leads */
  readonly onLead: (signal: AbortSignal) => Promise<void>;
}

export interface ControllerOptions {
  readonly kubeconfig: string;
  readonly kubeContext: string;
  readonly maxStalenessMs: number;
  readonly prewarm: boolean;
  /** `namespace/name` of the Lease, and how long it is good, in milliseconds. */
  readonly controller: { readonly lease: string; readonly leaseDurationMs: number };
}

/** @param identity of this replica; no two have the same */
export function connectControllerSources(
  { kubeconfig, kubeContext, maxStalenessMs, prewarm, controller }: ControllerOptions,
  identity: string,
  index: ClusterIndex,
  events: ControllerEvents,
  clock: Clock,
): ControllerConnection {
  const api = clientFor(kubeconfig, kubeContext);
  const { onProblem, onStep, onChange, onLead } = events;
  const source = new WebhookSource(
    api,
    index,
    { onProblem, onProgress: onStep, onChange },
    { maxStalenessMs, bindTime: false, recordEvents: false },
    clock,
  );
  const telling = { onFailure: onProblem, onStep, onChange };
  const cluster = new ControllerSource(api, telling, { maxStalenessMs, prewarm }, clock);
  const [namespace = '', name = ''] = controller.lease.split('/');
  const lease = { namespace, name, identity, durationMs: controller.leaseDurationMs };
  const election = new LeaderElection(api, lease, { onLead, onStep, onFailure: onProblem }, clock);
  return { source, cluster, election };
}

/** As `connect`, to the ImageCaches whose use is recorded. @param signal ends what is under way */
export function connectUsage(kubeconfig: string, context: string, signal: AbortSignal): KubernetesUsageApi {
  return new KubernetesUsageApi(clientFor(kubeconfig, context), signal);
}

/** As `connect`, to create pods as dry runs. */
export function connectPodTrials(kubeconfig: string, context: string): KubernetesPodTrials {
  return new KubernetesPodTrials(clientFor(kubeconfig, context));
}

/** As `connect`, to the ImageCaches that somebody plays ECI for. @param signal ends what is under way */
export function connectImageCacheObjects(
  kubeconfig: string,
  context: string,
  signal: AbortSignal,
): ClusterImageCaches {
  return new ClusterImageCaches(clientFor(kubeconfig, context), signal);
}

function clientFor(kubeconfig: string, context: string): ApiClient {
  return new ApiClient(() => loadKubeConfig(kubeconfig, context));
}
