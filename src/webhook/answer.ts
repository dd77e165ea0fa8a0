/**
 * Answers a review: reads the pod, decides on it, counts and logs the decision. If the webhook itself fails, or cannot
 * find or read the pod, it allows the pod unchanged.
 */
import type { FastifyBaseLogger } from 'fastify';
import { decideOnBinding, forUnknownCaller, readBinding, type Binding } from '../core/decision/binding.ts';
import { decide, decideOnUnreadable, leftAlone, type Decision } from '../core/decision/decide.ts';
import { explanationOf, type Explanation } from '../core/decision/explanation.ts';
import type { DecisionOptions } from '../core/decision/options.ts';
import { isVirtualNode } from '../core/decision/scope.ts';
import type { TrackedView } from '../core/decision/view.ts';
import { messageOf, Unreadable } from '../core/kubernetes/problem.ts';
import { readPod, UNREAD_POD, type Pod } from '../core/pod.ts';
import { ALLOWED_AS_IT_IS, encodeResponse, type EncodedResponse, type Review } from './admission-review.ts';
import { DecisionCache, type Decided } from './decision-cache.ts';
import { addToMetrics, incrementsOf, OPERATION, type Increments } from './decision-metrics.ts';
import { patchFor, patchForBinding, type Operation } from './json-patch.ts';
import type { Metrics } from './metrics.ts';

/** Finds a pod that has no node yet; rejects if there is none, or no answer in time. */
export type FindUnboundPod = (pod: {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string | undefined;
  /** Whether the caller is none of the API servers that are known. */
  readonly isForStranger: boolean;
}) => Promise<{ readonly pod: Pod; readonly from: 'watch' | 'get' }>;

export interface AnswerOptions {
  readonly log: FastifyBaseLogger;
  readonly view: TrackedView;
  readonly decision: DecisionOptions;
  readonly metrics: Metrics;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Undefined if bindings are not decided. */
  readonly findUnboundPod: FindUnboundPod | undefined;
}

/** Who asks: a known API server, anybody if none are known, or somebody else than those that are known. */
export type Caller = 'API server' | 'anybody' | 'stranger';

/** The parts of a decision that the webhook remembers for equal pods. */
interface Answer {
  readonly outcome: Decision['outcome'];
  readonly response: EncodedResponse;
  /** Undefined for a dry run, which counts nothing. */
  readonly increments: Increments | undefined;
  /** Undefined unless decisions are logged. */
  readonly explained: (Explanation & { readonly patch: readonly Operation[] }) | undefined;
}

/** Milliseconds between two lines of the log about bindings that are left alone; each counts those in between. */
const WARN_EVERY_MS = 1000;

export class Answering {
  readonly #options: AnswerOptions;
  readonly #cache: DecisionCache<Answer>;
  readonly #logsDecisions: boolean;
  /** Bindings that were left alone since the last line of the log about one. */
  #leftAlone = 0;
  #warnedAt = -Infinity;

  constructor(options: AnswerOptions) {
    this.#options = options;
    this.#cache = new DecisionCache(options.view, options.decision);
    this.#logsDecisions = ['debug', 'trace'].includes(options.log.level);
  }

  /** Answers the creation of a pod. Needs only data in memory, so no review waits for another. Never throws. */
  answerPod(review: Review): EncodedResponse {
    try {
      const started = performance.now();
      return this.#give(review, this.#decideOnPod(review), started);
    } catch (error) {
      return this.#letThrough(review, error);
    }
  }

  #decideOnPod(review: Review): Answer {
    const { view, decision: options, now } = this.#options;
    try {
      const pod = readPod(review.object, review.namespace);
      const nowMs = now();
      const decideAnew = (): Decided<Answer> => {
        const decision = decide(pod, view, options, nowMs);
        return { decision, answer: this.#toAnswer(review, decision, patchFor(pod, decision)) };
      };
      return this.#cache.remembered(pod, nowMs, decideAnew, !review.dryRun);
    } catch (error) {
      if (error instanceof Unreadable) return this.#toAnswer(review, decideOnUnreadable(error), []);
      throw error;
    }
  }

