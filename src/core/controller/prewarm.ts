/**
 * Owns whose pods are thought of before they come: which workloads have a cache made for their template, and when. What
 * is missed by them then is found, and kept within the quota, as if they were there (misses.ts, plan.ts).
 */
import { PREWARM, WEBHOOK_SWITCH } from '../annotations.ts';
import type { StringMap } from '../kubernetes/json.ts';
import type { View } from '../decision/view.ts';
import { GIVEN_UP_AFTER } from './plan.ts';
import { qualified, type WatchedPod } from './watched-pod.ts';
import type { ComingPod, WatchedWorkload } from './watched-workload.ts';

export interface PrewarmOptions {
  /** Whether those count that are not labelled either way. */
  readonly unlabelled: boolean;
  /** Namespaces that never count: their pods are not sent to the webhook. */
  readonly except: ReadonlySet<string>;
}

/** What the next pods will be. */
export interface Workloads {
  /** Empty until all of them are known. */
  workloads(): Iterable<WatchedWorkload>;
  /** Names of the Secrets that pods of a ServiceAccount get where they name none. */
  pullSecretsOf(namespace: string, account: string): readonly string[];
}

export interface ComingPods {
  readonly pods: readonly WatchedPod[];
  /** When time alone makes another answer; milliseconds since 1970, Infinity for never. */
  readonly lookAgainAtMs: number;
}

/**
 * Milliseconds for which a template must have stood: who writes several times in a row (a pipeline, a controller that
 * defaults) means the last. Long enough for Knative to have made the Deployment of a revision.
 */
export const SETTLED_AFTER = 10_000;

/** Knative's, on what it makes for a Service. */
const KNATIVE_SERVICE = { kind: 'serving.knative.dev/Service', label: 'serving.knative.dev/service' };

/**
 * The pods of all templates that have changed within the last day, and stood since.
 * @param now milliseconds since 1970
 */
export function comingPods(known: Workloads, view: View, options: PrewarmOptions, now: number): ComingPods {
  const pods: WatchedPod[] = [];
  let lookAgainAtMs = Infinity;
  const recent = [...known.workloads()].filter(({ changedAtMs }) => now - changedAtMs < GIVEN_UP_AFTER);
  const revised = newestRevisions(recent);
  for (const workload of recent) {
    const { changedAtMs } = workload;
    if ((revised.get(nameOf(workload)) ?? -Infinity) >= changedAtMs) continue;
    if (!counts(workload, view, options)) continue;
    if (now - changedAtMs < SETTLED_AFTER)
      lookAgainAtMs = Math.min(lookAgainAtMs, changedAtMs + SETTLED_AFTER);
    else pods.push(...workload.pods.filter(isSent).map((coming) => withPullSecrets(coming, known)));
  }
  return { pods, lookAgainAtMs };
}

/**
 * When the last Deployment of each Knative Service was made. It has what its pods will have, the Service has not: the
 * image by its digest, and the queue-proxy.
 */
function newestRevisions(workloads: readonly WatchedWorkload[]): Map<string, number> {
  const newest = new Map<string, number>();
  for (const { labels, subject, changedAtMs } of workloads) {
    const service = labels.get(KNATIVE_SERVICE.label);
    if (service === undefined) continue;
    const name = `${KNATIVE_SERVICE.kind} ${subject.namespace}/${service}`;
    newest.set(name, Math.max(newest.get(name) ?? 0, changedAtMs));
  }
  return newest;
}

function nameOf({ groupKind, subject: { namespace, name } }: WatchedWorkload): string {
  return `${groupKind} ${namespace}/${name}`;
}

/** The workload's own label speaks before that of its namespace. */
function counts({ subject, labels }: WatchedWorkload, view: View, options: PrewarmOptions): boolean {
  if (options.except.has(subject.namespace)) return false;
  const ofNamespace = view.namespaceLabels(subject.namespace);
  if (isSwitchedOff(ofNamespace)) return false;
  const label = labels.get(PREWARM.label) ?? ofNamespace.get(PREWARM.label);
  return label === PREWARM.on || (label !== PREWARM.off && options.unlabelled);
}

/** Whether the webhook will be asked about it: if not, nobody will give it the cache. */
function isSent({ watched: { pod } }: ComingPod): boolean {
  return !isSwitchedOff(pod.labels);
}

function isSwitchedOff(labels: StringMap): boolean {
  return labels.get(WEBHOOK_SWITCH.label) === WEBHOOK_SWITCH.off;
}

/** As admission does: the account's only where the pod has none of its own. */
function withPullSecrets({ watched, account }: ComingPod, known: Workloads): WatchedPod {
  if (watched.pullSecrets.length > 0) return watched;
  const { namespace } = watched.pod;
  return { ...watched, pullSecrets: qualified(known.pullSecretsOf(namespace, account), namespace) };
}
