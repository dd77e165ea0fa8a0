/** Which metrics a decision adds to, and how much. */
import type { Decision } from '../core/decision/decide.ts';
import { lackingImages } from '../core/decision/explanation.ts';
import type { Count } from '../http/tally.ts';
import type { Review } from './admission-review.ts';
import type { Metrics } from './metrics.ts';

/**
 * The amounts that a decision adds to the metrics. They are computed once and remembered with the answer, because a
 * remembered answer is used thousands of times and adds the same amounts each time.
 */
export interface Increments {
  readonly counts: readonly { readonly count: Count; readonly by: number }[];
  readonly missedImages: readonly string[];
}

/** The label `operation` of a decision. */
export const OPERATION = { pod: 'create', binding: 'bind', other: 'other' } as const;

export function incrementsOf(decision: Decision, target: Review['target'], metrics: Metrics): Increments {
  const { outcome, reason, degree, images, maker, match, warnings } = decision;
  const operation = OPERATION[target];
  const counts = [
    { count: metrics.decisions.at({ operation, outcome, reason }), by: 1 },
    { count: metrics.warnings.at({}), by: warnings.length },
  ];
  if (images && (outcome === 'hit' || outcome === 'partial' || outcome === 'miss')) {
    const cached = { yes: degree.exact, no: images.count - degree.exact };
    // A count of 0 is written too: the series must exist before its first increase, or rate() misses it.
    for (const [label, number] of Object.entries(cached))
      counts.push({ count: metrics.podImages.at({ cached: label }), by: number });
  }
  for (const [filter, number] of match?.refused ?? [])
    counts.push({ count: metrics.refusals.at({ filter }), by: number });
  if (maker !== undefined) counts.push({ count: metrics.createOnMiss.at({ by: maker }), by: 1 });
  return { counts, missedImages: lackingImages(decision) };
}

export function addToMetrics({ counts, missedImages }: Increments, metrics: Metrics): void {
  for (const { count, by } of counts) count.count += by;
  for (const image of missedImages) metrics.missedImages.inc(image);
}
