/** The synthetic trace has the statistics that are published of the vendor's clusters. */
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { compressedBytes } from '../../src/replay/images.ts';
import { DEFAULT_SYNTHETIC, syntheticTrace } from '../../src/replay/synthetic-trace.ts';
import { readTrace } from '../../src/replay/trace.ts';
import { statisticsOf, type TraceStatistics } from '../support/trace-statistics.ts';

const REAL = '../shared/data/pod-creations-dlrm.csv';
const within = (value: number, published: number, factor: number): void => {
  expect(value).toBeGreaterThan(published / factor);
  expect(value).toBeLessThan(published * factor);
};

function expectPublished({ pods, keys, ofTopTenth, inBursts, gap, life }: TraceStatistics): void {
  within(pods, 16_591, 1.01);
  expect(keys).toBe(283);
  within(ofTopTenth, 0.62, 1.1);
  within(inBursts, 0.39, 1.2);
  within(gap.median, 871, 1.3);
  within(gap.ninetieth, 11 * 3600, 2);
  within(life.tenth, 0.04, 1.3);
  within(life.median, 2.3, 1.2);
  within(life.ninetieth, 80, 1.2);
}

describe('the synthetic trace', () => {
  it.each([1, 2, 3])('of seed %i has the published statistics', (seed) => {
    expectPublished(statisticsOf(syntheticTrace(seed, DEFAULT_SYNTHETIC)));
  });

  it('is the same for a seed, and another for another seed', () => {
    const small = { pods: 200, templates: 10, days: 2 };
    expect(syntheticTrace(1, small)).toEqual(syntheticTrace(1, small));
    expect(syntheticTrace(2, small)).not.toEqual(syntheticTrace(1, small));
  });
});

it.skipIf(!existsSync(REAL))('the real trace has them, too', () => {
  expectPublished(statisticsOf(readTrace(REAL, readFileSync(REAL, 'utf8'))));
});

it('images have the sizes of Docker Hub: unpacked, half are below 94 MB and nine in ten below 1.3 GB', () => {
  const sizes = Array.from({ length: 3000 }, (_, i) => 2 * compressedBytes(`registry.example/app-${i}:1`, 1));
  const sorted = sizes.toSorted((a, b) => a - b);
  within(sorted[1500]!, 94e6, 1.15);
  within(sorted[2700]!, 1.3e9, 1.2);
  expect(compressedBytes('registry.example/app-1:2', 1)).toBe(compressedBytes('registry.example/app-1:1', 1));
});
