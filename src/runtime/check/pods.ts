/** Checks that the webhook decides on pods: creates a pod as a dry run, and looks at the result. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Config } from '../../config/config.ts';
import { AUTO, DECISION } from '../../core/annotations.ts';
import { partOf, type JsonObject } from '../../core/kubernetes/json.ts';
import { messageOf } from '../../core/kubernetes/problem.ts';
import { readDecision } from '../../core/truth/pod-truth.ts';
import type { PodDryRun } from '../../sources/kubernetes/pod-dry-run.ts';
import { failed, ok, type CheckFinding, type CheckOptions } from './finding.ts';

interface DryRunResult {
  /** The webhook's decision; undefined if there is none. */
  readonly decision: { readonly outcome: string; readonly why: string } | undefined;
  /** The warnings of the API server and of its webhooks. */
  readonly warnings: readonly string[];
}

const TRY_EVERY_MS = 500;
/** The shortest timeout of a try, however little time is left. */
const LEAST_TIME_MS = 1000;

/**
 * The test pod. The pod asks for a cache, so that a webhook that skips it warns and says why; and it meets the
 * strictest Pod Security Standard, so that no namespace refuses it.
 */
const POD: JsonObject = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: {
    generateName: 'imagecache-webhook-check-',
    labels: { 'alibabacloud.com/eci': 'true' },
    annotations: { [AUTO.modern]: 'true' },
  },
  spec: {
    securityContext: { runAsNonRoot: true, runAsUser: 65532, seccompProfile: { type: 'RuntimeDefault' } },
    containers: [
      {
        name: 'check',
        image: 'imagecache-webhook.invalid/check:1',
        resources: { requests: { cpu: '1m', memory: '1Mi' }, limits: { cpu: '1m', memory: '1Mi' } },
        securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
      },
    ],
  },
};

/** Tries until a pod is decided or the time is over, because a fresh installation takes a moment. */
export async function checkPods(
  config: Config,
  { namespace, timeoutMs, onWarning }: CheckOptions,
): Promise<CheckFinding> {
  try {
    const { decision, warnings } = await tryPods(config, namespace, timeoutMs);
    for (const warning of warnings) onWarning(warning);
    if (decision) {
      return ok(
        `The webhook decides pods of namespace ${namespace}. Decision for a test pod: ${decision.outcome}, ${decision.why}.`,
      );
    }
    return failed(
      `The webhook did not decide a pod of namespace ${namespace} within ${timeoutMs / 1000} s. ` +
        'Either the API server does not send it pods of this namespace, or it gets no answer that it trusts.',
      'See "Pods are created without an answer" in docs/operations.md.',
    );
  } catch (error) {
    return failed(
      `The test pod was not created: ${messageOf(error)}.`,
      'Give --namespace NAME, one that you may create pods in.',
    );
  }
}

/**
 * The last try may take a second longer.
 * @throws what the last try threw: the pod was refused, or there was no answer
 */
async function tryPods(
  { kubeconfig, kubeContext }: Config,
  namespace: string,
  timeoutMs: number,
): Promise<DryRunResult> {
  const { connectPodDryRuns } = await import('../../sources/kubernetes/connect.ts');
  const dryRuns = connectPodDryRuns(kubeconfig, kubeContext);
  const until = performance.now() + timeoutMs;
  for (;;) {
    const left = until - performance.now();
    try {
      // oxlint-disable-next-line no-await-in-loop -- one try after the other
      const result = readResult(await dryRuns.create(namespace, POD, Math.max(left, LEAST_TIME_MS)));
      if (result.decision || left <= 0) return result;
    } catch (error) {
      if (left <= 0) throw error;
    }
    // oxlint-disable-next-line no-await-in-loop
    await sleep(TRY_EVERY_MS);
  }
}

function readResult({ pod, warnings }: PodDryRun): DryRunResult {
  const annotations = partOf(partOf(pod, 'metadata'), 'annotations');
  const { outcome, why } = readDecision(annotations[DECISION]);
  return { decision: outcome === 'none' ? undefined : { outcome, why }, warnings };
}
