/** Lets all pods go that wait for their cache. What they start from is left to ECI, as no ImageCache is known here. */
import type { Config } from '../config/config.ts';
import { liftPatch } from '../core/decision/lift.ts';
import { ClusterIndex } from '../index/cluster-index.ts';

/**
 * @param webhookConfiguration is deleted first; empty: none
 * @param onLifted called with `namespace/name` of each pod
 * @throws if the API server refuses, or does not answer
 */
export async function liftGates(
  config: Config,
  webhookConfiguration: string,
  onLifted: (key: string) => void,
): Promise<void> {
  const { liftAllGates } = await import('../sources/kubernetes/connect.ts');
  const index = new ClusterIndex();
  await liftAllGates(
    config.kubeconfig,
    config.kubeContext,
    {
      webhookConfiguration,
      patchOf: (pod) => liftPatch(pod, index, config, Date.now()),
      onLifted,
    },
    new AbortController().signal,
  );
}
