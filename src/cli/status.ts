/** `imc status`: shows all ImageCaches in a table. */
import { loadConfig } from '../config/load.ts';
import { READY } from '../core/image-cache.ts';
import { formatBytes } from '../core/kubernetes/quantity.ts';
import { readStatus, type CacheStatus } from '../runtime/status.ts';
import { alignColumns, formatAge } from './columns.ts';
import { requireSource, type Command } from './command.ts';
import { chosenFormat } from './flag-values.ts';

const HEADER = [
  'NAME',
  'CACHEID',
  'PHASE',
  'SIZE',
  'AGE',
  'LAST USED',
  'HITS',
  'SETS',
  'MADE BY',
  'EXPIRES',
  'IMAGES',
];

type Format = (caches: readonly CacheStatus[], now: number) => string;

const FORMATS: ReadonlyMap<string, Format> = new Map<string, Format>([
  [
    'table',
    (caches, now) => [...alignColumns([HEADER, ...caches.map((each) => row(each, now))]), ''].join('\n'),
  ],
  ['json', (caches) => caches.map((each) => `${JSON.stringify(each)}\n`).join('')],
]);

export const status: Command = {
  name: 'status',
  summary:
    'Show all ImageCaches: what they hold, how far they are, who made them, and whether they are used.',
  usage: 'imc status --source kubernetes|files:DIR [-o table|json]',
  flags: [
    {
      name: 'output',
      short: 'o',
      value: 'FORMAT',
      help: 'table, or json: one object an ImageCache, one a line. Default table.',
    },
  ],
  settings: ['source', 'kubeconfig', 'kubeContext'],
  run: async (flags, io) => {
    const format = chosenFormat(flags, FORMATS);
    const config = loadConfig(undefined, flags.settings);
    requireSource(config);
    const problems: string[] = [];
    const caches = await readStatus(config, (problem) => problems.push(problem));
    io.out.write(format(caches, Date.now()));
    for (const problem of problems) io.err.write(`imc status: ${problem}\n`);
    return problems.length > 0 ? 1 : 0;
  },
};

function row(cache: CacheStatus, now: number): string[] {
  const {
    name,
    id,
    phase,
    progress,
    sizeBytes,
    createdAt,
    lastUsedAt,
    hits,
    madeBy,
    sets,
    expiresAt,
    images,
  } = cache;
  const since = (time: string | null): string => (time === null ? '-' : formatAge(now - Date.parse(time)));
  const isUnderWay = phase !== READY && progress !== '';
  return [
    name,
    id ?? '-',
    phase === '' ? '-' : `${phase}${isUnderWay ? ` ${progress}` : ''}`,
    formatBytes(sizeBytes),
    since(createdAt),
    since(lastUsedAt),
    hits === null ? '-' : `${hits}`,
    sets === null ? '-' : `${sets.length}`,
    madeBy,
    describeExpiry(expiresAt, now),
    images.join(', '),
  ];
}

/** @param expiresAt ISO 8601; null: never */
function describeExpiry(expiresAt: string | null, now: number): string {
  if (expiresAt === null) return 'never';
  const left = Date.parse(expiresAt) - now;
  return left <= 0 ? 'expired' : `in ${formatAge(left)}`;
}
