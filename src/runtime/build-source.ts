/** Owns the choice of a source by its name in the configuration. */
import type { Config } from '../config/config.ts';
import type { ClusterIndex } from '../index/cluster-index.ts';
import { FilesSource } from '../sources/files/files-source.ts';
import type { KubernetesOptions } from '../sources/kubernetes/kubernetes-source.ts';
import type { FoundPod, PodIdentity } from '../sources/kubernetes/unbound-pods.ts';
import type { Source, SourceEvents } from '../sources/source.ts';

export type SourceConfig = Pick<Config, 'source' | 'kubeconfig' | 'kubeContext'> & KubernetesOptions;

export interface BuiltSource {
  readonly source: Source;
  /** Finds a pod that is being bound; undefined where the source follows none. */
  readonly findUnboundPod: ((pod: PodIdentity) => Promise<FoundPod>) | undefined;
}

const FILES = 'files:';

/** The folder that a source is; undefined where it is none. */
export function folderOf({ source }: Pick<Config, 'source'>): string | undefined {
  return source.startsWith(FILES) ? source.slice(FILES.length) : undefined;
}

/**
 * @param now milliseconds since 1970
 * @throws where the configuration leads to no cluster
 */
export async function buildSource(
  config: SourceConfig,
  index: ClusterIndex,
  events: SourceEvents,
  now: () => number,
): Promise<BuiltSource> {
  const folder = folderOf(config);
  if (folder !== undefined)
    return { source: new FilesSource(folder, index, events, now), findUnboundPod: undefined };
  // Loaded where it is used: the Kubernetes client takes longer to load than `imc explain` takes for everything else.
  const { connect } = await import('../sources/kubernetes/connect.ts');
  const source = connect(config.kubeconfig, config.kubeContext, index, events, config, now);
  const pods = source.unboundPods;
  return { source, findUnboundPod: pods && ((pod) => pods.find(pod)) };
}
