import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GroupTable } from '../../src/index/group-table.ts';
import type { IndexedCache } from '../../src/index/group.ts';
import { placesByRank } from '../../src/index/rank-order.ts';

interface Rank {
  readonly sizeBytes: number;
  readonly createdAt: number;
  readonly name: string;
}

/** A table of groups of one cache each, in slots 0 and on. */
function tableOf(ranks: readonly Rank[]): GroupTable {
  const table = new GroupTable();
  for (const rank of ranks) table.add({ ...rank, images: [] as const } as unknown as IndexedCache);
  return table;
}

/** Sizes that share a GiB and sizes that do not; caches whose age is unknown, or the same, or a moment apart. */
const sizeBytes = fc.oneof(fc.nat(3), fc.double({ min: 0, max: 2 ** 45, noNaN: true }), fc.constant(2 ** 34));
const createdAt = fc.oneof(fc.constant(0), fc.nat(3), fc.integer({ min: 1.7e12, max: 1.7e12 + 3 }));
const name = fc.string({ maxLength: 2 });
const ranks = fc.array(fc.record({ sizeBytes, createdAt, name }), { minLength: 1, maxLength: 200 });
/** Groups, and those of their slots that are to be sorted. */
const groups = ranks.chain((each) =>
  fc.record({
    each: fc.constant(each),
    slots: fc.shuffledSubarray([...each.keys()], { minLength: 1 }),
  }),
);

describe('placesByRank', () => {
  it('is the order in which a comparison of every group with others would put them', () => {
    fc.assert(
      fc.property(groups, ({ each, slots }) => {
        const table = tableOf(each);
        const places = placesByRank(Int32Array.from(slots), table);
        expect(Array.from(places, (place) => slots[place]!)).toEqual(slots.toSorted(table.compare));
      }),
    );
  });

  it('compares next to no groups that differ in size or by seconds in age', () => {
    const day = 86_400_000;
    const count = 10_000;
    const table = tableOf(
      Array.from({ length: count }, (_, i) => ({
        sizeBytes: (i % 7) * 2 ** 30,
        createdAt: 1.7e12 + ((i * 7919) % count) * (day / 100),
        name: '',
      })),
    );
    let compared = 0;
    const counted = Object.assign(Object.create(table) as GroupTable, {
      compare: (a: number, b: number) => (compared++, table.compare(a, b)),
    });
    placesByRank(
      Int32Array.from({ length: count }, (_, slot) => slot),
      counted,
    );
    expect(compared).toBeLessThan(count / 100);
  });
});
