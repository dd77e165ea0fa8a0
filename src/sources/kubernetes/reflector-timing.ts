/** The timeouts and intervals of a reflector, derived from maxStaleness. */

/** All in milliseconds. */
export interface Timing {
  /** How long the server is asked to keep a watch open; whole seconds. */
  readonly watchFor: number;
  /** A watch that delivers no byte for this long counts as dead. */
  readonly silence: number;
  /** How long the head of a response, or a page of a list, may take. */
  readonly answerWithin: number;
  /** The longest wait after failures in a row. */
  readonly backoffLimit: number;
  /** How often to look whether an absent kind was installed. */
  readonly absentRecheck: number;
}

/** @param maxStalenessMs how long the objects count as up to date if the API server does not confirm them */
export function timingFor(maxStalenessMs: number): Timing {
  const third = maxStalenessMs / 3;
  const watchFor = Math.min(Math.max(Math.floor(third / 1000), 1) * 1000, 300_000);
  return {
    watchFor,
    silence: watchFor + Math.min(third / 2, 5000),
    answerWithin: Math.min(third, 15_000),
    backoffLimit: Math.min(third, 10_000),
    absentRecheck: Math.min(third, 5000),
  };
}
