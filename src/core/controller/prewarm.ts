/**
 * Chooses which workloads to pre-warm, and when. misses.ts and plan.ts then treat the pods that the templates of these
 * workloads will make like real pods.
 */
import { PREWARM } from '../annotations.ts';
import type { View } from '../decision/view.ts';
import { Alarm } from './alarm.ts';
import { isSwitchedOff } from './misses.ts';
import { GIVEN_UP_AFTER } from './plan.ts';
import { qualified, type WatchedPod } from './watched-pod.ts';
import type { ComingPod, WatchedWorkload } from './watched-workload.ts';

export interface PrewarmOptions {
  /** Whether to pre-warm a workload if no label says `enabled` or `disabled`. */
  readonly unlabelled: boolean;
  /** Namespaces that are never pre-warmed: the API server does not send their pods to the webhook. */
  readonly except: ReadonlySet<string>;
}

/** The workloads, and the pull secrets that their pods will get. */
export interface Workloads {
  /** Empty until all workloads are known. */
  workloads(): Iterable<WatchedWorkload>;
  /** Names of the Secrets that pods of this ServiceAccount get if they name none. */
  pullSecretsOf(namespace: string, account: string): readonly string[];
}

export interface ComingPods {
  readonly pods: readonly WatchedPod[];
  /** When the result changes without an event; Infinity: never. */
  readonly reconcileAgainAtMs: number;
}

/**
 * Milliseconds for which a template must stay unchanged, because a pipeline or a controller may write several times in
 * a row. Knative also needs up to this long to make the Deployment of a revision.
 */
export const SETTLED_AFTER = 10_000;

/** The label that Knative puts on the objects that it makes for a Service. */
const KNATIVE_SERVICE = { kind: 'serving.knative.dev/Service', label: 'serving.knative.dev/service' };

/**
 * The pods of all templates that changed within the last day, and have been unchanged for SETTLED_AFTER.
 * @param now milliseconds since 1970
 */
export function comingPods(known: Workloads, view: View, options: PrewarmOptions, now: number): ComingPods {
  const pods: WatchedPod[] = [];
  const alarm = new Alarm(now);
  const recent = [...known.workloads()].filter(({ changedAtMs }) => now - changedAtMs < GIVEN_UP_AFTER);
  const revised = newestRevisions(recent);
  for (const workload of recent) {
    const { changedAtMs } = workload;
    if ((revised.get(nameOf(workload)) ?? -Infinity) >= changedAtMs) continue;
    if (!counts(workload, view, options)) continue;
    if (!alarm.isDue(changedAtMs + SETTLED_AFTER)) continue;
    pods.push(...workload.pods.filter(isSent).map((coming) => withPullSecrets(coming, known)));
  }
  return { pods, reconcileAgainAtMs: alarm.atMs };
}

/**
 * When Knative last changed a workload of each Knative Service. A Service that has not changed since then is skipped,
 * because only its Deployment has the image by digest and the queue-proxy, as the pods will.
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

/** The label of the workload wins over the label of its namespace. */
function counts({ subject, labels }: WatchedWorkload, view: View, options: PrewarmOptions): boolean {
  if (options.except.has(subject.namespace)) return false;
  const ofNamespace = view.namespaceLabels(subject.namespace);
  if (isSwitchedOff(ofNamespace)) return false;
  const label = labels.get(PREWARM.label) ?? ofNamespace.get(PREWARM.label);
  return label === PREWARM.on || (label !== PREWARM.off && options.unlabelled);
}

/** Whether the API server will send the workload's pods to the webhook: if not, nothing would give them the cache. */
function isSent({ watched: { content } }: ComingPod): boolean {
  return content !== undefined && !isSwitchedOff(content.pod.labels);
}

/** Adds the Secrets of the ServiceAccount if the pod names none, as the ServiceAccount admission plugin does. */
export function withPullSecrets(
  { watched, account }: ComingPod,
  known: Pick<Workloads, 'pullSecretsOf'>,
): WatchedPod {
  const { content } = watched;
  if (!content || content.pullSecrets.length > 0) return watched;
  const { namespace } = content.pod;
  const pullSecrets = qualified(known.pullSecretsOf(namespace, account), namespace);
  // The same object, so that what it lacks stays remembered (lacks.ts).
  if (pullSecrets.length === 0) return watched;
  return { ...watched, content: { ...content, pullSecrets } };
}
