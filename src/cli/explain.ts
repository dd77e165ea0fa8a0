/** `imc explain`: shows the decision for the pods of a manifest, and why, without creating them. */
import { loadConfig } from '../config/load.ts';
import { READY, describePhase } from '../core/image-cache.ts';
import { parseImageReference } from '../core/image/reference.ts';
import type { Decision } from '../core/decision/decide.ts';
import { explanationOf, type Explanation } from '../core/decision/explanation.ts';
import { surveyCandidates } from '../core/decision/match/matcher.ts';
import type { WorkloadPod } from '../core/workload/pods.ts';
import type { Config } from '../config/config.ts';
import type { View } from '../core/decision/view.ts';
import type { LearnedCache } from '../core/truth/survey.ts';
import { readGroundTruth } from '../runtime/ground-truth.ts';
import { decideOffline, loadIndex } from '../runtime/offline.ts';
import { CONFIG_FLAG, requireSource, type Command, type Io } from './command.ts';
import { chosenFormat } from './flag-values.ts';
import { FILENAME_FLAG, NAMESPACE_FLAG, readManifests } from './manifests.ts';
import { formatExplanation, type ExplainedPin, type PodExplanation } from './explain-table.ts';

/** How many usable candidates, and how many unusable ones, to show at most. */
const SURVEYED = 20;
/** Caches that pods alone show, at most. */
const MOST_LEARNED = 5;

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
    const { pods, failed } = await readManifests('explain', flags, io);
    const now = Date.now();
    const onProblem = (problem: string): unknown => io.err.write(`imc explain: source: ${problem}\n`);
    const index = await loadIndex(config, onProblem, () => now);
    const readLearned = remembered((namespace: string) => learnedIn(namespace, config));
    for (const pod of pods) {
      const namespace = flags.one('namespace') ?? pod.namespace ?? 'default';
      // oxlint-disable-next-line no-await-in-loop -- the pods of a namespace are read once
      const learned = await readLearned(namespace);
      io.out.write(format(explainPod(pod, namespace, index, learned, config, now), io, now));
    }
    return failed ? 1 : 0;
  },
};

/** What pods of a namespace show of caches. Who may read caches need not be allowed to read pods and Events. */
async function learnedIn(namespace: string, config: Config): Promise<readonly LearnedCache[]> {
  const { caches } = await readGroundTruth(config, namespace, () => undefined);
  return caches;
}

function remembered<T>(read: (key: string) => Promise<T>): (key: string) => Promise<T> {
  const known = new Map<string, Promise<T>>();
  return (key) => {
    const reading = known.get(key) ?? read(key);
    known.set(key, reading);
    return reading;
  };
}

function explainPod(
  { title, pod }: WorkloadPod,
  namespace: string,
  view: View,
  learned: readonly LearnedCache[],
  config: Config,
  now: number,
): PodExplanation {
  const { decision, patch } = decideOffline(pod, namespace, view, config, now);
  const survey = decision.match && surveyCandidates(decision.match, view, SURVEYED);
  const explanation = explanationOf(decision, survey);
  return {
    workload: title,
    namespace,
    ...explanation,
    pinned: pinnedIn(decision, view),
    completeInRegion: completeInRegion(explanation),
    knownFromPods: sharing(explanation.images, learned, view),
    patch,
  };
}

function pinnedIn({ request }: Decision, view: View): ExplainedPin | null {
  const id = request?.pin;
  const cache = id === undefined ? undefined : view.cacheById(id);
  if (!cache || id === undefined) return null;
  const { knownFrom, images } = cache;
  return { id, phase: describePhase(cache), knownFrom, images: images.map(({ key }) => key) };
}

/** The ID of a cache that the API alone knows, that holds all images, and that the decision leaves alone. */
function completeInRegion({ outcome, images, candidates }: Explanation): string | null {
  if (outcome !== 'partial' && outcome !== 'miss') return null;
  const complete = candidates.find(
    ({ knownFrom, phase, degree }) =>
      knownFrom === 'api' && phase === READY && degree.exact === images.length,
  );
  return complete?.id ?? null;
}

/** The learned caches that hold one of the images, and that the index does not know. */
function sharing(images: readonly string[], learned: readonly LearnedCache[], view: View): LearnedCache[] {
  const wanted = new Set(images);
  return learned
    .filter(({ id, images: held }) => {
      const holds = held.some((image) => wanted.has(parseImageReference(image)?.key ?? ''));
      return holds && view.cacheById(id) === undefined;
    })
    .slice(0, MOST_LEARNED);
}
