/** Owns the choice of a source by its name in the configuration. */
import type { ClusterIndex } from '../index/cluster-index.ts';
import { FilesSource } from '../sources/files/files-source.ts';
import type { Source, SourceEvents } from '../sources/source.ts';

const FILES = 'files:';

/**
 * @param name `files:DIR`, as configured
 * @param now milliseconds since 1970
 */
export function buildSource(
  name: string,
  index: ClusterIndex,
  events: SourceEvents,
  now: () => number,
): Source {
  if (name.startsWith(FILES)) return new FilesSource(name.slice(FILES.length), index, events, now);
  throw new Error(`there is no source ${JSON.stringify(name)}`);
}
