/**
 * The cost of a choice, counted in calls: it may grow with the number of candidates, but only a few of them may be
 * described in words.
 */
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { ImageCache } from '../../../../src/core/image-cache.ts';
import { parseImageReference } from '../../../../src/core/image/reference.ts';
import { FILTERS } from '../../../../src/core/decision/match/filters.ts';
import { findBestMatch, type MatchRequest } from '../../../../src/core/decision/match/matcher.ts';
import { GIB } from '../../../../src/core/kubernetes/quantity.ts';
import { ClusterIndex } from '../../../../src/index/cluster-index.ts';
import { indexedCache, NOW } from '../../../support/objects.ts';

const CACHES = 2000;
const IMAGES = ['app:1', 'base:1', 'sidecar:1'].map((image) => parseImageReference(image)!);

function indexOf(change: (i: number) => Partial<ImageCache>): ClusterIndex {
  const index = new ClusterIndex();
  for (let i = 0; i < CACHES; i++)
    index.imageCaches.apply(indexedCache(i, { images: IMAGES, sizeBytes: 40 * GIB, ...change(i) }));
  return index;
}

const REQUEST: MatchRequest = {
  images: IMAGES,
  targetBytes: 0,
  knownSizes: 0,
  requirement: { kind: 'perfect' },
  minimumMatch: 'image',
  imageCount: IMAGES.length,
  storageBytes: 30 * GIB,
  placement: { region: 'cn-beijing', architecture: 'amd64', operatingSystem: 'linux', unknown: undefined },
  tenant: { namespace: 'default', namespaceUid: undefined, sharing: 'namespace' },
  insecureRegistries: '',
  nowMs: NOW,
  expiryMarginMs: 600_000,
};

afterEach(() => vi.restoreAllMocks());

describe('of thousands of candidates', () => {
  it.each<[string, (i: number) => Partial<ImageCache>, string]>([
    ['the size', () => ({}), 'TooLarge'],
    ['the region', () => ({ sizeBytes: GIB, region: 'cn-hangzhou' }), 'OtherRegion'],
    ['the expiry', () => ({ sizeBytes: GIB, expiresAtMs: NOW + 1 }), 'Expiring'],
    [
      'the images, of which one is missing',
      () => ({ sizeBytes: GIB, images: IMAGES.slice(1) }),
      'NotEnoughImages',
    ],
    ['the phase', () => ({ phase: 'Creating' }), 'NotReady'],
  ])(
    'that are refused for %s, only the four in the result are described in words',
    (_title, change, code) => {
      const index = indexOf(change);
      const described = FILTERS.map((filter) => vi.spyOn(filter, 'describe'));
      const asked = FILTERS.map((filter) => vi.spyOn(filter, 'refuses'));
      const { winner, verdicts, refused } = findBestMatch(REQUEST, index);
      expect(winner).toBeUndefined();
      expect(verdicts).toHaveLength(4);
      expect([...refused.keys()]).toEqual([code]);
      expect(described.reduce((sum, spy) => sum + spy.mock.calls.length, 0)).toBe(4);
      // Each filter is asked once to choose and once to count, for each candidate.
      for (const spy of asked) expect(spy.mock.calls.length).toBeLessThanOrEqual(2 * CACHES + 4);
    },
  );
});

it('the first candidate that passes is chosen, and the result counts those before it and names the tie-break', () => {
  // Among caches of the same size, the newest comes first.
  const index = indexOf((i) => ({ sizeBytes: GIB, ...(i >= 100 && { region: 'cn-hangzhou' }) }));
  const { winner, considered, refused, verdicts } = findBestMatch(REQUEST, index);
  expect(winner?.cache.name).toBe('cache-99');
  // The newer candidates, the chosen candidate, and the next.
  expect(considered).toBe(CACHES - 100 + 2);
  expect(refused).toEqual(new Map([['OtherRegion', CACHES - 100]]));
  expect(verdicts.map(({ cache }) => cache.name)).toEqual([
    'cache-1999',
    'cache-1998',
    'cache-1997',
    'cache-1996',
    'cache-99',
    'cache-98',
  ]);
  expect(verdicts.at(-1)?.lostBecause).toBe('is newer');
});
