import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GroupList } from '../../src/index/group-list.ts';
import { GroupTable, SIGNATURE_WORDS } from '../../src/index/group-table.ts';
import type { IndexedImage } from '../../src/index/group.ts';
import { toImageCache } from '../bench/population.ts';

/** More than three full chunks. */
const GROUPS = 1000;

/** A table of groups of one cache and one image each, in few sizes and of few ages, so that names decide too. */
function tableOf(ranks: readonly number[]): GroupTable {
  const table = new GroupTable();
  for (const [slot, rank] of ranks.entries()) {
    const cache = toImageCache({
      name: `cache-${slot}`,
      id: 'imc-1',
      images: ['a:1'],
      sizeGiB: 20,
      createdAt: rank % 3,
    });
    const listed = { groups: new GroupList(table), awaitedAt: undefined };
    const inRepository = { ...listed, key: 'a', keyHash: 0, number: 2 * slot };
    const image: IndexedImage = { ...cache.images[0]!, ...listed, inRepository, number: 2 * slot + 1 };
    table.add({ ...cache, images: [image], sizeBytes: 20 + (rank % 7) });
  }
  return table;
}

const everything = (list: GroupList): number[] => [...list.select(() => true)];

describe('GroupList', () => {
  const ranks = fc.array(fc.nat(100), { minLength: GROUPS, maxLength: GROUPS });
  /** So many that lists grow long, and short again: a slot that comes again goes. */
  const steps = fc.array(fc.nat(GROUPS - 1), { maxLength: 3000, size: 'max' });

  it('is in the order of its table through any additions and removals, also over many chunks', () => {
    fc.assert(
      fc.property(ranks, steps, steps, fc.boolean(), (each, together, slots, emptied) => {
        const table = tableOf(each);
        const list = new GroupList(table);
        const model = new Set<number>();
        const toggle = (slot: number): void => {
          if (model.delete(slot)) list.delete(slot);
          else {
            model.add(slot);
            list.insert([slot]);
          }
        };
        const half = slots.length >> 1;
        slots.slice(0, half).forEach(toggle);
        const added = [...new Set(together)].filter((slot) => !model.has(slot)).sort(table.compare);
        for (const slot of added) model.add(slot);
        list.insert(added);
        slots.slice(half).forEach(toggle);
        if (emptied) for (const slot of [...model].slice(3)) toggle(slot);

        const sorted = [...model].sort(table.compare);
        expect(everything(list)).toEqual(sorted);
        expect(list.size).toBe(sorted.length);
        for (const size of [19, 20, 23, 26, 27]) {
          const smaller = (slot: number): boolean => table.sizeOf(slot) < size;
          const upTo = (slot: number): boolean => table.sizeOf(slot) <= size;
          expect(list.lastBefore(smaller)).toBe(sorted.findLast(smaller));
          expect([...list.select(() => true, smaller)]).toEqual(sorted.filter((slot) => !smaller(slot)));
          expect([...list.select(() => true, smaller, upTo)]).toEqual(
            sorted.filter((slot) => table.sizeOf(slot) === size),
          );
        }
      }),
      { numRuns: 60 },
    );
  });

  it('shows with each group the signature that the table has of it', () => {
    fc.assert(
      fc.property(ranks, steps, (each, slots) => {
        const table = tableOf(each);
        const list = new GroupList(table);
        list.insert([...new Set(slots)].sort(table.compare));
        for (const third of [...new Set(slots)].filter((slot) => slot % 3 === 0)) list.delete(third);
        let asked = 0;
        list.visit((slot, signatures, at) => {
          asked++;
          const from = slot * SIGNATURE_WORDS;
          expect(signatures.slice(at, at + SIGNATURE_WORDS)).toEqual(
            table.signatures.slice(from, from + SIGNATURE_WORDS),
          );
          return false;
        });
        expect(asked).toBe(list.size);
      }),
      { numRuns: 20 },
    );
  });

  it('says so where a group to remove is not in its place', () => {
    const list = new GroupList(tableOf([1, 2]));
    list.insert([0]);
    expect(() => list.delete(1)).toThrow('not where its order says');
    expect(everything(list)).toEqual([0]);
  });
});
