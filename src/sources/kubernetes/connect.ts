/** Owns how what needs a cluster comes to it. */
import type { ClusterIndex } from '../../index/cluster-index.ts';
import type { SourceEvents } from '../source.ts';
import { ApiClient } from './api-client.ts';
import { loadKubeConfig } from './kube-config.ts';
import { KubernetesSource, type KubernetesOptions } from './kubernetes-source.ts';
import { LeaderElection } from './lease.ts';
import { ProvisionSource } from './provision-source.ts';
import type { ReflectorEvents } from './reflector.ts';
import { KubernetesPodTrials } from './pod-trial.ts';
import { KubernetesBackend } from './kubernetes-backend.ts';
import { KubernetesTrustApi, type TrustApiOptions } from './trust-api.ts';
import { KubernetesUseApi } from './use-api.ts';

/**
 * @param kubeconfig path; empty for the usual places
 * @param context name of a context in it; empty for its current one
 * @param now milliseconds since 1970
 * @throws where that leads to no cluster
 */
export function connect(
  kubeconfig: string,
  context: string,
  index: ClusterIndex,
  events: SourceEvents,
  options: KubernetesOptions,
  now: () => number,
): KubernetesSource {
  const api = clientFor(kubeconfig, context);
  return new KubernetesSource(api, index, events, options, now);
}

/** As `connect`, to the objects that the webhook's own CA is kept in. */
export function connectTrust(
  kubeconfig: string,
  context: string,
  options: TrustApiOptions,
  events: Pick<ReflectorEvents, 'onFailure' | 'onStep'>,
  now: () => number,
): KubernetesTrustApi {
  return new KubernetesTrustApi(clientFor(kubeconfig, context), options, events, now);
}

/** Everything of the cluster that the controller has to do with. */
export interface ControllerConnection {
  readonly source: KubernetesSource;
  readonly cluster: ProvisionSource;
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
  readonly maxStaleness: number;
  readonly prewarm: boolean;
  /** `namespace/name` of the Lease, and how long it is good, in milliseconds. */
  readonly controller: { readonly lease: string; readonly leaseDuration: number };
}

/** @param identity of this replica; no two have the same */
export function connectController(
  { kubeconfig, kubeContext, maxStaleness, prewarm, controller }: ControllerOptions,
  identity: string,
  index: ClusterIndex,
  events: ControllerEvents,
  now: () => number,
): ControllerConnection {
  const api = clientFor(kubeconfig, kubeContext);
  const { onProblem, onStep, onChange, onLead } = events;
  const source = new KubernetesSource(
    api,
    index,
    { onProblem, onProgress: onStep, onChange },
    { maxStaleness, bindTime: false, recordEvents: false },
    now,
  );
  const telling = { onFailure: onProblem, onStep, onChange };
  const cluster = new ProvisionSource(api, telling, { maxStaleness, prewarm }, now);
  const [namespace = '', name = ''] = controller.lease.split('/');
  const lease = { namespace, name, identity, duration: controller.leaseDuration };
  const election = new LeaderElection(api, lease, { onLead, onStep, onFailure: onProblem });
  return { source, cluster, election };
}

/** As `connect`, to the ImageCaches whose use is recorded. @param signal ends what is under way */
export function connectUses(kubeconfig: string, context: string, signal: AbortSignal): KubernetesUseApi {
  return new KubernetesUseApi(clientFor(kubeconfig, context), signal);
}

/** As `connect`, to create pods as dry runs. */
export function connectPodTrials(kubeconfig: string, context: string): KubernetesPodTrials {
  return new KubernetesPodTrials(clientFor(kubeconfig, context));
}

/** As `connect`, to the ImageCaches that somebody plays ECI for. @param signal ends what is under way */
export function connectBackend(kubeconfig: string, context: string, signal: AbortSignal): KubernetesBackend {
  return new KubernetesBackend(clientFor(kubeconfig, context), signal);
}

function clientFor(kubeconfig: string, context: string): ApiClient {
  return new ApiClient(() => loadKubeConfig(kubeconfig, context));
}
