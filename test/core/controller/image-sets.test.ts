/** How the image sets of a cache are written and read; anybody may have edited the annotation. */
import { describe, expect, it } from 'vitest';
import { describeSets, readSets, setOf } from '../../../src/core/controller/image-sets.ts';

const KEYS = ['docker.io/library/a:1', 'docker.io/library/b:1', 'docker.io/library/proxy:1'];
const MADE = Date.parse('2026-11-30T12:00:00Z');
const USED = MADE + 3_600_000;
const SETS = [setOf([KEYS[0]!, KEYS[2]!], USED), setOf([KEYS[1]!, KEYS[2]!], MADE)];

describe('the image sets of a cache', () => {
  it('are read as they were written', () => {
    expect(readSets(describeSets(SETS, KEYS), KEYS, MADE)).toEqual(SETS);
  });

  it('are the set of all its images if the annotation is missing or says nothing', () => {
    for (const text of [undefined, '', 'x', '{}', '[]', '[1]', '[{"set":"x"}]'])
      expect(readSets(text, KEYS, MADE)).toEqual([setOf(KEYS, MADE)]);
  });

  it.each([
    ['names an image that the cache does not have', { images: [0, 9] }],
    ['has the hash of other images', { images: [0, 1] }],
    ['has no images', { images: [] }],
  ])('lack one that %s', (_what, change) => {
    const [first, second] = JSON.parse(describeSets(SETS, KEYS)) as object[];
    expect(readSets(JSON.stringify([{ ...first, ...change }, second]), KEYS, MADE)).toEqual([SETS[1]]);
  });

  it('were last used when the cache was made at the earliest, and are read at most twenty, each once', () => {
    const [first] = JSON.parse(describeSets(SETS, KEYS)) as object[];
    const text = JSON.stringify([{ ...first, lastUsed: '2020-01-01T00:00:00Z' }]);
    expect(readSets(text, KEYS, MADE)[0]?.lastUsedAtMs).toBe(MADE);
    expect(readSets(JSON.stringify(Array.from({ length: 30 }, () => first)), KEYS, MADE)).toHaveLength(1);
  });
});
