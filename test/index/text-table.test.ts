import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hashText } from '../../src/core/text-hash.ts';
import { TextTable } from '../../src/index/text-table.ts';

/** Few, so that many texts share one and stand in each other's way. */
const hashOf = (text: string): number => [0, 1, -1, 7, 2 ** 31 - 1][text.length % 5]!;
const keyOf = (number: number): string => 'x'.repeat(number % 7) + number;

describe('TextTable', () => {
  it.each([
    ['that share few hashes', hashOf],
    ['of hashes of their own', hashText],
  ])('finds what is in it and nothing else, through any additions and removals, for texts %s', (_, hash) => {
    const toggles = fc.array(fc.nat(150), { maxLength: 600, size: 'max' });
    fc.assert(
      fc.property(toggles, (numbers) => {
        const table = new TextTable<{ number: number }>();
        const model = new Map<string, { number: number }>();
        for (const number of numbers) {
          const text = keyOf(number);
          if (model.delete(text)) table.delete(text, hash(text));
          else {
            const thing = { number };
            model.set(text, thing);
            table.add(text, thing, hash(text));
          }
        }
        for (let number = 0; number <= 150; number++) {
          const text = keyOf(number);
          expect(table.get(text, hash(text))).toBe(model.get(text));
        }
        expect(table.size).toBe(model.size);
        expect(new Set(table)).toEqual(new Set(model.values()));
      }),
    );
  });

  it('says what is to be removed and is not in it', () => {
    const table = new TextTable<object>();
    table.add('a', {}, 1);
    expect(() => table.delete('b', 1)).toThrow('TextTable.delete: nothing is found by b');
    expect(table.get('a', 1)).toEqual({});
  });
});
