import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { servedBy, type Bins, type Item, type Limits } from '../../../src/core/plan/bin.ts';
import { cover, coverWithin, fitsAlone } from '../../../src/core/plan/cover.ts';

/** Images of three sizes; a cache has at least 20 GiB, and 30 with image 7. */
const LIMITS: Limits = {
  images: 6,
  secrets: 2,
  gibOf: (image) => 1.5 + (image % 3) * 4,
  leastGibWith: (image) => (image === 7 ? 30 : 20),
};
const sizeGib = (images: Iterable<number>, { gibOf, leastGibWith }: Limits): number =>
  Math.max(
    ...Array.from(images, leastGibWith),
    [...images].reduce((sum, image) => sum + gibOf(image), 0),
  );

const itemOf = (images: readonly number[], more: Partial<Item> = {}): Item => ({
  images: [...new Set(images)],
  secrets: [],
  capGib: 100,
  weight: 1,
  ...more,
});

const items = (count: number): fc.Arbitrary<Item[]> =>
  fc.array(
    fc
      .record({
        images: fc.uniqueArray(fc.nat(14), { minLength: 1, maxLength: 4 }),
        secrets: fc.uniqueArray(fc.nat(3), { maxLength: 1 }),
        capGib: fc.constantFrom(25, 40, 100),
        weight: fc.integer({ min: 1, max: 9 }),
      })
      .filter((item) => fitsAlone(item, LIMITS)),
    { minLength: 1, maxLength: count },
  );

function check(bins: Bins, all: readonly Item[], limits: Limits): void {
  const seen = bins.flat();
  expect(new Set(seen).size).toBe(seen.length);
  for (const bin of bins) {
    const held = bin.map((i) => all[i]!);
    const images = new Set(held.flatMap((item) => item.images));
    expect(images.size).toBeLessThanOrEqual(limits.images);
    expect(new Set(held.flatMap((item) => item.secrets)).size).toBeLessThanOrEqual(limits.secrets);
    expect(sizeGib(images, limits)).toBeLessThanOrEqual(Math.min(...held.map(({ capGib }) => capGib)));
  }
}

/** The fewest bins, and the most weight within `most` of them, by trying every partition. */
function bruteForce(
  all: readonly Item[],
  limits: Limits,
  most = Infinity,
): { fewest: number; weight: number } {
  let [fewest, weight] = [Infinity, 0];
  const fits = (bin: readonly number[]): boolean => {
    try {
      check([bin], all, limits);
      return true;
    } catch {
      return false;
    }
  };
  const place = (i: number, bins: readonly (readonly number[])[], left: number): void => {
    if (i === all.length) {
      if (left === 0) fewest = Math.min(fewest, bins.length);
      if (bins.length <= most) weight = Math.max(weight, servedBy(bins, all));
      return;
    }
    for (const [b, bin] of bins.entries())
      if (fits([...bin, i]))
        place(
          i + 1,
          bins.map((each, c) => (c === b ? [...each, i] : each)),
          left,
        );
    if (fits([i])) place(i + 1, [...bins, [i]], left);
    place(i + 1, bins, left + 1);
  };
  place(0, [], 0);
  return { fewest, weight };
}

describe('a packing', () => {
  it('of few items has as few bins as any, and serves as much within a number of bins as any', () => {
    fc.assert(
      fc.property(items(5), fc.nat(3), (all, most) => {
        const best = bruteForce(all, LIMITS, most);
        const bins = cover(all, LIMITS);
        check(bins, all, LIMITS);
        expect(bins.length).toBe(best.fewest);
        const within = coverWithin(all, LIMITS, most);
        expect(servedBy(within.at(-1)!, all)).toBe(best.weight);
      }),
      { numRuns: 60 },
    );
  });

  it('of more items holds all of them, within the limits', () => {
    fc.assert(
      fc.property(items(40), (all) => {
        const bins = cover(all, LIMITS);
        check(bins, all, LIMITS);
        expect(bins.flat().toSorted((a, b) => a - b)).toEqual(all.map((_item, i) => i));
        for (const [count, within] of coverWithin(all, LIMITS, 4).entries()) {
          expect(within.length).toBeLessThanOrEqual(count);
          check(within, all, LIMITS);
        }
      }),
      { numRuns: 30 },
    );
  });

  /** Instances whose optimum is known: bins are filled first, and then cut into overlapping items. */
  const cut = (bins: number, seed: number): Item[] => {
    let state = seed;
    const random = (below: number): number => {
      state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
      return state % below;
    };
    return Array.from({ length: bins }, (_bin, b) => b).flatMap((b) => {
      const images = Array.from({ length: 20 }, (_image, i) => b * 20 + i);
      const parts = Array.from({ length: 6 }, () => images.filter(() => random(3) === 0));
      const rest = images.filter((image) => !parts.some((part) => part.includes(image)));
      return [...parts, rest].filter((part) => part.length > 0).map((part) => itemOf(part));
    });
  };
  it.each([2, 3, 4, 5, 6, 8])('of items cut from %i full bins has one more bin at most', (bins) => {
    const limits: Limits = { images: 20, secrets: 20, gibOf: () => 1, leastGibWith: () => 20 };
    for (let seed = 1; seed <= 10; seed++) {
      const all = cut(bins, seed * 7919);
      const distinct = new Set(all.flatMap(({ images }) => images)).size;
      expect(cover(all, limits).length).toBeLessThanOrEqual(Math.max(Math.ceil(distinct / 20), bins) + 1);
    }
  });
});
