/** How long to wait after failures in a row. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { backoffDelay } from '../../../src/sources/kubernetes/backoff.ts';

const failures = fc.integer({ min: 1, max: 10_000 });
const limit = fc.integer({ min: 1000, max: 30_000 });
const random = fc.double({ min: 0, max: 1, noNaN: true });

it('the wait is between half of a ceiling and the ceiling, which doubles from 200 ms to the limit', () => {
  fc.assert(
    fc.property(failures, limit, random, (count, most, chance) => {
      const ceiling = Math.min(200 * 2 ** (count - 1), most);
      const delay = backoffDelay(count, most, undefined, chance);
      expect(delay).toBeGreaterThanOrEqual(ceiling / 2);
      expect(delay).toBeLessThanOrEqual(ceiling);
    }),
  );
});

it('the wait is never shorter than the server asks for, up to a minute, and differs between clients', () => {
  fc.assert(
    fc.property(
      failures,
      limit,
      fc.integer({ min: 1, max: 3_600_000 }),
      random,
      (count, most, asked, chance) => {
        const delay = backoffDelay(count, most, asked, chance);
        expect(delay).toBeGreaterThanOrEqual(Math.min(asked, 60_000));
        expect(delay).toBeLessThanOrEqual(Math.min(asked, 60_000) + most / 2);
      },
    ),
  );
  expect(backoffDelay(3, 10_000, 5000, 0.1)).not.toBe(backoffDelay(3, 10_000, 5000, 0.9));
});
