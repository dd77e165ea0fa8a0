/** `imc explain`: shows the decision for the pods of a manifest, and why, without creating them. */
import { loadConfig } from '../config/load.ts';
import { explanationOf } from '../core/decision/explanation.ts';
import { surveyCandidates } from '../core/decision/match/matcher.ts';
import { WORKLOAD_KINDS, type WorkloadPod } from '../core/kubernetes/workload.ts';
import type { Config } from '../config/config.ts';
import type { View } from '../core/decision/view.ts';
import { decideOffline, loadIndex, readPods } from '../runtime/offline.ts';
import { CONFIG_FLAG, requireSource, UsageError, type Command, type Flags, type Io } from './command.ts';
import { chosenFormat, readTextFile } from './flag-values.ts';
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
    {
      name: 'filename',
      short: 'f',
      value: 'FILE',
      many: true,
      help: `YAML or JSON with any number of pods or workloads (${WORKLOAD_KINDS.join(', ')}); - is standard input.`,
    },
    {
      name: 'namespace',
      short: 'n',
      value: 'NAME',
      help: 'Namespace of the pods, instead of the one in the manifest.',
    },
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
    const { pods, failed } = await readManifests(flags, io);
    const now = Date.now();
    const onProblem = (problem: string): unknown => io.err.write(`imc explain: source: ${problem}\n`);
    const index = await loadIndex(config, onProblem, () => now);
    for (const pod of pods)
      io.out.write(format(explainPod(pod, flags.one('namespace'), index, config, now), io, now));
    return failed ? 1 : 0;
  },
};

async function readManifests(flags: Flags, io: Io): Promise<{ pods: WorkloadPod[]; failed: boolean }> {
  const files = flags.all('filename');
  if (files.length === 0) throw new UsageError('no manifest: give -f FILE, or -f - for standard input');
  const pods: WorkloadPod[] = [];
  let failed = false;
  for (const file of files) {
    // oxlint-disable-next-line no-await-in-loop -- standard input can be read only once
    const text = file === '-' ? await io.readInput() : readTextFile(file);
    const read = readPods(file === '-' ? 'standard input' : file, text);
    pods.push(...read.pods);
    for (const problem of read.problems) io.err.write(`imc explain: ${problem}\n`);
    failed ||= read.problems.length > 0;
  }
  if (pods.length === 0 && !failed) {
    throw new Error(`no pod in ${files.join(', ')}; a manifest may hold any of ${WORKLOAD_KINDS.join(', ')}`);
  }
  return { pods, failed };
}

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
