/** The report of `imc replay`: a table, JSON, or a page with charts. */
import type { Trace } from '../replay/trace.ts';
import type { PolicyOutcome } from '../runtime/replay.ts';
import { alignColumns } from './columns.ts';

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
  ['all images in the cache', '#2a78c8', ({ warm }) => warm],
  ['some', '#9cc3ea', ({ partly }) => partly],
  ['none', '#dde3ea', ({ cold, failed }) => cold + failed],
];
/** Of the charts, in pixels. */
const BAR = { width: 560, height: 22, step: 34, label: 210 };

function asPage({ name, trace, outcomes }: ReplayResult): string {
  const head = COLUMNS.map(([heading]) => `<th>${heading}</th>`).join('');
  const rows = outcomes.map(
    (outcome) => `<tr>${COLUMNS.map(([, valueOf]) => `<td>${escaped(valueOf(outcome))}</td>`).join('')}</tr>`,
  );
  const most = Math.max(...outcomes.map((outcome) => Math.max(totalOf(outcome), outcome.worth)), 1);
  return `<!doctype html>
<html lang="en"><meta charset="utf-8"><title>imc replay: ${escaped(name)}</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 75rem; padding: 0 1rem; color: #1d2733 }
table { border-collapse: collapse; font-variant-numeric: tabular-nums } th, td { padding: .3rem .7rem; text-align: right; white-space: nowrap }
th { font-size: .75rem; color: #5a6775 } td:first-child, th:first-child { text-align: left } tr + tr td { border-top: 1px solid #e3e8ee }
svg { max-width: 100%; height: auto } text { font: 13px system-ui, sans-serif; fill: #1d2733 } .key { display: inline-block; width: .8em; height: .8em; margin: 0 .4em 0 1em }
</style>
<h1>What pods found, and what it cost</h1>
<p>${escaped(describeTrace(name, trace))}.</p>
<h2>Pods by what their cache held</h2>
<p>${PARTS.map(([text, colour]) => `<span class="key" style="background:${colour}"></span>${text}`).join('')}</p>
${chart(
  outcomes,
  (outcome) => PARTS.map(([, colour, valueOf]) => [colour, valueOf(outcome) / outcome.pods]),
  (outcome) => `${share(outcome.warm, outcome)} warm`,
)}
<h2>Money</h2>
<p><span class="key" style="background:#c85a2a"></span>what caches cost: making, keeping, and disks as long as pods live; above.
<span class="key" style="background:#3a9d5d"></span>what the pods would have cost while they pulled; below.</p>
${chart(
  outcomes,
  (outcome) => [['#c85a2a', totalOf(outcome) / most]],
  (outcome) => `costs ${count(totalOf(outcome))}`,
)}
${chart(
  outcomes,
  (outcome) => [['#3a9d5d', outcome.worth / most]],
  (outcome) => `saves ${count(outcome.worth)}`,
)}
<h2>All figures</h2>
<table><tr>${head}</tr>${rows.join('')}</table>
${failures(outcomes)
  .map((each) => `<p>${escaped(each)}</p>`)
  .join('')}
</html>
`;
}

function totalOf({ cost }: PolicyOutcome): number {
  return cost.making + cost.keeping + cost.disks;
}

/** One bar a policy. @param partsOf colours and shares of the full width */
function chart(
  outcomes: readonly PolicyOutcome[],
  partsOf: (outcome: PolicyOutcome) => readonly (readonly [string, number])[],
  describe: (outcome: PolicyOutcome) => string,
): string {
  const bars = outcomes.map((outcome, i) => {
    const y = i * BAR.step;
    let x = BAR.label;
    const parts = partsOf(outcome).map(([colour, part]) => {
      const width = part * BAR.width;
      const rect = `<rect x="${x.toFixed(1)}" y="${y}" width="${width.toFixed(1)}" height="${BAR.height}" fill="${colour}"/>`;
      x += width;
      return rect;
    });
    const line = y + BAR.height - 6;
    const end = `<text x="${(x + 8).toFixed(1)}" y="${line}">${escaped(describe(outcome))}</text>`;
    return `<text x="0" y="${line}">${escaped(outcome.policy)}</text>${parts.join('')}${end}`;
  });
  const width = BAR.label + BAR.width + 150;
  return `<svg role="img" viewBox="0 0 ${width} ${outcomes.length * BAR.step}" width="${width}">${bars.join('')}</svg>`;
}

function escaped(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
