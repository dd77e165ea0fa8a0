/** `imc check`: says whether the webhook decides on the pods of a cluster, what else is amiss, and what to do about it. */
import { styleText } from 'node:util';
import { loadConfig } from '../config/load.ts';
import { DURATION } from '../config/value-type.ts';
import { CHECK_NAMES, runChecks, type NamedFinding } from '../runtime/check/check.ts';
import { alignColumns } from './columns.ts';
import { UsageError, withSource, type Command } from './command.ts';
import { chosenFormat, flagValue } from './flag-values.ts';
import { objectFormats } from './output.ts';

const DEFAULTS = { namespace: 'default', timeout: '10s' };

type Format = (findings: readonly NamedFinding[], colour: boolean) => string;

const FORMATS: ReadonlyMap<string, Format> = new Map<string, Format>([
  ['table', formatTable],
  ...objectFormats<readonly NamedFinding[]>((findings) => findings),
]);

const STYLES = { ok: 'green', warning: 'yellow', failed: 'red', skipped: 'dim' } as const;

export const check: Command = {
  name: 'check',
  summary:
    'Say whether pods are decided, and whether installation, trust, rights, quota and index are as they should be.',
  usage:
    'imc check [--namespace NAME] [--only CHECK]… [--timeout DURATION] [--kubeconfig FILE] [-o table|json|yaml]',
  flags: [
    {
      name: 'namespace',
      short: 'n',
      value: 'NAME',
      help: `Namespace in which a pod is created as a dry run; one that the webhook serves. Default ${DEFAULTS.namespace}.`,
    },
    {
      name: 'only',
      value: CHECK_NAMES.join('|'),
      many: true,
      help: 'Make only this check. May be given more than once.',
    },
    {
      name: 'timeout',
      value: 'DURATION',
      help: `How long to try again, if the pod is not decided; and the time for all checks. Default ${DEFAULTS.timeout}.`,
    },
    {
      name: 'output',
      short: 'o',
      value: 'table|json|yaml',
      help: 'json: one object a check, one a line. Default table.',
    },
  ],
  settings: [
    'kubeconfig',
    'kubeContext',
    'region.name',
    'region.api',
    'region.endpoint',
    'maxStaleness',
    'tls.managed.webhookConfiguration',
  ],
  run: async (flags, io) => {
    const format = chosenFormat(flags, FORMATS);
    const namespace = flags.one('namespace') ?? DEFAULTS.namespace;
    const timeoutMs = flagValue(flags, 'timeout', DEFAULTS.timeout, DURATION);
    const only = flags.all('only');
    const unknown = only.find((name) => !CHECK_NAMES.includes(name));
    if (unknown !== undefined)
      throw new UsageError(
        `--only is ${JSON.stringify(unknown)}; it must be one of ${CHECK_NAMES.join(', ')}`,
      );
    const config = withSource(loadConfig(undefined, flags.settings));
    const onWarning = (warning: string): unknown => io.err.write(`imc check: warning: ${warning}\n`);
    const names = only.length > 0 ? only : CHECK_NAMES;
    const findings = await runChecks(config, names, { namespace, timeoutMs, onWarning });
    io.out.write(format(findings, io.hasColours));
    return findings.some(({ result }) => result === 'failed') ? 1 : 0;
  },
};

function formatTable(findings: readonly NamedFinding[], colour: boolean): string {
  const rows = alignColumns(findings.map(({ check: name, result, says }) => [name, result, says]));
  const width = Math.max(...findings.map(({ check: name }) => name.length));
  const lines = findings.flatMap(({ result, todo }, i) => {
    const row = rows[i] ?? '';
    const painted = colour ? styleText(STYLES[result], row, { validateStream: false }) : row;
    return [painted, ...(todo === undefined ? [] : [`${' '.repeat(width + 2)}${todo}`])];
  });
  return `${lines.join('\n')}\n`;
}
