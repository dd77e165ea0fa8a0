/** `imc check`: says whether the webhook decides on the pods of a cluster, and what to look at if it does not. */
import { loadConfig } from '../config/load.ts';
import { DURATION } from '../config/value-type.ts';
import { checkPodsAreDecided } from '../runtime/check.ts';
import type { Command } from './command.ts';
import { flagValue } from './flag-values.ts';

const DEFAULTS = { namespace: 'default', timeout: '10s' };

export const check: Command = {
  name: 'check',
  summary: 'Create a pod as a dry run, and say whether the webhook decided it.',
  usage: 'imc check [--namespace NAME] [--timeout DURATION] [--kubeconfig FILE]',
  flags: [
    {
      name: 'namespace',
      short: 'n',
      value: 'NAME',
      help: `Namespace in which the pod would be created; one that the webhook serves. Default ${DEFAULTS.namespace}.`,
    },
    {
      name: 'timeout',
      value: 'DURATION',
      help: `How long to try again, if the pod is not decided. Default ${DEFAULTS.timeout}.`,
    },
  ],
  settings: ['kubeconfig', 'kubeContext'],
  run: async (flags, io) => {
    const namespace = flags.one('namespace') ?? DEFAULTS.namespace;
    const timeout = flags.one('timeout') ?? DEFAULTS.timeout;
    const timeoutMs = flagValue(flags, 'timeout', DEFAULTS.timeout, DURATION);
    const config = loadConfig(undefined, flags.settings);
    const { decision, warnings } = await checkPodsAreDecided(config, { namespace, timeoutMs });
    for (const warning of warnings) io.err.write(`imc check: warning: ${warning}\n`);
    if (decision) {
      io.out.write(
        `The webhook decides pods of namespace ${namespace}. Decision for a test pod: ${decision.outcome}, ${decision.why}.\n`,
      );
      return 0;
    }
    io.err.write(
      `imc check: the webhook did not decide a pod of namespace ${namespace} within ${timeout}. ` +
        'Either the API server does not send it pods of this namespace, or it gets no answer that it trusts. ' +
        'See "Pods are created without an answer" in docs/operations.md\n',
    );
    return 1;
  },
};
