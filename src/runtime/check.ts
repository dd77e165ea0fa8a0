/** Checks that the webhook decides on pods: creates a pod as a dry run, and looks at the result. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Config } from '../config/config.ts';
import { AUTO, DECISION } from '../core/annotations.ts';
import { isObject, partOf, readText, type JsonObject } from '../core/kubernetes/json.ts';
import type { PodDryRun } from '../sources/kubernetes/pod-dry-run.ts';

interface CheckOptions {
  /** The namespace in which the pod would be created. */
  readonly namespace: string;
  /** How long to try, because a fresh installation takes a moment. */
  readonly timeoutMs: number;
}

interface CheckResult {
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

/**
 * Tries until a pod is decided or the time is over; the last try may take a second longer.
 * @throws what the last try threw: the pod was refused, or there was no answer
 */
export async function checkPodsAreDecided(
  { kubeconfig, kubeContext }: Config,
  { namespace, timeoutMs }: CheckOptions,
): Promise<CheckResult> {
  const { connectPodDryRuns } = await import('../sources/kubernetes/connect.ts');
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

function readResult({ pod, warnings }: PodDryRun): CheckResult {
  const record = parseDecision(readText(partOf(partOf(pod, 'metadata'), 'annotations')[DECISION]));
  if (!isObject(record)) return { decision: undefined, warnings };
  const { outcome, why } = record;
  return { decision: { outcome: readText(outcome) ?? '', why: readText(why) ?? '' }, warnings };
}

/** Undefined if the annotation is no JSON: then another program wrote it. */
function parseDecision(text: string | undefined): unknown {
  try {
    return text === undefined ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}
