/** Owns the decision without a server: an index filled once, and the pods of manifests in a text. */
import { podsOf, type WorkloadPod } from '../core/workload.ts';
import { ClusterIndex } from '../index/cluster-index.ts';
import { formatProblem, readDocuments, toProblem } from '../sources/files/documents.ts';
import { buildSource } from './build-source.ts';

/**
 * Reads a source once.
 * @param onProblem told of each object or file that cannot be read
 * @param now milliseconds since 1970
 */
export async function loadIndex(
  sourceName: string,
  onProblem: (problem: string) => void,
  now: () => number,
): Promise<ClusterIndex> {
  const index = new ClusterIndex();
  const source = buildSource(sourceName, index, { onProblem, onChange: () => undefined }, now);
  await source.start();
  await source.stop();
  return index;
}

export interface PodsInText {
  readonly pods: readonly WorkloadPod[];
  readonly problems: readonly string[];
}

/** @param file the name to use in problems */
export function readPods(file: string, text: string): PodsInText {
  const { documents, syntaxErrors } = readDocuments(file, text);
  const pods: WorkloadPod[] = [];
  const problems = syntaxErrors.map(formatProblem);
  for (const document of documents) {
    try {
      pods.push(...podsOf(document.value));
    } catch (error) {
      problems.push(formatProblem(toProblem(file, document, error)));
    }
  }
  return { pods, problems };
}
