/** `imc advise`: gives advice on the workloads of manifests, for people and for CI. */
import { loadConfig } from '../config/load.ts';
import { describeFinding, SEVERITIES, type Severity } from '../core/advice/finding.ts';
import { adviseOnText, viewForAdvice, type Advice, type LocatedFinding } from '../runtime/advise.ts';
import { alignColumns } from './columns.ts';
import { CONFIG_FLAG, type Command } from './command.ts';
import { explain } from './explain.ts';
import { chosenFormat, flagValue } from './flag-values.ts';
import { FILENAME_FLAG, NAMESPACE_FLAG, noPods, readFiles } from './manifests.ts';
import { formatSarif } from './sarif.ts';

const HEADER = ['WHERE', 'SEVERITY', 'RULE', 'WORKLOAD'];

type Format = (advice: Advice) => string;

const FORMATS: ReadonlyMap<string, Format> = new Map<string, Format>([
  ['table', formatTable],
  ['json', ({ findings }) => findings.map((each) => `${JSON.stringify(each)}\n`).join('')],
  ['sarif', ({ findings }) => formatSarif(findings)],
]);

const FAIL_ON = {
  parse: (text: unknown) => SEVERITIES.find((each) => each === text),
  allowed: SEVERITIES.join(', '),
};

export const adviseCommand: Command = {
  name: 'advise',
  summary: 'Say what of the image-cache annotations of workloads does not do what its author may think.',
  usage:
    'imc advise -f FILE… [--source kubernetes|files:DIR] [--namespace NAME] [--fail-on SEVERITY] [-o table|json|sarif]',
  flags: [
    FILENAME_FLAG,
    { ...NAMESPACE_FLAG, help: 'Namespace of the workloads, instead of the one in the manifest.' },
    {
      name: 'fail-on',
      value: SEVERITIES.join('|'),
      help: 'Exit with 1 if there is a finding of this severity or a worse one. Default error.',
    },
    {
      name: 'output',
      short: 'o',
      value: 'table|json|sarif',
      help: 'json: one object a finding, one a line; sarif: for code hosts. Default table.',
    },
    CONFIG_FLAG,
  ],
  settings: explain.settings,
  run: async (flags, io) => {
    const format = chosenFormat(flags, FORMATS);
    const failOn = flagValue(flags, 'fail-on', 'error', FAIL_ON);
    const config = loadConfig(flags.one('config'), flags.settings);
    const files = await readFiles(flags, io);
    const onProblem = (problem: string): unknown => io.err.write(`imc advise: source: ${problem}\n`);
    const view = await viewForAdvice(config, onProblem);
    const each = files.map(({ name, text }) =>
      adviseOnText(name, text, flags.one('namespace'), view, config),
    );
    const advice: Advice = {
      findings: each.flatMap(({ findings }) => findings),
      workloads: each.reduce((sum, { workloads }) => sum + workloads, 0),
      problems: each.flatMap(({ problems }) => problems),
    };
    if (advice.workloads === 0 && advice.problems.length === 0) throw noPods(files);
    if (config.source === '')
      io.err.write('imc advise: no source, so nothing is said about caches: give --source to look at them\n');
    for (const problem of advice.problems) io.err.write(`imc advise: ${problem}\n`);
    io.out.write(format(advice));
    const isBad = ({ severity }: LocatedFinding): boolean =>
      SEVERITIES.indexOf(severity) <= SEVERITIES.indexOf(failOn);
    return advice.problems.length > 0 || advice.findings.some(isBad) ? 1 : 0;
  },
};

function formatTable({ findings, workloads }: Advice): string {
  const ofWorkloads = `${workloads} ${workloads === 1 ? 'workload' : 'workloads'}`;
  if (findings.length === 0) return `No advice on ${ofWorkloads}.\n`;
  const [header = '', ...rows] = alignColumns([
    HEADER,
    ...findings.map(({ file, line, severity, rule, workload }) => [
      `${file}:${line}`,
      severity,
      rule,
      workload,
    ]),
  ]);
  const lines = rows.flatMap((row, i) => [row, `  ${describeFinding(findings[i]!)}`]);
  const count = (severity: Severity): number => findings.filter((each) => each.severity === severity).length;
  const counts = SEVERITIES.filter((each) => count(each) > 0).map(
    (each) => `${count(each)} ${each}${count(each) === 1 ? '' : 's'}`,
  );
  return `${[header, ...lines].join('\n')}\n\nOn ${ofWorkloads}: ${counts.join(', ')}.\n`;
}
