/** The shape of a JSON text, compared with what JSON.parse makes of it. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { shapeOf } from '../../src/webhook/json-shape.ts';

function levelsOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  return 1 + Math.max(0, ...Object.values(value).map(levelsOf));
}

describe('the shape of a text', () => {
  it('is accepted for every valid JSON of few levels, whatever its strings hold', () => {
    const strings = fc.oneof(fc.string(), fc.constantFrom('[[[', '"{', '\\', '\\"', '",[{', '\\\\"'));
    const value = fc.letrec((tie) => ({
      value: fc.oneof(
        { depthSize: 'small', withCrossShrink: true },
        strings,
        fc.integer(),
        fc.array(tie('value'), { maxLength: 4 }),
        fc.dictionary(strings, tie('value'), { maxKeys: 4 }),
      ),
    })).value;
    fc.assert(
      fc.property(value, (each) => {
        const { excess, memory } = shapeOf(JSON.stringify(each));
        expect(excess).toBeUndefined();
        expect(memory > 0).toBe(levelsOf(each) > 0);
      }),
      { numRuns: 2000 },
    );
  });

  it('has too many levels from the 65th on, counted where they are open at the same time', () => {
    expect(shapeOf('['.repeat(64) + ']'.repeat(64)).excess).toBeUndefined();
    expect(shapeOf('['.repeat(65)).excess).toBe('it has more than 64 levels');
    expect(shapeOf(`[${'[],'.repeat(1000)}[]]`).excess).toBeUndefined();
  });

  it('has too many objects and arrays from the 200,001st on', () => {
    const many = (count: number): string =>
      `[${Array(count - 1)
        .fill('{}')
        .join()}]`;
    expect(shapeOf(many(200_000)).excess).toBeUndefined();
    expect(shapeOf(many(200_001)).excess).toBe('it has more than 200000 objects and arrays');
  });

  it.each(['"', '"\\', '"\\"', '"abc', '', '}}}}]]]'])(
    'of the broken text %j is left to the parser',
    (text) => {
      expect(shapeOf(text).excess).toBeUndefined();
    },
  );
});
