import fc from 'fast-check';
import { expect, it } from 'vitest';
import { compareTies, firstInOrder } from '../../../../src/core/decision/match/order.ts';

it('firstInOrder returns the beginning of the whole order', () => {
  const cache = fc.record({
    sizeBytes: fc.integer({ min: 1, max: 4 }),
    createdAtMs: fc.integer({ min: 1, max: 3 }),
    name: fc.string({ minLength: 1, maxLength: 3 }),
  });
  fc.assert(
    fc.property(
      fc.uniqueArray(cache, { selector: ({ name }) => name, maxLength: 40 }),
      fc.integer({ min: 0, max: 10 }),
      fc.integer({ min: 0, max: 5 }),
      (caches, count, targetBytes) => {
        const all = caches.toSorted((a, b) => compareTies(a, b, targetBytes));
        expect(firstInOrder(caches, count, targetBytes)).toEqual(all.slice(0, count));
      },
    ),
    { numRuns: 1000 },
  );
});
