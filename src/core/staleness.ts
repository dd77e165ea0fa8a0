/** Says whether the index can be trusted now: it must have been filled, and confirmed recently enough. */

export interface Staleness {
  readonly reason: 'IndexNotSynced' | 'IndexStale';
  readonly why: string;
}

/**
 * Why the index cannot be trusted at this moment; undefined if it can.
 * @param confirmedAtMs when the API server last confirmed the index; undefined before the first time
 */
export function stalenessOf(
  confirmedAtMs: number | undefined,
  maxStalenessMs: number,
  nowMs: number,
): Staleness | undefined {
  if (confirmedAtMs === undefined)
    return { reason: 'IndexNotSynced', why: 'the ImageCaches have not been read yet' };
  if (nowMs - confirmedAtMs <= maxStalenessMs) return undefined;
  return {
    reason: 'IndexStale',
    why: `the ImageCaches were last confirmed more than ${maxStalenessMs / 1000} s ago`,
  };
}

/** The oldest of several times; undefined if one of them is unknown. */
export function oldestOf(timesMs: readonly (number | undefined)[]): number | undefined {
  let oldest = Infinity;
  for (const time of timesMs) {
    if (time === undefined) return undefined;
    oldest = Math.min(oldest, time);
  }
  return oldest;
}
