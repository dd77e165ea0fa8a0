/** `imc report`: how warm pods start, why not, what would help, and what it costs: as a table, JSON, or a page to look at. */
import { loadConfig } from '../config/load.ts';
import type { WarmShare } from '../core/report/shares.ts';
import { makeReport, type Report } from '../runtime/report.ts';
import { alignColumns, share } from './columns.ts';
import { CONFIG_FLAG, withSource, type Command } from './command.ts';
import { chosenFormat } from './flag-values.ts';
import { objectFormats, type Format } from './output.ts';
import { plan } from './plan.ts';
import { reportPage } from './report-page.ts';

/** Rows of each table. */
const MOST_ROWS = 10;

const FORMATS: ReadonlyMap<string, Format<Report>> = new Map<string, Format<Report>>([
  ['table', formatTables],
  ['html', reportPage],
  ...objectFormats<Report>((made) => [made]),
]);

export const report: Command = {
  name: 'report',
  summary:
    'Report how warm the pods that are there started, what would help, which caches nobody uses, and what it costs.',
  usage: 'imc report [--source kubernetes|files:DIR] [--config FILE] [-o table|html|json|yaml]',
  flags: [
    {
      name: 'output',
      short: 'o',
      value: 'table|html|json|yaml',
      help: 'html: one page that needs nothing else; json and yaml: one object. Default table.',
    },
    CONFIG_FLAG,
  ],
  settings: [
    ...plan.settings,
    'prices.vcpuSecond',
    'prices.memoryGibSecond',
    'tls.managed.webhookConfiguration',
  ],
  run: async (flags, io) => {
    const format = chosenFormat(flags, FORMATS);
    const config = withSource(loadConfig(flags.one('config'), flags.settings));
    const problems = new Set<string>();
    const made = await makeReport(config, (problem) => problems.add(problem));
    io.out.write(format(made));
    for (const problem of problems) io.err.write(`imc report: ${problem}\n`);
    return problems.size > 0 ? 1 : 0;
  },
};

function formatTables({
  all,
  byNamespace,
  byImage,
  wouldHelp,
  unused,
  legacy,
  unanswered,
  money,
}: Report): string {
  const sections = [
    `Decided warm: ${share(all.decidedWarm, all.pods)} of ${all.pods} pods. Started from a cache: ${share(all.startedWarm, all.placed)} of ${all.placed} that ECI has placed.`,
    ...sharesTable('NAMESPACE', byNamespace),
    ...sharesTable('IMAGE', byImage),
    ...limited(
      ['WOULD HELP', 'PODS', 'SAVES A START', 'IMAGES'],
      wouldHelp.map(({ name, pods, secondsSaved, images }) => [
        name,
        `${pods}`,
        `${Math.round(secondsSaved)} s`,
        images.slice(0, 3).join(', '),
      ]),
    ),
    ...(wouldHelp.length > 0
      ? ['The manifests: imc report -o json, or imc plan -o yaml for all workloads.']
      : []),
    ...limited(
      ['NOBODY USES', 'LAST USED', 'COSTS A MONTH'],
      unused.map(({ name, lastUsedAt, monthCost }) => [name, lastUsedAt ?? '-', monthCost.toFixed(2)]),
    ),
    ...limited(
      ['OLDER NAMES', 'NAMESPACE', 'ANNOTATIONS'],
      legacy.map(({ workload, namespace, annotations }) => [workload, namespace, annotations.join(', ')]),
    ),
    unanswered === null
      ? 'Pods that went past the webhook: not known.'
      : `Pods that went past the webhook: ${unanswered.slice(0, MOST_ROWS).join(', ') || 'none'}.`,
    `Saved ${Math.round(money.secondsSaved)} s of pulling, worth ${money.saved.toFixed(2)}; disks have cost ${money.disks.toFixed(2)}, and snapshots cost ${money.snapshotsMonth.toFixed(2)} a month.`,
  ];
  return `${sections.join('\n\n')}\n`;
}

function sharesTable(heading: string, shares: readonly WarmShare[]): string[] {
  return limited(
    [heading, 'PODS', 'DECIDED WARM', 'PLACED', 'STARTED WARM'],
    shares.map(({ name, pods, decidedWarm, placed, startedWarm }) => [
      name,
      `${pods}`,
      share(decidedWarm, pods),
      `${placed}`,
      share(startedWarm, placed),
    ]),
  );
}

function limited(header: readonly string[], rows: readonly (readonly string[])[]): string[] {
  if (rows.length === 0) return [];
  const more = rows.length > MOST_ROWS ? [`… and ${rows.length - MOST_ROWS} more`] : [];
  return [[...alignColumns([header, ...rows.slice(0, MOST_ROWS)]), ...more].join('\n')];
}
