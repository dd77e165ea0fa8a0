/** `imc explain`: shows the decision for the pods of a manifest, and why, without creating them. */
import { loadConfig } from '../config/load.ts';
import { explanationOf } from '../core/decision/explanation.ts';
import { surveyCandidates } from '../core/decision/match/matcher.ts';
import type { WorkloadPod } from '../core/kubernetes/workload.ts';
import type { Config } from '../config/config.ts';
import type { View } from '../core/decision/view.ts';
import { decideOffline, loadIndex } from '../runtime/offline.ts';
import { CONFIG_FLAG, requireSource, UsageError, type Command, type Io } from './command.ts';
import { chosenFormat } from './flag-values.ts';
import { FILENAME_FLAG, NAMESPACE_FLAG, readManifests } from './manifests.ts';
import { formatExplanation, type PodExplanation } from './explain-table.ts';

/** How many usable candidates, and how many unusable ones, to show at most. */
const SURVEYED = 20;

type Format = (explanation: PodExplanation, io: Io, now: number) => string;

const FORMATS: ReadonlyMap<string, Format> = new Map<string, Format>([
  ['table', (explanation, io, now) => formatExplanation(explanation, io.out.isTTY === true, now)],
  ['json', (explanation) => `${JSON.stringify(explanation)}\n`],
]);

export const explain: Command = {
  name: 'explain',
  summary: 'Show what the webhook would decide for a pod or a workload, and why.',
  usage:
    'imc explain -f POD.yaml|- [--source kubernetes|files:DIR] [--namespace NAME] [--config FILE] [-o table|json]',
  flags: [
    FILENAME_FLAG,
    NAMESPACE_FLAG,
    {
      name: 'output',
      short: 'o',
      value: 'FORMAT',
      help: 'table, or json: one object a pod, one a line. Default table.',
    },
    CONFIG_FLAG,
  ],
  settings: [
    'source',
    'kubeconfig',
    'kubeContext',
    'scope',
    'bindTime',
    'region.name',
    'region.api',
    'region.endpoint',
    'minimumMatch',
    'expiryMargin',
    'onInvalidAnnotation',
    'pin.notReady',
    'pin.unknown',
    'dialect',
    'pullPolicy',
    'partialHits',
    'imageVolumes',
    'sharing.mode',
    'createOnMiss.when',
    'createOnMiss.by',
  ],
  run: async (flags, io) => {
    const format = chosenFormat(flags, FORMATS);
    const config = loadConfig(flags.one('config'), flags.settings);
    requireSource(config);
    if (flags.all('filename').length === 0)
      throw new UsageError('no manifest: give -f FILE, or -f - for standard input');
    const { pods, failed } = await readManifests('explain', flags, io);
    const now = Date.now();
    const onProblem = (problem: string): unknown => io.err.write(`imc explain: source: ${problem}\n`);
    const index = await loadIndex(config, onProblem, () => now);
    for (const pod of pods)
      io.out.write(format(explainPod(pod, flags.one('namespace'), index, config, now), io, now));
    return failed ? 1 : 0;
  },
};

function explainPod(
  { title, namespace: written, pod }: WorkloadPod,
  asked: string | undefined,
  view: View,
  config: Config,
  now: number,
): PodExplanation {
  const namespace = asked ?? written ?? 'default';
  const { decision, patch } = decideOffline(pod, namespace, view, config, now);
  const survey = decision.match && surveyCandidates(decision.match, view, SURVEYED);
  return { workload: title, namespace, ...explanationOf(decision, survey), patch };
}
