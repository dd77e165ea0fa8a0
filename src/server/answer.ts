/**
 * Owns the answer to a review: the decision asked for, recorded, logged, and put into the words of an admission
 * response. A fault of ours lets the pod through as it is, and so does a pod that cannot be found or read.
 */
import type { FastifyBaseLogger } from 'fastify';
import { decideOnBinding, readBinding, type Binding } from '../core/binding.ts';
import type { DecisionConfig } from '../core/config.ts';
import { messageOf } from '../core/error-message.ts';
import { explain } from '../core/explain.ts';
import { Unreadable } from '../core/json.ts';
import type { ReasonCode } from '../core/match/reason.ts';
import type { Pod } from '../core/pod.ts';
import { isVirtualNode } from '../core/scope.ts';
import type { View } from '../core/view.ts';
import { limitWarnings } from '../core/warnings.ts';
import type { Metrics } from '../metrics/metrics.ts';
import { ALLOWED_AS_IT_IS, encodeAnswer, type EncodedAnswer, type Review } from './admission-review.ts';
import { OPERATION, record } from './record.ts';
import { answered, type Decided, type RecentDecisions } from './recent-decisions.ts';

/** Finds a pod that has no node yet; rejects where there is none, or no answer in time. */
export type FindUnboundPod = (pod: {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string | undefined;
}) => Promise<{ readonly pod: Pod; readonly from: 'watch' | 'get' }>;

export interface AnswerOptions {
  readonly log: FastifyBaseLogger;
  readonly view: View;
  readonly config: DecisionConfig;
  readonly metrics: Metrics;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Undefined where bindings are not decided. */
  readonly findUnboundPod: FindUnboundPod | undefined;
  /** Told the name of each ImageCache that a pod was given. */
  readonly onHit: (cacheName: string) => void;
}

/** The creation of a pod. Everything it needs is in memory: no request leaves us meanwhile. */
export function answerPod(review: Review, recent: RecentDecisions, options: AnswerOptions): EncodedAnswer {
  try {
    const started = performance.now();
    const decided = recent.decide(review.object, review.namespace, options.now());
    return conclude(review, decided, started, options);
  } catch (error) {
    return letThrough(review, error, options);
  }
}

/** The binding of a pod to its node: decided where the node is virtual. At most one request leaves us meanwhile. */
export async function answerBinding(review: Review, options: AnswerOptions): Promise<EncodedAnswer> {
  const { view, config, findUnboundPod, metrics, now } = options;
  if (!findUnboundPod) return ALLOWED_AS_IT_IS;
  try {
    const binding = readBinding(review.object, review.namespace);
    if (!isVirtualNode(binding.nodeName, view)) return ALLOWED_AS_IT_IS;
    const pod = await find(binding, findUnboundPod, (found) => {
      if (!review.dryRun) metrics.boundPods.inc({ found });
    });
    const started = performance.now();
    const { seen, decision, patch } = decideOnBinding(binding, pod, view, config, now());
    return conclude(review, answered({ ...explain(decision, seen), patch }), started, options);
  } catch (error) {
    if (error instanceof PodNotFound) return leftAlone(review, 'PodNotFound', error.message, options);
    if (error instanceof Unreadable)
      return leftAlone(review, 'PodUnreadable', `the binding cannot be read: ${error.message}`, options);
    return letThrough(review, error, options);
  }
}

class PodNotFound extends Error {}

async function find(
  { namespace, podName, podUid }: Binding,
  findUnboundPod: FindUnboundPod,
  count: (found: 'watch' | 'get' | 'none') => void,
): Promise<Pod> {
  try {
    const { pod, from } = await findUnboundPod({ namespace, name: podName, uid: podUid });
    count(from);
    return pod;
  } catch (error) {
    count('none');
    const message = `no image cache chosen: pod ${namespace}/${podName} cannot be read: ${messageOf(error)}`;
    throw new PodNotFound(message, { cause: error });
  }
}

function conclude(
  { uid, namespace, dryRun, subject }: Review,
  decided: Decided,
  started: number,
  { metrics, config, onHit, log }: AnswerOptions,
): EncodedAnswer {
  const { explanation, answer } = decided;
  if (!dryRun) {
    record(decided, subject, config.createOnMiss.by, metrics);
    metrics.decisionSeconds.observe((performance.now() - started) / 1000);
    if (explanation.outcome === 'hit' && explanation.cacheName !== null) onHit(explanation.cacheName);
  }
  log.debug({ uid, namespace, dryRun, subject, explanation }, 'decided');
  return answer;
}

/** There was nothing to decide on. */
function leftAlone(
  { dryRun, subject }: Review,
  reason: ReasonCode,
  why: string,
  { metrics, log }: AnswerOptions,
): EncodedAnswer {
  const outcome = 'skipped';
  if (!dryRun) metrics.decisions.inc({ operation: OPERATION[subject], outcome, reason });
  log.warn({ reason, dryRun }, why);
  return encodeAnswer({ patch: [], warnings: limitWarnings([why]), auditAnnotations: { outcome, reason } });
}

function letThrough({ uid }: Review, error: unknown, { metrics, log }: AnswerOptions): EncodedAnswer {
  metrics.internalErrors.inc();
  log.error({ err: error, uid }, 'the webhook failed; the pod is let through as it is');
  return ALLOWED_AS_IT_IS;
}
