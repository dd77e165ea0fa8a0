/** Advice on the workloads of manifests, without a server. */
import type { Config } from '../config/config.ts';
import { advise } from '../core/advice/advise.ts';
import type { Finding } from '../core/advice/finding.ts';
import type { View } from '../core/decision/view.ts';
import { isObject, partOf, readText } from '../core/kubernetes/json.ts';
import { readGroupKind } from '../core/kubernetes/object.ts';
import { workloadKind } from '../core/workload/kinds.ts';
import { isOwned } from '../core/workload/owner.ts';
import { workloadTitle } from '../core/workload/pods.ts';
import { ClusterIndex } from '../index/cluster-index.ts';
import { formatProblem, readDocuments, toProblem } from '../sources/files/documents.ts';
import { loadIndex } from './offline.ts';

export interface LocatedFinding extends Finding {
  readonly file: string;
  /** Counted from 1: of the field, or of the closest part above it. */
  readonly line: number;
  /** `Deployment web`. */
  readonly workload: string;
  readonly namespace: string;
}

export interface Advice {
  readonly findings: readonly LocatedFinding[];
  /** How many workloads were looked at. */
  readonly workloads: number;
  /** What cannot be read. */
  readonly problems: readonly string[];
}

/**
 * What advice knows of the cluster. Without a source it knows nothing, and says nothing about caches.
 * @throws if the source cannot be read
 */
export function viewForAdvice(config: Config, onProblem: (problem: string) => void): Promise<View> {
  return config.source === ''
    ? Promise.resolve(new ClusterIndex())
    : loadIndex(config, onProblem, () => Date.now());
}

/**
 * @param file the name that findings mention
 * @param asked the namespace of all workloads; undefined: that of each
 */
export function adviseOnText(
  file: string,
  text: string,
  asked: string | undefined,
  view: View,
  config: Config,
): Advice {
  const { documents, syntaxErrors } = readDocuments(file, text);
  const findings: LocatedFinding[] = [];
  const problems = syntaxErrors.map(formatProblem);
  let workloads = 0;
  for (const document of documents) {
    const { value, lineOf } = document;
    try {
      if (!isObject(value) || !workloadKind(readGroupKind(value))) continue;
      workloads += 1;
      if (isOwned(value)) continue;
      const namespace = asked ?? readText(partOf(value, 'metadata')['namespace']) ?? 'default';
      const workload = workloadTitle(value);
      const found = advise(value, namespace, view, config, Date.now(), Infinity);
      findings.push(
        ...found.map((each) => ({ file, line: lineOf(each.field), workload, namespace, ...each })),
      );
    } catch (error) {
      problems.push(formatProblem(toProblem(file, document, error)));
    }
  }
  return { findings, workloads, problems };
}
