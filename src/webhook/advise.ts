/**
 * The route POST /advise, for a validating webhook that denies nothing: it gives the author of a workload advice about image
 * caches as warnings, when the workload is created, and when its pods or its own annotations change (docs/advice.md).
 */
import type { FastifyBaseLogger, FastifyPluginCallback } from 'fastify';
import { advise, isSameForAdvice } from '../core/advice/advise.ts';
import { describeFinding, type Finding } from '../core/advice/finding.ts';
import type { DecisionOptions } from '../core/decision/options.ts';
import type { View } from '../core/decision/view.ts';
import { limitWarnings, MAX_WARNING_LENGTH } from '../core/decision/warnings.ts';
import { isObject, readText, partOf } from '../core/kubernetes/json.ts';
import { messageOf, Unreadable } from '../core/kubernetes/problem.ts';
import { isOwned } from '../core/workload/owner.ts';
import { ALLOWED_AS_IT_IS, encodeWarnings, type EncodedResponse, type Review } from './admission-review.ts';
import { admissionRoute, type AdmissionRouteOptions } from './admission-route.ts';
import type { Metrics } from './metrics.ts';

export interface AdviseOptions extends AdmissionRouteOptions {
  readonly log: FastifyBaseLogger;
  readonly view: View;
  readonly decision: DecisionOptions;
  readonly metrics: Metrics;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** More would not be read. */
const MOST_WARNINGS = 5;

export const adviseRoute: FastifyPluginCallback<AdviseOptions> = (app, options, done) => {
  admissionRoute(app, '/advise', options, options.metrics.adviceSeconds, (review) => answer(review, options));
  done();
};

function answer(review: Review, options: AdviseOptions): EncodedResponse {
  const { log, metrics } = options;
  try {
    const findings = findingsOf(review, options);
    if (findings.length === 0) return ALLOWED_AS_IT_IS;
    if (!review.dryRun) for (const { rule } of findings) metrics.advice.inc({ rule });
    return encodeWarnings(limitWarnings(warningsOf(findings)));
  } catch (error) {
    // The API server refuses what cannot be read, or its controller does.
    if (error instanceof Unreadable) return ALLOWED_AS_IT_IS;
    metrics.internalErrors.inc();
    log.error({ error, problem: messageOf(error) }, 'internal error; the workload is allowed without advice');
    return ALLOWED_AS_IT_IS;
  }
}

/** One for each rule, so that none takes the place of others; it counts what else the rule has found. */
function warningsOf(findings: readonly Finding[]): string[] {
  const byRule = [...Map.groupBy(findings, ({ rule }) => rule).values()];
  return byRule.slice(0, MOST_WARNINGS).flatMap(([first, ...others]) => {
    if (!first) return [];
    const more = others.length === 0 ? '' : ` (and ${others.length} more such fields)`;
    return `${describeFinding(first, MAX_WARNING_LENGTH - more.length)}${more}`;
  });
}

function findingsOf(
  { operation, object, oldObject, namespace }: Review,
  { view, decision, now }: AdviseOptions,
): Finding[] {
  const isWritten = operation === 'CREATE' || operation === 'UPDATE';
  if (!isWritten || !isObject(object) || isOwned(object)) return [];
  if (isObject(oldObject) && isSameForAdvice(oldObject, object)) return [];
  const where = namespace ?? readText(partOf(object, 'metadata')['namespace']) ?? 'default';
  return advise(object, where, view, decision, now());
}
