/** Owns how long to wait after a failure: longer each time, never all clients at once, never in vain. */

/** Milliseconds before the second attempt, at most. */
const FIRST = 200;
/** Milliseconds. A server that asks for more is asked again all the same: it may have been mistaken. */
const LONGEST_RETRY_AFTER = 60_000;

/**
 * Doubles from attempt to attempt up to a limit; of that, half is fixed and half is chance, so that clients that lost
 * the same server do not come back together.
 * @param failures in a row, 1 or more
 * @param limit milliseconds
 * @param retryAfter milliseconds that the server asked for; chance only ever adds to it
 * @param random from 0 to 1
 * @returns milliseconds
 */
export function backoffDelay(
  failures: number,
  limit: number,
  retryAfter: number | undefined,
  random: number,
): number {
  const ceiling = Math.min(FIRST * 2 ** Math.min(failures - 1, 30), limit);
  const asked = Math.min(retryAfter ?? 0, LONGEST_RETRY_AFTER);
  return asked > 0 ? asked + (ceiling * random) / 2 : (ceiling * (1 + random)) / 2;
}
