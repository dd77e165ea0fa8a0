/** `imc verify`: asks ECI's own matcher about pods, and compares its answers with the webhook's decisions. */
import { COUNT } from '../config/value-type.ts';
import { loadConfig } from '../config/load.ts';
import { podsOfSource, verifyPods, type Verifications, type Verified } from '../runtime/verify.ts';
import { alignColumns } from './columns.ts';
import { CONFIG_FLAG, UsageError, withSource, type Command } from './command.ts';
import { explain } from './explain.ts';
import { chosenFormat, flagValue } from './flag-values.ts';
import { FILENAME_FLAG, NAMESPACE_FLAG, readManifests } from './manifests.ts';

const HEADER = ['WORKLOAD', 'NAMESPACE', 'PODS', 'OURS', 'ECI', 'VERDICT', 'BECAUSE'];
/** Questions to ECI, which throttles an account that asks more than a few hundred times a minute. */
const DEFAULT_MOST = 500;

type Format = (verifications: Verifications) => string;

const FORMATS: ReadonlyMap<string, Format> = new Map<string, Format>([
  [
    'table',
    (all) => `${[...alignColumns([HEADER, ...all.rows.map(rowOf)])].join('\n')}\n\n${summary(all)}\n`,
  ],
  ['json', ({ rows }) => rows.map((row) => `${JSON.stringify(row)}\n`).join('')],
]);

export const verify: Command = {
  name: 'verify',
  summary: "Compare the webhook's decisions with the answers of ECI's own matcher. Exit code 1: they differ.",
  usage:
    'imc verify --region-name REGION [-f POD.yaml|-] [--source kubernetes|files:DIR] [--config FILE] [-o table|json]',
  flags: [
    {
      ...FILENAME_FLAG,
      help: `${FILENAME_FLAG.help} Without it: the pods of the source, and those that its Jobs and ReplicaSets make.`,
    },
    NAMESPACE_FLAG,
    {
      name: 'most',
      value: 'N',
      help: `Questions to ECI at most; equal pods are one question. Default ${DEFAULT_MOST}.`,
    },
    {
      name: 'output',
      short: 'o',
      value: 'table|json',
      help: 'json: one object for equal pods, one a line. Default table.',
    },
    CONFIG_FLAG,
  ],
  settings: explain.settings,
  run: async (flags, io) => {
    const format = chosenFormat(flags, FORMATS);
    const config = withSource(loadConfig(flags.one('config'), flags.settings));
    if (config.region.name === '')
      throw new UsageError(
        "no region: give --region-name, such as cn-hangzhou; ECI's API has an address for each",
      );
    const most = flagValue(flags, 'most', `${DEFAULT_MOST}`, COUNT);
    const { pods, failed } =
      flags.all('filename').length > 0
        ? await readManifests('verify', flags, io)
        : { pods: await podsOfSource(config), failed: false };
    const onProblem = (problem: string): unknown => io.err.write(`imc verify: source: ${problem}\n`);
    const verifications = await verifyPods(pods, flags.one('namespace'), config, most, onProblem);
    io.out.write(format(verifications));
    return failed || verifications.rows.some(({ verdict }) => verdict === 'differs') ? 1 : 0;
  },
};

function rowOf({ title, namespace, pods, ours, eci, verdict, because }: Verified): string[] {
  return [title, namespace, `${pods}`, ours ?? '-', eci ?? '-', verdict, because];
}

/** `12 agree, 3 differ by rule (2 TooLarge, 1 OnlyInRegion), 0 differ; 4 were not asked.` */
function summary({ rows, left }: Verifications): string {
  const count = (verdict: Verified['verdict']): number =>
    rows.reduce((sum, row) => sum + (row.verdict === verdict ? row.pods : 0), 0);
  const byRule = new Map<string, number>();
  for (const { rules, pods } of rows)
    for (const rule of rules) byRule.set(rule, (byRule.get(rule) ?? 0) + pods);
  const rules = Array.from(byRule, ([rule, pods]) => `${pods} ${rule}`).join(', ');
  const asked = `${count('agrees')} agree, ${count('differs by rule')} differ by rule${rules === '' ? '' : ` (${rules})`}, ${count('differs')} differ`;
  const rest = left === 0 ? '' : `; ${left} are left, because --most allows no more questions`;
  return `Pods: ${asked}; ${count('not asked')} were not asked${rest}.`;
}
