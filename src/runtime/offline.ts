/** Decides without a server: fills an index once, and reads pods from manifests. */
import { SYSTEM_CLOCK } from '../clock.ts';
import type { Config } from '../config/config.ts';
import { podsOf, type WorkloadPod } from '../core/workload/pods.ts';
import { ClusterIndex } from '../index/cluster-index.ts';
import { formatProblem, readDocuments, toProblem } from '../sources/files/documents.ts';
import type { Source } from '../sources/source.ts';
import { decideOnJson, type Decision } from '../core/decision/decide.ts';
import type { DecisionOptions } from '../core/decision/options.ts';
import type { View } from '../core/decision/view.ts';
import { patchFor, type Operation } from '../webhook/json-patch.ts';
import { connectSource } from './connect.ts';
import { connectRegion } from './region.ts';

export type { Operation };

/**
 * Reads a source once.
 * @param onProblem called for each object or file that cannot be read
 * @param now milliseconds since 1970
 * @throws if the source cannot be read
 */
export async function loadIndex(
  config: Config,
  onProblem: (problem: string) => void,
  now: () => number,
): Promise<ClusterIndex> {
  const index = new ClusterIndex();
  // One look cannot tell whether its Lease is renewed.
  index.controllerLease.assume();
  const failed = Promise.withResolvers<never>();
  let source: Source | undefined;
  const events = {
    // If the source is retrying, a server waits, but a command fails with the problem.
    onProblem: (problem: string): void => {
      if (source?.status().some(({ state }) => state === 'retrying')) failed.reject(new Error(problem));
      else onProblem(problem);
    },
    onProgress: ignore,
    onChange: ignore,
  };
  ({ source } = await connectSource({ ...config, bindTime: false, recordEvents: false }, index, events, {
    ...SYSTEM_CLOCK,
    now,
  }));
  try {
    await Promise.race([source.start(), failed.promise]);
  } finally {
    await source.stop();
  }
  if (config.region.api) await readRegion(config, index, onProblem);
  return index;
}

/** What the API says is a help and no need: a command goes on without it. */
async function readRegion(
  config: Config,
  index: ClusterIndex,
  onProblem: (problem: string) => void,
): Promise<void> {
  const events = { onProblem, onProgress: ignore, onChange: ignore, onPoll: ignore };
  const region = connectRegion(config, index, events, SYSTEM_CLOCK);
  await region.start();
  await region.stop();
}

function ignore(): void {
  // A command that reads a source once reports problems only.
}

/** @param namespace of the pod, which wins over the one in its manifest */
export function decideOffline(
  pod: unknown,
  namespace: string,
  view: View,
  options: DecisionOptions,
  nowMs: number,
): { readonly decision: Decision; readonly patch: readonly Operation[] } {
  const { seen, decision } = decideOnJson(pod, namespace, view, options, nowMs);
  return { decision, patch: patchFor(seen, decision) };
}

export interface PodsInText {
  readonly pods: readonly WorkloadPod[];
  readonly problems: readonly string[];
}

/** @param file the name that problems mention */
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
