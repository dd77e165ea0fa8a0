/** `imc status`: shows all ImageCaches in a table, the region's quotas, and what became of the pods. */
import { loadConfig } from '../config/load.ts';
import { formatBytes } from '../core/kubernetes/quantity.ts';
import { readGroundTruth, type GroundTruth } from '../runtime/ground-truth.ts';
import { readStatus, type CacheStatus, type RegionStatus } from '../runtime/status.ts';
import { alignColumns, formatAge, formatPhase } from './columns.ts';
import { CONFIG_FLAG, withSource, type Command } from './command.ts';
import { chosenFormat } from './flag-values.ts';
import { objectFormats, type Format } from './output.ts';
import { formatTruth } from './truth-table.ts';
import { formatWarming } from './warming-table.ts';
import { showAndWatch, WATCH_FLAG } from './watching.ts';

/** Images of one cache in the table. */
const MOST_IMAGES = 3;

interface Column {
  readonly title: string;
  readonly of: (cache: CacheStatus, now: number, isWide: boolean) => string;
}

const COLUMNS: readonly Column[] = [
  { title: 'NAME', of: ({ name }) => name },
  { title: 'CACHEID', of: ({ id }) => id ?? '-' },
  { title: 'PHASE', of: formatPhase },
  { title: 'SIZE', of: ({ sizeBytes }) => formatBytes(sizeBytes) },
  { title: 'AGE', of: ({ createdAt }, now) => since(createdAt, now) },
  { title: 'LAST USED', of: ({ lastUsedAt }, now) => since(lastUsedAt, now) },
  { title: 'HITS', of: ({ hits }) => (hits === null ? '-' : `${hits}`) },
  { title: 'SETS', of: ({ sets }) => (sets === null ? '-' : `${sets.length}`) },
  { title: 'MADE BY', of: ({ madeBy }) => madeBy },
  { title: 'KNOWN FROM', of: ({ knownFrom }) => knownFrom },
  { title: 'EXPIRES', of: ({ expiresAt }, now) => describeExpiry(expiresAt, now) },
  { title: 'IMAGES', of: ({ images }, _now, isWide) => (isWide ? images : summarize(images)).join(', ') },
];

interface Shown {
  readonly status: RegionStatus;
  readonly truth: GroundTruth;
  readonly now: number;
}

const FORMATS: ReadonlyMap<string, Format<Shown>> = new Map<string, Format<Shown>>([
  ['table', (shown) => formatTables(shown, false)],
  ['wide', (shown) => formatTables(shown, true)],
  ...objectFormats<Shown>(({ status: { caches, usage }, truth }) => [
    ...caches,
    { usage, groundTruth: truth },
  ]),
]);

export const status: Command = {
  name: 'status',
  summary:
    'Show all ImageCaches: what they hold, how far they are, who made them, and whether they are used; and what ECI did with the pods.',
  usage: 'imc status [--source kubernetes|files:DIR] [--config FILE] [-o table|wide|json|yaml] [--watch]',
  flags: [
    {
      name: 'output',
      short: 'o',
      value: 'table|wide|json|yaml',
      help: 'wide: all workloads and all images; json: one object an ImageCache, one a line, and a last one with quotas and ground truth; yaml: the same as documents. Default table.',
    },
    WATCH_FLAG,
    CONFIG_FLAG,
  ],
  settings: [
    'source',
    'kubeconfig',
    'kubeContext',
    'scope',
    'region.name',
    'region.api',
    'region.endpoint',
    'tls.managed.webhookConfiguration',
  ],
  run: async (flags, io) => {
    const format = chosenFormat(flags, FORMATS);
    const config = withSource(loadConfig(flags.one('config'), flags.settings));
    return showAndWatch(io, flags.isOn('watch'), async () => {
      const problems: string[] = [];
      const onProblem = (problem: string): unknown => problems.push(problem);
      const caches = await readStatus(config, onProblem);
      const isFailed = problems.length > 0;
      // Who may read caches need not be allowed to read pods and Events.
      const truth = await readGroundTruth(config, undefined, onProblem);
      for (const problem of new Set(problems)) io.err.write(`imc status: ${problem}\n`);
      return { text: format({ status: caches, truth, now: Date.now() }), code: isFailed ? 1 : 0 };
    });
  },
};

function formatTables({ status: { caches, usage }, truth, now }: Shown, isWide: boolean): string {
  // Where all caches are known from their objects alone, the column says nothing.
  const hasRegion = usage !== null || caches.some(({ knownFrom }) => knownFrom !== 'object');
  const columns = COLUMNS.filter(({ title }) => hasRegion || title !== 'KNOWN FROM');
  const rows = caches.map((cache) => columns.map((column) => column.of(cache, now, isWide)));
  const table = [...alignColumns([columns.map(({ title }) => title), ...rows])].join('\n');
  const known = new Set(caches.map(({ id }) => id));
  const sections = [
    table,
    ...formatQuotas(usage),
    ...formatWarming(truth.workloads, caches, isWide),
    ...formatTruth(truth, known),
  ];
  return `${sections.join('\n\n')}\n`;
}

/** A pack holds up to twenty images, which would fill a terminal. */
function summarize(images: readonly string[]): readonly string[] {
  const more = images.length - MOST_IMAGES;
  return more <= 0 ? images : [...images.slice(0, MOST_IMAGES), `and ${more} more`];
}

function formatQuotas(usage: RegionStatus['usage']): string[] {
  if (usage === null) return [];
  const parts = Object.entries(usage).flatMap(([kind, quota]) =>
    quota === undefined ? [] : `${quota.used} of ${quota.most} ${kind} caches`,
  );
  return [`Quotas of the region: ${parts.join(', ')}.`];
}

function since(time: string | null, now: number): string {
  return time === null ? '-' : formatAge(now - Date.parse(time));
}

/** @param expiresAt ISO 8601; null: never */
function describeExpiry(expiresAt: string | null, now: number): string {
  if (expiresAt === null) return 'never';
  const left = Date.parse(expiresAt) - now;
  return left <= 0 ? 'expired' : `in ${formatAge(left)}`;
}
