/** The checks of `imc check`, each of which looks at one thing that must hold for pods to be decided. */
import type { Config } from '../../config/config.ts';
import { messageOf } from '../../core/kubernetes/problem.ts';
import { isForbidden, type ApiQuestions } from '../../sources/kubernetes/api-questions.ts';
import { checkQuota } from './caches.ts';
import { failed, skipped, type CheckFinding, type CheckOptions } from './finding.ts';
import { checkFreshness } from './freshness.ts';
import { checkInstallation, checkTrust, readInstallation, type Installation } from './installation.ts';
import { checkPods } from './pods.ts';
import { checkRights } from './rights.ts';

interface Subject {
  readonly api: ApiQuestions;
  readonly config: Config;
  readonly options: CheckOptions;
  /** Undefined if there is none. */
  readonly installation: () => Promise<Installation | undefined>;
}

type Check = (subject: Subject) => Promise<CheckFinding>;

const NOT_INSTALLED = skipped('There is no webhook to look at.');

/** In the order in which they are shown. */
const CHECKS: ReadonlyMap<string, Check> = new Map<string, Check>([
  ['pods', ({ config, options }) => checkPods(config, options)],
  [
    'installation',
    async ({ api, config, installation }) =>
      checkInstallation(api, config.tls.managed.webhookConfiguration, await installation()),
  ],
  [
    'trust',
    async ({ installation }) => {
      const installed = await installation();
      return installed ? checkTrust(installed, Date.now()) : NOT_INSTALLED;
    },
  ],
  ['rights', async ({ api, installation }) => checkRights(api, await installation().catch(() => undefined))],
  ['quota', ({ config }) => checkQuota(config)],
  [
    'staleness',
    async ({ api, config, installation }) => {
      const installed = await installation();
      return installed ? checkFreshness(api, installed, config.maxStalenessMs) : NOT_INSTALLED;
    },
  ],
]);

export const CHECK_NAMES: readonly string[] = [...CHECKS.keys()];

export interface NamedFinding extends CheckFinding {
  readonly check: string;
}

/** Runs checks at the same time. @param names of CHECK_NAMES @throws if no cluster is configured */
export async function runChecks(
  config: Config,
  names: readonly string[],
  options: CheckOptions,
): Promise<NamedFinding[]> {
  const { connectApiQuestions } = await import('../../sources/kubernetes/connect.ts');
  const signal = AbortSignal.timeout(Math.max(options.timeoutMs, LEAST_TIME_MS));
  const api = connectApiQuestions(config.kubeconfig, config.kubeContext, signal);
  let reading: Promise<Installation | undefined> | undefined;
  const installation = (): Promise<Installation | undefined> =>
    (reading ??= readInstallation(api, config.tls.managed.webhookConfiguration));
  const subject: Subject = { api, config, options, installation };
  const chosen = [...CHECKS].filter(([name]) => names.includes(name));
  return Promise.all(
    chosen.map(async ([check, run]) => ({ check, ...(await resultOf(run(subject), signal)) })),
  );
}

/** Milliseconds that the checks have at least, however short the timeout for the test pod is. */
const LEAST_TIME_MS = 2000;

async function resultOf(running: Promise<CheckFinding>, signal: AbortSignal): Promise<CheckFinding> {
  try {
    return await running;
  } catch (error) {
    if (isForbidden(error))
      return skipped(`${messageOf(error)}.`, 'Ask for the right, or leave this check out.');
    return signal.aborted
      ? failed(
          'There was no answer in time.',
          'Look at the load of the API server, or give a longer --timeout.',
        )
      : failed(`${messageOf(error)}.`, 'Look at the connection to the API server.');
  }
}
