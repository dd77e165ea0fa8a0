/**
 * `imc explain`: shows the decision for the pods of a manifest or of a workload of the cluster, and why, without creating
 * them; and for the pods that a workload has, what was decided then and what ECI did.
 */
import { loadConfig } from '../config/load.ts';
import type { Config } from '../config/config.ts';
import { newestFirst, recordOf, type PodRecord } from '../core/truth/pod-record.ts';
import type { LearnedCache } from '../core/truth/survey.ts';
import type { WorkloadPod } from '../core/workload/pods.ts';
import { readGroundTruth } from '../runtime/ground-truth.ts';
import { loadIndex } from '../runtime/offline.ts';
import { readNamed } from '../runtime/workload-pods.ts';
import { CONFIG_FLAG, UsageError, withSource, type Command, type Flags, type Io } from './command.ts';
import { formatPods } from './existing-pods.ts';
import { explainPod, type PodExplanation } from './explained-pod.ts';
import { formatExplanation } from './explain-table.ts';
import { chosenFormat } from './flag-values.ts';
import { FILENAME_FLAG, NAMESPACE_FLAG, readManifests } from './manifests.ts';
import { objectFormats } from './output.ts';
import { showAndWatch, WATCH_FLAG } from './watching.ts';

/** A workload of the source, or all pods of the files. */
interface Explained {
  readonly explanations: readonly PodExplanation[];
  /** The pods that it has, the newest first; undefined for a file. */
  readonly existing: readonly PodRecord[] | undefined;
}

type Format = (explained: Explained, colour: boolean, now: number) => string;

const FORMATS: ReadonlyMap<string, Format> = new Map<string, Format>([
  ['table', (explained, colour, now) => formatTable(explained, colour, false, now)],
  ['wide', (explained, colour, now) => formatTable(explained, colour, true, now)],
  ...objectFormats<Explained>(({ explanations, existing }) => [
    ...explanations,
    ...(existing ? [{ pods: existing }] : []),
  ]),
]);

export const explain: Command = {
  name: 'explain',
  summary:
    'Show what the webhook would decide for a pod or a workload, and why; and what became of its pods.',
  usage:
    'imc explain TYPE/NAME… | -f POD.yaml|- [--source kubernetes|files:DIR] [-n NAMESPACE] [--config FILE] [-o FORMAT] [--watch]',
  takesNames: true,
  flags: [
    FILENAME_FLAG,
    NAMESPACE_FLAG,
    {
      name: 'output',
      short: 'o',
      value: 'table|wide|json|yaml',
      help: 'wide: with the reasons of all pods; json: one object a pod, one a line, and with a name the pods it has; or yaml. Default table.',
    },
    WATCH_FLAG,
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
    const config = withSource(loadConfig(flags.one('config'), flags.settings));
    if (flags.names.length > 0 && flags.all('filename').length > 0)
      throw new UsageError('give names, or files with -f, not both');
    if (flags.isOn('watch') && flags.names.length === 0)
      throw new UsageError('--watch needs names, not files');
    return showAndWatch(io, flags.isOn('watch'), async () => {
      const now = Date.now();
      const { all, failed } =
        flags.names.length > 0
          ? { all: await explainNamed(flags, config, io, now), failed: false }
          : await explainFiles(flags, config, io, now);
      const text = all.map((each) => format(each, io.hasColours, now)).join('');
      return { text, code: failed ? 1 : 0 };
    });
  },
};

async function explainFiles(
  flags: Flags,
  config: Config,
  io: Io,
  now: number,
): Promise<{ readonly all: readonly Explained[]; readonly failed: boolean }> {
  const { pods, failed } = await readManifests('explain', flags, io);
  const explainer = await Explainer.open(config, io, now);
  const asked = flags.one('namespace');
  const explanations = await explainer.explain(pods, (pod) => asked ?? pod.namespace ?? 'default');
  return { all: [{ explanations, existing: undefined }], failed };
}

/** @throws Error that names what is not found, and what may be given */
async function explainNamed(flags: Flags, config: Config, io: Io, now: number): Promise<Explained[]> {
  const named = await readNamed(config, flags.names, flags.one('namespace'));
  const explainer = await Explainer.open(config, io, now);
  const all: Explained[] = [];
  for (const { namespace, templates, pods } of named) {
    // oxlint-disable-next-line no-await-in-loop -- the pods of a namespace are read once
    const explanations = await explainer.explain(templates, () => namespace);
    all.push({ explanations, existing: pods.map(recordOf).toSorted(newestFirst) });
  }
  return all;
}

/** Reads the source once, and explains any number of pods. */
class Explainer {
  readonly #config: Config;
  readonly #now: number;
  readonly #index: Awaited<ReturnType<typeof loadIndex>>;
  /** What pods of a namespace show of caches. */
  readonly #learned = new Map<string, Promise<readonly LearnedCache[]>>();

  private constructor(config: Config, now: number, index: Awaited<ReturnType<typeof loadIndex>>) {
    this.#config = config;
    this.#now = now;
    this.#index = index;
  }

  static async open(config: Config, io: Io, now: number): Promise<Explainer> {
    const onProblem = (problem: string): unknown => io.err.write(`imc explain: source: ${problem}\n`);
    return new Explainer(config, now, await loadIndex(config, onProblem, () => now));
  }

  async explain(
    pods: readonly WorkloadPod[],
    namespaceOf: (pod: WorkloadPod) => string,
  ): Promise<PodExplanation[]> {
    const explanations: PodExplanation[] = [];
    for (const pod of pods) {
      const namespace = namespaceOf(pod);
      // oxlint-disable-next-line no-await-in-loop -- the pods of a namespace are read once
      const learned = await this.#learnedIn(namespace);
      explanations.push(explainPod(pod, namespace, this.#index, learned, this.#config, this.#now));
    }
    return explanations;
  }

  /** Who may read caches need not be allowed to read pods and Events. */
  #learnedIn(namespace: string): Promise<readonly LearnedCache[]> {
    const known = this.#learned.get(namespace);
    if (known) return known;
    const reading = readGroundTruth(this.#config, namespace, () => undefined).then(({ caches }) => caches);
    this.#learned.set(namespace, reading);
    return reading;
  }
}

function formatTable(
  { explanations, existing }: Explained,
  colour: boolean,
  isWide: boolean,
  now: number,
): string {
  const explained = explanations.map((each) => formatExplanation(each, colour, now)).join('');
  return existing ? `${explained}${formatPods(existing, isWide, now)}` : explained;
}
