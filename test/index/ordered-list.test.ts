import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mergeSorted } from '../../src/index/merge.ts';
import { OrderedList } from '../../src/index/ordered-list.ts';

const ascending = (a: number, b: number): number => a - b;

describe('OrderedList', () => {
  it('is a sorted array, through any additions and removals, also over many chunks', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 3000 }), { maxLength: 4000, size: 'max' }),
        (numbers) => {
          const list = new OrderedList<number>(ascending);
          const model = new Set<number>();
          for (const number of numbers) {
            // A number that comes again goes.
            if (model.delete(number)) list.delete(number);
            else {
              model.add(number);
              list.add(number);
            }
          }
          const sorted = [...model].sort(ascending);
          expect([...list]).toEqual(sorted);
          expect(list.size).toBe(sorted.length);
          expect(list.first).toBe(sorted[0]);
          for (const bound of [0, 1, 1500, 3000, 3001]) {
            expect([...list.from((number) => number < bound)]).toEqual(
              sorted.filter((number) => number >= bound),
            );
            expect(list.lastBefore((number) => number < bound)).toBe(
              sorted.findLast((number) => number < bound),
            );
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  it('says so where an item to remove is not in its place', () => {
    const list = new OrderedList<number>(ascending);
    list.add(1);
    expect(() => list.delete(2)).toThrow('not where its order says');
    expect([...list]).toEqual([1]);
  });
});

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
