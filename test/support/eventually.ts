/** Waits for what becomes true a little later. */
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Tries again until the check no longer throws.
 * @param within milliseconds
 * @returns what the check returns
 * @throws what it threw last
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
