/** The report of `imc replay`: a table, JSON, or a page with charts. */
import type { Trace } from '../replay/trace.ts';
import type { PolicyOutcome } from '../runtime/replay.ts';
import { alignColumns } from './columns.ts';
import { bars, escaped, page, table } from './page.ts';

export interface ReplayResult {
  /** Of the trace. */
  readonly name: string;
  readonly trace: Trace;
  readonly outcomes: readonly PolicyOutcome[];
}

type Report = (result: ReplayResult) => string;

export const REPORTS: ReadonlyMap<string, Report> = new Map<string, Report>([
  ['table', asTable],
  ['json', ({ outcomes }) => outcomes.map((outcome) => `${JSON.stringify(outcome)}\n`).join('')],
  ['html', asPage],
]);

const DAY = 86_400;
const HOUR = 3600;

const count = (value: number): string => Math.round(value).toLocaleString('en-US');
const share = (part: number, { pods }: PolicyOutcome): string => `${((part / pods) * 100).toFixed(1)} %`;

/** A heading, and its value for a policy. */
type Column = readonly [string, (outcome: PolicyOutcome) => string];

const COLUMNS: readonly Column[] = [
  ['POLICY', ({ policy }) => policy],
  ['WARM', (outcome) => share(outcome.warm, outcome)],
  ['PARTLY', (outcome) => share(outcome.partly, outcome)],
  ['COLD', (outcome) => share(outcome.cold + outcome.failed, outcome)],
  ['PULLING SAVED', ({ secondsSaved }) => `${count(secondsSaved / HOUR)} h`],
  ['MADE', ({ made }) => count(made)],
  ['PACKS', ({ packs }) => count(packs)],
  ['KEPT', ({ mostKept }) => count(mostKept)],
  ['MADE BY ECI', ({ automaticMade }) => count(automaticMade)],
  ['DISKS', ({ diskGibHours }) => `${count(diskGibHours)} GiB h`],
  ['MAKING', ({ cost }) => count(cost.making)],
  ['KEEPING', ({ cost }) => count(cost.keeping)],
  ['DISKS COST', ({ cost }) => count(cost.disks)],
  ['SAVED', ({ worth }) => count(worth)],
];

function asTable({ name, trace, outcomes }: ReplayResult): string {
  const rows = outcomes.map((outcome) => COLUMNS.map(([, valueOf]) => valueOf(outcome)));
  return [
    describeTrace(name, trace),
    '',
    ...alignColumns([COLUMNS.map(([heading]) => heading), ...rows]),
    '',
    'WARM: a cache held all images of the pod. KEPT: the most ImageCaches at one time.',
    'MAKING, KEEPING, DISKS COST and SAVED are money; SAVED is what the pods would have cost while they pulled.',
    ...failures(outcomes),
    '',
  ].join('\n');
}

function describeTrace(name: string, { pods, end }: Trace): string {
  const templates = new Set(pods.map(({ key }) => key)).size;
  return `${name}: ${count(pods.length)} pods of ${count(templates)} templates in ${(end / DAY).toFixed(1)} days`;
}

function failures(outcomes: readonly PolicyOutcome[]): string[] {
  return outcomes
    .filter(({ failed }) => failed > 0)
    .map(({ policy, failed }) => `${policy}: ${count(failed)} pods pointed to a cache that was not Ready`);
}

const PARTS: readonly (readonly [string, string, (outcome: PolicyOutcome) => number])[] = [
  ['all images in the cache', 'warm', ({ warm }) => warm],
  ['some', 'part', ({ partly }) => partly],
  ['none', 'cold', ({ cold, failed }) => cold + failed],
];

function asPage({ name, trace, outcomes }: ReplayResult): string {
  const key = PARTS.map(([text, kind]) => `<span class="key ${kind}"></span>${text}`).join('');
  const warmth = outcomes.map((outcome) => ({
    label: outcome.policy,
    parts: PARTS.map(([, kind, valueOf]) => [kind, (valueOf(outcome) / outcome.pods) * 100] as const),
    says: `${share(outcome.warm, outcome)} warm`,
  }));
  const money = outcomes.flatMap((outcome) => [
    {
      label: outcome.policy,
      parts: [['bad', totalOf(outcome)] as const],
      says: `costs ${count(totalOf(outcome))}`,
    },
    { label: '', parts: [['good', outcome.worth] as const], says: `saves ${count(outcome.worth)}` },
  ]);
  const rows = outcomes.map((outcome) => COLUMNS.map(([, valueOf]) => valueOf(outcome)));
  const columns = COLUMNS.map(([heading], i) => (i === 0 ? `${heading}*` : heading));
  return page(
    `imc replay: ${name}`,
    `<h1>What pods found, and what it cost</h1>
<p>${escaped(describeTrace(name, trace))}.</p>
<h2>Pods by what their cache held</h2>
<p aria-hidden="true">${key}</p>
${bars('Of 100 pods, how many had all, some or no images in their cache, by policy', warmth)}
<h2>Money</h2>
<p><span class="key bad"></span>what caches cost: making, keeping, and disks as long as pods live.
<span class="key good"></span>what the pods would have cost while they pulled.</p>
${bars('What caches cost and what they save, by policy', money)}
<h2>All figures</h2>
${table('All figures, by policy', columns, rows)}
${failures(outcomes)
  .map((each) => `<p>${escaped(each)}</p>`)
  .join('')}`,
  );
}

function totalOf({ cost }: PolicyOutcome): number {
  return cost.making + cost.keeping + cost.disks;
}
