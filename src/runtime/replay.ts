/** Replays a trace under several policies, each a configuration of its own. */
import { loadConfig } from '../config/load.ts';
import type { Config } from '../config/config.ts';
import { partOf, readText } from '../core/kubernetes/json.ts';
import type { Outcome } from '../replay/account.ts';
import { traceOfHistory } from '../replay/history.ts';
import { replay, type World } from '../replay/replay.ts';
import type { Trace } from '../replay/trace.ts';
import { readHistory } from './connect.ts';
import { decideOffline, loadIndex } from './offline.ts';
import { reconcilerOptions } from './reconciler-options.ts';

export interface Policy {
  readonly name: string;
  /** Values by the path of their setting; the other settings are as the configuration has them. */
  readonly settings: ReadonlyMap<string, string>;
}

export interface PolicyOutcome extends Outcome {
  readonly policy: string;
}

/**
 * One policy after the other.
 * @param common settings of all policies
 * @throws ConfigError if a setting has an invalid value
 */
export async function* replayPolicies(
  trace: Trace,
  policies: readonly Policy[],
  common: ReadonlyMap<string, string>,
  world: World,
): AsyncGenerator<PolicyOutcome> {
  const configs = policies.map(({ settings }) => loadConfig(undefined, new Map([...common, ...settings])));
  for (const [i, { name }] of policies.entries()) {
    const config = configs[i];
    // oxlint-disable-next-line no-await-in-loop -- two at once would not be faster
    if (config) yield { policy: name, ...(await replay(trace, reconcilerOptions(config), world)) };
  }
}

/**
 * The pod creations of a cluster or a folder that are known and that would go to ECI.
 * @param onProblem called for each object that cannot be read
 * @throws if the source cannot be read
 */
export async function readTraceOf(
  config: Config,
  onProblem: (problem: string) => void,
  now: number,
): Promise<Trace> {
  const index = await loadIndex(config, onProblem, () => now);
  const objects = await readHistory(config);
  return traceOfHistory(
    objects,
    (pod) => {
      const namespace = readText(partOf(pod, 'metadata')['namespace']) ?? 'default';
      return decideOffline(pod, namespace, index, config, now).decision.sign !== undefined;
    },
    now,
  );
}
