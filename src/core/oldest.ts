/** Owns how old several pieces of knowledge are together: as old as the oldest of them. */

/**
 * @param times milliseconds since 1970; undefined for what nothing is known of yet
 * @returns undefined where one of them is
 */
export function oldestOf(times: readonly (number | undefined)[]): number | undefined {
  let oldest = Infinity;
  for (const time of times) {
    if (time === undefined) return undefined;
    oldest = Math.min(oldest, time);
  }
  return oldest;
}
