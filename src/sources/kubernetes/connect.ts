/** Owns how the `kubernetes` source comes to its cluster. */
import type { ClusterIndex } from '../../index/cluster-index.ts';
import type { SourceEvents } from '../source.ts';
import { ApiClient } from './api-client.ts';
import { loadKubeConfig } from './kube-config.ts';
import { KubernetesSource, type KubernetesOptions } from './kubernetes-source.ts';

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
