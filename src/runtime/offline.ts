/** Owns the decision without a server: an index filled once, and the pods of manifests in a text. */
import { setTimeout as sleep } from 'node:timers/promises';
import { podsOf, type WorkloadPod } from '../core/workload.ts';
import { ClusterIndex } from '../index/cluster-index.ts';
import { formatProblem, readDocuments, toProblem } from '../sources/files/documents.ts';
import { buildSource, type SourceConfig } from './build-source.ts';

/** Milliseconds: for a large cluster, and for the patience of whoever waits. */
const LOAD_WITHIN = 60_000;

/**
 * Reads a source once.
 * @param onProblem told of each object or file that cannot be read
 * @param now milliseconds since 1970
 */
export async function loadIndex(
  config: SourceConfig,
  onProblem: (problem: string) => void,
  now: () => number,
): Promise<ClusterIndex> {
  const index = new ClusterIndex();
  const events = { onProblem, onProgress: ignore, onChange: ignore };
  const { source } = await buildSource({ ...config, bindTime: false }, index, events, now);
  const giveUp = new AbortController();
  try {
    await Promise.race([source.start(), refuseAfter(LOAD_WITHIN, giveUp.signal)]);
  } finally {
    giveUp.abort();
    await source.stop();
  }
  return index;
}

function ignore(): void {
  // Who reads a source once wants to hear of problems alone.
}

async function refuseAfter(milliseconds: number, signal: AbortSignal): Promise<void> {
  await sleep(milliseconds, undefined, { signal, ref: false }).catch(() => undefined);
  if (!signal.aborted) throw new Error(`the source could not be read within ${milliseconds / 1000} s`);
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
