/** What became of the pods of the source, read once: whether predictions were right, how long images took, who was missed. */
import type { Config } from '../config/config.ts';
import type { JsonObject } from '../core/kubernetes/json.ts';
import { truthOf } from '../core/truth/pod-truth.ts';
import { readPull } from '../core/truth/pull.ts';
import { surveyTruths, type TruthSurvey } from '../core/truth/survey.ts';
import { unansweredOf } from '../core/truth/unanswered.ts';
import { warmingOf, type WorkloadWarming } from '../core/truth/warming.ts';
import { readAftermath } from './connect.ts';
import { loadIndex } from './offline.ts';

export interface GroundTruth extends TruthSurvey {
  /** How warm the pods of each workload start, the coldest first. */
  readonly workloads: readonly WorkloadWarming[];
  /** `namespace/name` of pods that no replica of the webhook answered; null if it is not known which pods it is asked about. */
  readonly unanswered: readonly string[] | null;
}

/**
 * @param namespace of the pods; undefined: all. In one namespace, nobody looks for unanswered pods.
 * @param onProblem called for what may not be read
 * @throws if the source cannot be read
 */
export async function readGroundTruth(
  config: Config,
  namespace: string | undefined,
  onProblem: (problem: string) => void,
): Promise<GroundTruth> {
  const { pods, events, configuration, problems } = await readAftermath(config, namespace);
  for (const problem of problems) onProblem(problem);
  const truths = pods.flatMap((pod) => truthOf(pod) ?? []);
  const pulls = events.flatMap((event) => readPull(event) ?? []);
  const unanswered = configuration && (await findUnanswered(config, configuration, pods, onProblem));
  return { ...surveyTruths(truths, pulls), workloads: warmingOf(pods), unanswered: unanswered ?? null };
}

async function findUnanswered(
  config: Config,
  configuration: JsonObject,
  pods: readonly JsonObject[],
  onProblem: (problem: string) => void,
): Promise<string[]> {
  const now = Date.now();
  const index = await loadIndex(config, onProblem, () => now);
  return unansweredOf(pods, configuration, index, config, now);
}
