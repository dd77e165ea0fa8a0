/** Owns what the controller has to do with, by the name of its source: a cluster, or a folder of manifests. */
import type { Config } from '../config/config.ts';
import type { ClusterIndex } from '../index/cluster-index.ts';
import type { Cluster } from '../provisioner/provisioner.ts';
import { FilesCluster } from '../sources/files/files-cluster.ts';
import { FilesSource } from '../sources/files/files-source.ts';
import type { ControllerEvents } from '../sources/kubernetes/connect.ts';
import type { KindStatus, Source } from '../sources/source.ts';
import { folderOf } from './build-source.ts';

export interface ControllerConnection {
  /** Fills the index. */
  readonly source: Source;
  readonly cluster: Cluster & {
    readonly start: () => Promise<void>;
    readonly stop: () => Promise<void>;
    readonly problems: () => readonly string[];
    readonly status: () => readonly KindStatus[];
  };
  /** Until the signal, whenever this replica is the one that acts. */
  readonly election: { readonly run: (signal: AbortSignal) => Promise<void> };
}

/**
 * @param identity of this replica; no two have the same
 * @param now milliseconds since 1970
 * @throws where the configuration leads to no cluster
 */
export async function connectController(
  config: Config,
  identity: string,
  index: ClusterIndex,
  events: ControllerEvents,
  now: () => number,
): Promise<ControllerConnection> {
  const path = folderOf(config);
  if (path === undefined) {
    const { connectController: connect } = await import('../sources/kubernetes/connect.ts');
    return connect(config, identity, index, events, now);
  }
  const { onProblem, onStep, onChange, onLead } = events;
  return {
    source: new FilesSource(path, index, { onProblem, onProgress: onStep, onChange }, now),
    cluster: new FilesCluster(path, { onProblem, onChange }, now),
    // There is nobody else.
    election: { run: onLead },
  };
}
