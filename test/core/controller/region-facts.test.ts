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
  places: number | undefined,
  listed: Readonly<Record<string, number | undefined>>,
): RegionFacts {
  return {
    ...NO_REGION,
    places: () => places,
    listed: (id) => (id in listed ? { lastMatchedAtMs: listed[id], phase: 'Ready' } : undefined),
  };
}

const CACHE = ownCache('a', 0, { id: 'imc-a', lastUsedAtMs: 3000 });

it.each<[string, RegionFacts, number]>([
  ['the configured one if the API is not asked', NO_REGION, 100],
  ['the configured one if the region has room', region(400, {}), 100],
  ['what the region leaves', region(50, {}), 50],
  ['0 if others have more than the quota', region(-3, {}), 0],
])('the quota is %s', (_title, facts, expected) => {
  expect(quotaWithin(100, facts)).toBe(expected);
});

describe('the last use of a cache', () => {
  it('is the later of our record and what the API says', () => {
    expect(withUseInRegion(CACHE, region(1, { 'imc-a': 5000 })).lastUsedAtMs).toBe(5000);
    expect(withUseInRegion(CACHE, region(1, { 'imc-a': 1000 })).lastUsedAtMs).toBe(3000);
    expect(withUseInRegion(CACHE, region(1, { 'imc-a': undefined })).lastUsedAtMs).toBe(3000);
    expect(withUseInRegion(CACHE, NO_REGION).lastUsedAtMs).toBe(3000);
  });
});
