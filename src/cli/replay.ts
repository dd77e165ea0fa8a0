/** `imc replay`: what a month of pods would have found, and what it would have cost, under several policies. */
import { loadConfig } from '../config/load.ts';
import { SETTINGS } from '../config/settings.ts';
import { suggestName } from '../config/suggest.ts';
import { AMOUNT, COUNT, DURATION } from '../config/value-type.ts';
import { SNAPSHOT_PRICE } from '../core/decision/break-even.ts';
import type { ReplayPrices } from '../replay/account.ts';
import type { Prices } from '../core/decision/break-even.ts';
import type { World } from '../replay/replay.ts';
import { DEFAULT_SYNTHETIC, syntheticTrace } from '../replay/synthetic-trace.ts';
import { readTrace, type Trace } from '../replay/trace.ts';
import { readTraceOf, replayPolicies, type Policy, type PolicyOutcome } from '../runtime/replay.ts';
import { UsageError, type Command, type Flags, type Io } from './command.ts';
import { chosenFormat, flagValue, readTextFile } from './flag-values.ts';
import { REPORTS } from './replay-report.ts';

const DEFAULTS = { seed: '1', creationTime: '3m', sidecar: 'registry.example/mesh/proxy:1' };
const WITHOUT_LIMITS = 'controller.quota=1000000,controller.tenantCreationsPerHour=1000000';
/** What is compared if nobody names a policy. */
const DEFAULT_POLICIES = [
  'ECI alone: createOnMiss.by=eci',
  'controller without packs: createOnMiss.by=controller,controller.packing=false',
  'controller: createOnMiss.by=controller',
  `controller without limits: createOnMiss.by=controller,${WITHOUT_LIMITS},controller.creationsPerHour=1000000`,
  'auto: createOnMiss.by=auto',
];
const MEGABYTE = 1e6;
const NOT_AT_ONCE = {
  parse: (text: unknown) => DURATION.parse(text) || undefined,
  allowed: `${DURATION.allowed}, above 0`,
};
/** The prices with which the decision counts, too. */
const POD_PRICES = ['diskGibHour', 'vcpuSecond', 'memoryGibSecond'] as const;
const PRICE_NAMES: readonly string[] = [...POD_PRICES, 'snapshotGibMonth'];

export const replay: Command = {
  name: 'replay',
  summary:
    'Replay pod creations, and compare what policies would have made of them: warm starts, caches, money.',
  usage: 'imc replay [--trace FILE.csv | --source kubernetes|files:DIR] [--policy NAME:KEY=VALUE,...]...',
  flags: [
    {
      name: 'trace',
      value: 'FILE',
      help: 'CSV of pod creations: key,created,deleted in seconds, and if known namespace,cpu,memoryGib,images. Without --trace and --source, a synthetic month.',
    },
    {
      name: 'seed',
      value: 'N',
      help: `Of the synthetic trace, the images and their sizes. Default ${DEFAULTS.seed}.`,
    },
    {
      name: 'policy',
      value: 'NAME:KEY=VALUE,...',
      many: true,
      help: 'A name, and the settings (docs/reference.md) that it stands for. May be given more than once. Default: ECI alone; the controller without packs, with packs, and without limits; auto.',
    },
    {
      name: 'life',
      value: 'DURATION',
      help: 'Let each pod live so long. Default: as the trace says.',
    },
    {
      name: 'new-tag-every',
      value: 'DURATION',
      help: 'Give each template a new tag so often, if the trace names no images. Default: never.',
    },
    {
      name: 'sidecar',
      value: 'IMAGE',
      many: true,
      help: `An image that is in every pod, if the trace names no images; '' for none. Default ${DEFAULTS.sidecar}.`,
    },
    {
      name: 'templates-ahead',
      value: 'DURATION',
      help: 'How long before its first pod a template changes, for policies with prewarm=true. Default: nothing is seen before the first pod.',
    },
    {
      name: 'creation-time',
      value: 'DURATION',
      help: `How long ECI takes to make a cache. Default ${DEFAULTS.creationTime}.`,
    },
    {
      name: 'pull-rate',
      value: 'MB/s',
      help: 'How fast a pod pulls, in compressed megabytes a second. Default: as the setting pullRate.',
    },
    {
      name: 'image-sizes',
      value: 'known|unknown',
      help: 'Whether the nodes of the cluster report the sizes of the images. Default known.',
    },
    {
      name: 'price',
      value: 'NAME=VALUE',
      many: true,
      help: `One of ${PRICE_NAMES.join(', ')}. Default: the vendor's examples in CNY.`,
    },
    {
      name: 'output',
      short: 'o',
      value: 'table|json|html',
      help: 'json: one object a policy, one a line; html: a page with charts. Default table.',
    },
  ],
  settings: [
    'source',
    'kubeconfig',
    'kubeContext',
    'scope',
    ...SETTINGS.map(({ path }) => path).filter((path) => /^controller\.(?!lease|dryRun)/.test(path)),
    'createOnMiss.when',
    'prewarm',
  ],
  run: async (flags, io) => {
    const report = chosenFormat(flags, REPORTS);
    const policies = (flags.all('policy').length > 0 ? flags.all('policy') : DEFAULT_POLICIES).map(
      readPolicy,
    );
    const world = readWorld(flags);
    const { name, trace: chosen } = await chooseTrace(flags, world.seed, io);
    const trace = withLife(flags, chosen);
    if (trace.pods.length === 0) throw new Error(`${name} has no pod that would go to ECI`);
    // The decision counts with the same money as the replay.
    const settings = new Map([...costSettings(world), ...flags.settings]);
    const outcomes: PolicyOutcome[] = [];
    for await (const outcome of replayPolicies(trace, policies, settings, world)) outcomes.push(outcome);
    io.out.write(report({ name, trace, outcomes }));
    return 0;
  },
};

