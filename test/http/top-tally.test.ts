import fc from 'fast-check';
import { Registry } from 'prom-client';
import { expect, it } from 'vitest';
import { TopTally } from '../../src/http/top-tally.ts';

async function count(values: readonly string[], limit: number): Promise<Map<string, number>> {
  const registry = new Registry();
  const tally = new TopTally({ name: 'met_total', help: 'Met.', label: 'value', limit }, registry);
  for (const value of values) tally.inc(value);
  const text = await registry.metrics();
  return new Map(
    Array.from(text.matchAll(/^met_total\{value="([^"]+)"\} (\d+)$/gm), ([, value, times]) => [
      value!,
      Number(times),
    ]),
  );
}

it('each value has a series of its own as long as there are few values', async () => {
  expect(await count(['a', 'b', 'a'], 2)).toEqual(
    new Map([
      ['a', 2],
      ['b', 1],
    ]),
  );
});

it('values beyond the limit are counted together, and a new value does not at once replace a series', async () => {
  const values = Array.from({ length: 30 }, (_, i) => (i % 2 === 0 ? 'often' : `once-${i}`));
  expect(await count(values, 3)).toEqual(
    new Map([
      ['often', 15],
      ['once-1', 1],
      ['once-3', 1],
      ['(others)', 13],
    ]),
  );
});

it('a frequent value has a series in the end, also if it came late, and keeps the series', async () => {
  const early = Array.from({ length: 50 }, (_, i) => `early-${i}`);
  const late = Array.from({ length: 1000 }, (_, i) => (i % 2 === 0 ? 'often' : `once-${i}`));
  const counted = await count([...early, ...late], 3);
  expect(counted.get('often')).toBeGreaterThan(450);
  expect(counted.size).toBe(4);
});

it('there are never more series than allowed, and nothing is counted twice or lost', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'), { maxLength: 200 }),
      fc.integer({ min: 1, max: 5 }),
      async (values, limit) => {
        const counted = await count(values, limit);
        expect([...counted.keys()].filter((value) => value !== '(others)').length).toBeLessThanOrEqual(limit);
        expect([...counted.values()].reduce((sum, each) => sum + each, 0)).toBe(values.length);
      },
    ),
  );
});
