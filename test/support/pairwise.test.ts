import fc from 'fast-check';
import { expect, it } from 'vitest';
import { pairwise } from './pairwise.ts';

it('any two values of two switches are together in one of the combinations, which are few', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 2, maxLength: 10 }), (sizes) => {
      const combinations = pairwise(sizes);
      const largest = sizes.toSorted((a, b) => b - a);
      const fewest = largest[0]! * largest[1]!;
      expect(combinations.length).toBeLessThanOrEqual(3 * fewest + sizes.length);
      for (const [a, ofA] of sizes.entries())
        for (const [b, ofB] of sizes.entries()) {
          if (a >= b) continue;
          const met = new Set(combinations.map((each) => `${each[a]} ${each[b]}`));
          expect(met.size).toBe(ofA * ofB);
        }
    }),
  );
});