async function chooseTrace(
  flags: Flags,
  seed: number,
  io: Io,
): Promise<{ readonly name: string; readonly trace: Trace }> {
  const file = flags.one('trace');
  const source = flags.settings.get('source');
  if (file !== undefined && source !== undefined)
    throw new UsageError('--trace and --source cannot be combined: give one of them');
  if (file !== undefined) return { name: file, trace: readTrace(file, readTextFile(file)) };
  if (source === undefined)
    return { name: `synthetic trace ${seed}`, trace: syntheticTrace(seed, DEFAULT_SYNTHETIC) };
  const config = loadConfig(undefined, flags.settings);
  const onProblem = (problem: string): unknown => io.err.write(`imc replay: ${problem}\n`);
  return { name: source, trace: await readTraceOf(config, onProblem, Date.now()) };
}

function withLife(flags: Flags, trace: Trace): Trace {
  const text = flags.one('life');
  if (text === undefined) return trace;
  const seconds = durationOf(flags, 'life', text) / 1000;
  return { ...trace, pods: trace.pods.map((pod) => ({ ...pod, deleted: pod.created + seconds })) };
}

function readPolicy(text: string): Policy {
  const colon = text.indexOf(':');
  if (colon <= 0) throw new UsageError(`--policy is ${JSON.stringify(text)}; it must be NAME:KEY=VALUE,...`);
  const settings = text
    .slice(colon + 1)
    .split(',')
    .map((each) => each.trim())
    .filter((each) => each !== '')
    .map((each) => readSetting(each));
  return { name: text.slice(0, colon).trim(), settings: new Map(settings) };
}

function readSetting(text: string): [string, string] {
  const [path = '', ...value] = text.split('=');
  const paths = SETTINGS.map((setting) => setting.path);
  if (value.length === 0) throw new UsageError(`--policy: ${JSON.stringify(text)} must be KEY=VALUE`);
  if (!paths.includes(path)) {
    const close = suggestName(path, paths);
    const hint = close === undefined ? 'see docs/reference.md' : `did you mean ${close}?`;
    throw new UsageError(`--policy: ${JSON.stringify(path)} is no setting; ${hint}`);
  }
  return [path, value.join('=')];
}

function readWorld(flags: Flags): World {
  const newTagEvery = flags.one('new-tag-every');
  const templatesAhead = flags.one('templates-ahead');
  const sidecars = flags.all('sidecar').length > 0 ? flags.all('sidecar') : [DEFAULTS.sidecar];
  const sizes = flags.one('image-sizes') ?? 'known';
  if (sizes !== 'known' && sizes !== 'unknown')
    throw new UsageError(`--image-sizes is ${JSON.stringify(sizes)}; it must be known or unknown`);
  const byDefault = loadConfig(undefined, new Map(), {});
  return {
    seed: flagValue(flags, 'seed', DEFAULTS.seed, COUNT),
    newTagEvery:
      newTagEvery === undefined ? Infinity : durationOf(flags, 'new-tag-every', newTagEvery) / 1000,
    sidecars: sidecars.filter((image) => image !== ''),
    prices: readPrices(flags.all('price'), byDefault.prices),
    creationTime: durationOf(flags, 'creation-time', DEFAULTS.creationTime),
    bytesPerSecond: flagValue(flags, 'pull-rate', `${byDefault.pullRate}`, AMOUNT) * MEGABYTE,
    templatesAhead:
      templatesAhead === undefined ? undefined : durationOf(flags, 'templates-ahead', templatesAhead),
    knownSizes: sizes === 'known',
  };
}

function costSettings({ prices: ofWorld, bytesPerSecond }: World): [string, string][] {
  const named = POD_PRICES.map((name): [string, string] => [`prices.${name}`, `${ofWorld[name]}`]);
  return [...named, ['pullRate', `${bytesPerSecond / MEGABYTE}`]];
}

function durationOf(flags: Flags, name: string, byDefault: string): number {
  return flagValue(flags, name, byDefault, NOT_AT_ONCE);
}

function readPrices(texts: readonly string[], byDefault: Prices): ReplayPrices {
  const given = texts.map((text): [string, number] => {
    const [name = '', value = ''] = text.split('=');
    if (!PRICE_NAMES.includes(name) || AMOUNT.parse(value) === undefined)
      throw new UsageError(
        `--price is ${JSON.stringify(text)}; it must be NAME=VALUE with one of ${PRICE_NAMES.join(', ')} and ${AMOUNT.allowed}`,
      );
    return [name, Number(value)];
  });
  return { ...byDefault, snapshotGibMonth: SNAPSHOT_PRICE, ...Object.fromEntries(given) };
}
