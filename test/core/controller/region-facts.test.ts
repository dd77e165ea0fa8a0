/** What the controller heeds of ECI's API: the account's quota, and uses that other clusters know of. */
import { describe, expect, it } from 'vitest';
import {
  NO_REGION,
  quotaWithin,
  withUseInRegion,
  type RegionFacts,
} from '../../../src/core/controller/region-facts.ts';
import { ownCache } from '../../support/own-cache.ts';

function region(
  used: number,
  most: number,
  listed: Readonly<Record<string, number | undefined>>,
): RegionFacts {
  return {
    ...NO_REGION,
    manualQuota: () => ({ used, most }),
    listed: (id) => (id in listed ? { lastMatchedAtMs: listed[id], phase: 'Ready' } : undefined),
  };
}

const OWN = ['a', 'b', 'c'].map((name) => ownCache(name, 0, { id: `imc-${name}` }));
const LISTED = { 'imc-a': 5000, 'imc-b': undefined, 'imc-c': 1 };

describe('the quota', () => {
  it.each<[string, number, RegionFacts, number]>([
    ['is the configured one if the API is not asked', 100, NO_REGION, 100],
    ['is the configured one if the region has room', 100, region(10, 500, LISTED), 100],
    ['is what the others leave', 100, region(453, 500, LISTED), 50],
    ['is 0 if the others leave nothing', 100, region(503, 500, LISTED), 0],
    [
      'does not count a cache of ours that the list lacks as one of others',
      100,
      region(452, 500, { 'imc-a': 1, 'imc-b': 1 }),
      50,
    ],
  ])('%s', (_title, configured, facts, expected) => {
    expect(quotaWithin(configured, OWN, facts)).toBe(expected);
  });
});

describe('the last use of a cache', () => {
  it('is the later of our record and what the API says', () => {
    const cache = { ...OWN[0]!, lastUsedAtMs: 3000 };
    expect(withUseInRegion(cache, region(0, 1, { 'imc-a': 5000 })).lastUsedAtMs).toBe(5000);
    expect(withUseInRegion(cache, region(0, 1, { 'imc-a': 1000 })).lastUsedAtMs).toBe(3000);
    expect(withUseInRegion(cache, region(0, 1, { 'imc-a': undefined })).lastUsedAtMs).toBe(3000);
    expect(withUseInRegion(cache, NO_REGION).lastUsedAtMs).toBe(3000);
  });
});
