/** How long to wait after a failure: longer each time, and different for each client. */

/** Milliseconds before the second attempt, at most. */
const FIRST = 200;
/** Milliseconds. The client never waits longer than this, even if a server asks for more, perhaps by mistake. */
const LONGEST_RETRY_AFTER = 60_000;

/**
 * A wait that doubles with each failure, up to a limit. Half of the wait is fixed and half is random, so that clients
 * that lost the same server do not return together.
 * @param failures in a row, 1 or more
 * @param limit milliseconds
 * @param retryAfter milliseconds that the server asked for; the random part is added to it
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