  #toAnswer({ dryRun, target }: Review, decision: Decision, patch: readonly Operation[]): Answer {
    const { metrics } = this.#options;
    return {
      outcome: decision.outcome,
      response: encodeResponse(decision, patch),
      increments: dryRun ? undefined : incrementsOf(decision, target, metrics),
      explained: this.#logsDecisions ? { ...explanationOf(decision), patch } : undefined,
    };
  }

  /**
   * Answers the binding of a pod to its node, with at most one request to the API server. Never rejects.
   * @param caller any other than a known API server could ask about pods of others
   */
  async answerBinding(review: Review, caller: Caller): Promise<EncodedResponse> {
    const { view, decision: options, findUnboundPod, now } = this.#options;
    const isKnown = caller === 'API server';
    if (!findUnboundPod) return ALLOWED_AS_IT_IS;
    try {
      const binding = readBinding(review.object, review.namespace);
      if (!isVirtualNode(binding.nodeName, view)) return ALLOWED_AS_IT_IS;
      const pod = await this.#find(review, binding, caller === 'stranger', findUnboundPod);
      const started = performance.now();
      const full = decideOnBinding(binding, pod, view, options, now());
      const decided = isKnown ? full : forUnknownCaller(full);
      return this.#give(review, this.#toAnswer(review, decided.decision, patchForBinding(decided)), started);
    } catch (error) {
      if (error instanceof PodNotFound)
        return this.#leaveAlone(review, 'PodNotFound', error.message, isKnown);
      if (error instanceof Unreadable)
        return this.#leaveAlone(
          review,
          'PodUnreadable',
          `the binding cannot be read: ${error.message}`,
          isKnown,
        );
      return this.#letThrough(review, error);
    }
  }

  async #find(
    { dryRun }: Review,
    { namespace, podName, podUid }: Binding,
    isForStranger: boolean,
    findUnboundPod: FindUnboundPod,
  ): Promise<Pod> {
    const count = (found: 'watch' | 'get' | 'none'): void => {
      if (!dryRun) this.#options.metrics.boundPods.inc({ found });
    };
    try {
      const { pod, from } = await findUnboundPod({ namespace, name: podName, uid: podUid, isForStranger });
      count(from);
      return pod;
    } catch (error) {
      count('none');
      const message = `no image cache chosen: pod ${namespace}/${podName} cannot be read: ${messageOf(error)}`;
      throw new PodNotFound(message, { cause: error });
    }
  }

  /** Counts and logs an answer that is about to be sent. @param started by performance.now() */
  #give({ uid, namespace, dryRun, target }: Review, answer: Answer, started: number): EncodedResponse {
    const { metrics, log } = this.#options;
    const { response, increments, explained } = answer;
    if (!dryRun) {
      if (increments) addToMetrics(increments, metrics);
      metrics.decisionSeconds.observe((performance.now() - started) / 1000);
    }
    if (explained) log.debug({ uid, namespace, dryRun, target, explanation: explained }, 'pod decided');
    return response;
  }

  /** Allows a binding unchanged, because the binding or its pod cannot be read. */
  #leaveAlone(
    { dryRun, target }: Review,
    reason: 'PodNotFound' | 'PodUnreadable',
    why: string,
    isKnown: boolean,
  ): EncodedResponse {
    const { metrics, log } = this.#options;
    const decision = leftAlone(UNREAD_POD, reason, why, isKnown ? [why] : []);
    if (!dryRun) metrics.decisions.inc({ operation: OPERATION[target], outcome: decision.outcome, reason });
    this.#leftAlone += 1;
    if (performance.now() - this.#warnedAt >= WARN_EVERY_MS) {
      log.warn({ reason, dryRun, why, bindings: this.#leftAlone }, 'binding left alone');
      this.#warnedAt = performance.now();
      this.#leftAlone = 0;
    }
    return encodeResponse(decision, []);
  }

  #letThrough({ uid }: Review, error: unknown): EncodedResponse {
    const { metrics, log } = this.#options;
    metrics.internalErrors.inc();
    log.error({ err: error, uid }, 'the webhook failed; the pod is let through as it is');
    return ALLOWED_AS_IT_IS;
  }
}

class PodNotFound extends Error {}
