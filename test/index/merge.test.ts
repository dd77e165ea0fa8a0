import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mergeSorted } from '../../src/index/merge.ts';

const ascending = (a: number, b: number): number => a - b;

describe('mergeSorted', () => {
  it('gives each item once, in order, whatever the sequences share', () => {
    const sorted = fc.uniqueArray(fc.integer({ min: 0, max: 50 })).map((numbers) => numbers.sort(ascending));
    fc.assert(
      fc.property(fc.array(sorted, { maxLength: 5 }), (sequences) => {
        expect([...mergeSorted(sequences, ascending)]).toEqual(
          [...new Set(sequences.flat())].sort(ascending),
        );
      }),
    );
  });

  it('reads no further than it is asked to', () => {
    let read = 0;
    const endless = function* (): Generator<number, undefined> {
      for (;;) yield read++;
    };
    mergeSorted([endless()], ascending).next();
    expect(read).toBe(1);
  });
});
