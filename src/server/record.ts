/**
 * Owns what a decision adds to which metrics. A remembered decision is given out thousands of times a second, and adds the
 * same each time: what to add where is looked up once, and kept with it.
 */
import type { DecisionConfig } from '../core/config.ts';
import type { Explanation } from '../core/explain.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { Count } from '../metrics/tally.ts';

export interface Increment {
  readonly count: Count;
  readonly by: number;
}

export interface Recordable {
  readonly explanation: Explanation;
  /** Undefined until it is recorded for the first time. */
  increments: readonly Increment[] | undefined;
}

/** What the API server does with the pod. */
export const OPERATION = { pod: 'create', binding: 'bind', other: 'other' } as const;

/** @param by who makes the cache on a miss */
export function record(
  recordable: Recordable,
  subject: keyof typeof OPERATION,
  by: DecisionConfig['createOnMiss']['by'],
  metrics: Metrics,
): void {
  const { explanation } = recordable;
  recordable.increments ??= incrementsOf(explanation, OPERATION[subject], by, metrics);
  for (const increment of recordable.increments) increment.count.count += increment.by;
  for (const image of explanation.lacking) metrics.missedImages.inc(image);
}

function incrementsOf(
  { outcome, reason, degree, createOnMiss, refused, warnings }: Explanation,
  operation: string,
  by: string,
  metrics: Metrics,
): Increment[] {
  const isMatched = outcome === 'hit' || outcome === 'miss';
  const images = isMatched ? { yes: degree.exact, no: degree.images - degree.exact } : {};
  const increments = [
    { count: metrics.decisions.at({ operation, outcome, reason }), by: 1 },
    ...Object.entries(images).map(([cached, number]) => ({
      count: metrics.podImages.at({ cached }),
      by: number,
    })),
    { count: metrics.warnings.at({}), by: warnings.length },
    ...Object.entries(refused).map(([filter, number]) => ({
      count: metrics.refusals.at({ filter }),
      by: number,
    })),
  ];
  if (createOnMiss !== null) increments.push({ count: metrics.createOnMiss.at({ by }), by: 1 });
  return increments.filter((increment) => increment.by > 0);
}
