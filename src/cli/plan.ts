/** `imc plan`: plans the fewest ImageCaches with which the pods of all workloads start fully warm, as manifests. */
import { stringify } from 'yaml';
import { COUNT } from '../config/value-type.ts';
import { loadConfig } from '../config/load.ts';
import type { CachePlan } from '../core/plan/cache-plan.ts';
import type { PlannedCache } from '../core/plan/planned-cache.ts';
import { makePlan } from '../runtime/plan.ts';
import { alignColumns } from './columns.ts';
import { CONFIG_FLAG, withSource, type Command } from './command.ts';
import { explain } from './explain.ts';
import { chosenFormat, flagValue } from './flag-values.ts';
import { FILENAME_FLAG, readFiles } from './manifests.ts';

const HEADER = [
  'IMAGECACHE',
  'IMAGES',
  'SIZE',
  'WORKLOADS',
  'PODS',
  'SAVES A START',
  'COSTS A MONTH',
  'A POD HOUR',
  'FOR',
];
/** Rows of what is left out, in the table. */
const MOST_LEFT_OUT = 10;

type Format = (plan: CachePlan) => string;

const FORMATS: ReadonlyMap<string, Format> = new Map<string, Format>([
  ['table', formatTable],
  ['yaml', formatManifests],
  ['json', (plan) => `${JSON.stringify(plan)}\n`],
]);

export const plan: Command = {
  name: 'plan',
  summary:
    'Plan the fewest ImageCaches with which all pods start fully warm, or the best of a number of them, as manifests.',
  usage:
    'imc plan [-f FILE…] [--max-caches N] [--fresh] [--source kubernetes|files:DIR] [--config FILE] [-o table|yaml|json]',
  flags: [
    { ...FILENAME_FLAG, help: `${FILENAME_FLAG.help} Without it: the workloads of the source.` },
    {
      name: 'max-caches',
      value: 'N',
      help: 'At most so many caches, for as many pods as they can serve. Default: as many as all pods need.',
    },
    {
      name: 'fresh',
      value: '',
      help: 'Plan anew. Otherwise the caches of an earlier plan stay as they are while that makes no cache more.',
      isSwitch: true,
    },
    {
      name: 'output',
      short: 'o',
      value: 'table|yaml|json',
      help: 'table; yaml: manifests for kubectl apply; json: one object. Default table.',
    },
    CONFIG_FLAG,
  ],
  settings: [
    ...explain.settings,
    'sharing.publicRegistries',
    'controller.maxSize',
    'controller.privateImages',
    'prices.diskGibHour',
    'pullRate',
  ],
  run: async (flags, io) => {
    const format = chosenFormat(flags, FORMATS);
    const maxCaches =
      flags.one('max-caches') === undefined ? undefined : flagValue(flags, 'max-caches', '0', COUNT);
    const config = withSource(loadConfig(flags.one('config'), flags.settings));
    const files = flags.all('filename').length > 0 ? await readFiles(flags, io) : undefined;
    let isFaulty = false;
    const onProblem = (problem: string): void => {
      isFaulty = true;
      io.err.write(`imc plan: ${problem}\n`);
    };
    const made = await makePlan(config, { files, maxCaches, isFresh: flags.isOn('fresh'), onProblem });
    io.out.write(format(made));
    return isFaulty ? 1 : 0;
  },
};

function formatTable({ caches, leftOut, pods, warmPods }: CachePlan): string {
  const rows = caches.map((cache) => [
    cache.name,
    `${cache.images.length}`,
    `${cache.sizeGib}Gi`,
    `${cache.serves.length}`,
    `${cache.pods}`,
    `${Math.round(cache.secondsSaved)} s`,
    money(cache.monthCost),
    money(cache.podHourCost),
    cache.namespace ?? 'everybody',
  ]);
  const table = caches.length > 0 ? [...alignColumns([HEADER, ...rows]), ''] : [];
  const summary = `${caches.length} ${caches.length === 1 ? 'cache' : 'caches'}: ${warmPods} of ${pods} pods start fully warm.`;
  const unknown = caches.reduce((sum, { unknownSizes }) => sum + unknownSizes, 0);
  const assumed =
    unknown > 0
      ? [
          `No node reports the size of ${unknown} ${unknown === 1 ? 'image' : 'images'}; each is taken to need 2 GiB on a disk.`,
        ]
      : [];
  const left = leftOut
    .slice(0, MOST_LEFT_OUT)
    .map(({ namespace, workload, why }) => `  ${workload} in ${namespace}: ${why}`);
  const more = leftOut.length > left.length ? [`  … and ${leftOut.length - left.length} more`] : [];
  const rest = leftOut.length > 0 ? ['', 'Left out:', ...left, ...more] : [];
  return `${[...table, summary, ...assumed, ...rest].join('\n')}\n`;
}

/** Of the prices in the settings. */
function money(amount: number): string {
  return amount.toFixed(amount < 1 ? 4 : 2);
}

function formatManifests({ caches, pods, warmPods }: CachePlan): string {
  const head = `# ${caches.length} ${caches.length === 1 ? 'ImageCache' : 'ImageCaches'}: ${warmPods} of ${pods} pods start fully warm. Made by imc plan.\n`;
  return head + caches.map((cache) => `---\n${describe(cache)}${stringify(cache.manifest)}`).join('');
}

/** What the cache is for, as comments. */
function describe({ serves, pods, secondsSaved, monthCost, podHourCost }: PlannedCache): string {
  const names = serves.map(({ namespace, workload }) => `# ${workload} in ${namespace}\n`).join('');
  const worth = `${pods} ${pods === 1 ? 'pod' : 'pods'}, each spared up to ${Math.round(secondsSaved)} s of pulling, for ${money(monthCost)} a month and ${money(podHourCost)} a pod and hour`;
  return `# ${worth}:\n${names}`;
}
