import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NumberColumn } from '../../src/index/number-column.ts';

describe('NumberColumn', () => {
  it('holds what was pushed since it was last cleared, however much that is', () => {
    const column = new NumberColumn();
    const numbers = fc.array(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), {
      maxLength: 1000,
      size: 'max',
    });
    fc.assert(
      fc.property(numbers, (pushed) => {
        for (const number of pushed) column.push(number);
        expect(column).toHaveLength(pushed.length);
        expect([...column.numbers]).toEqual(pushed);
        column.clear();
        expect(column).toHaveLength(0);
        expect([...column.numbers]).toEqual([]);
      }),
    );
  });
});
