/** Owns how what needs a cluster comes to it. */
import type { ClusterIndex } from '../../index/cluster-index.ts';
import type { SourceEvents } from '../source.ts';
import { ApiClient } from './api-client.ts';
import { loadKubeConfig } from './kube-config.ts';
import { KubernetesSource, type KubernetesOptions } from './kubernetes-source.ts';
import type { ReflectorEvents } from './reflector.ts';
import { KubernetesTrustApi, type TrustApiOptions } from './trust-api.ts';

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
  const api = new ApiClient(() => loadKubeConfig(kubeconfig, context));
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
  return new KubernetesTrustApi(
    new ApiClient(() => loadKubeConfig(kubeconfig, context)),
    options,
    events,
    now,
  );
}
