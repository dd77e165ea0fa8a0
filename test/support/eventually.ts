/** Waits until a condition holds. */
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Repeats a check until it does not throw.
 * @param within milliseconds
 * @returns the result of the check
 * @throws what the check threw last
 */
export async function eventually<T>(check: () => T | Promise<T>, within = 10_000): Promise<T> {
  const until = performance.now() + within;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (performance.now() > until) throw error;
    }
    await sleep(20);
  }
}
