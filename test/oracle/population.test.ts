/**
 * Compares index and matcher with the oracle on thousands of caches. The popularity of the images follows Zipf's law,
 * and nearly all caches hold one sidecar image.
 */
import { describe, expect, it } from 'vitest';
import { ClusterIndex } from '../../src/index/cluster-index.ts';
import { readEntry } from '../../src/sources/kinds/index-entry.ts';
import { readManifest } from '../../src/sources/kinds/manifest.ts';
import {
  describeCaches,
  describeImageSets,
  imageOfRank,
  type CacheDescription,
} from '../bench/population.ts';
import { nodeObject, NOW } from '../support/objects.ts';
import { fullReference } from '../../src/core/simulation/matching.ts';
import { askIndex, toObject } from './asking.ts';
import { oracle, type OracleCache, type OracleOptions, type OraclePod } from './oracle.ts';

const CACHES = 3000;
const PODS = 30;
const MINUTE = 60_000;

const SIZES = Object.fromEntries(
  Array.from({ length: 60 }, (_, i) => [imageOfRank(i), (1 + (i % 12)) * 2 ** 30]),
);

const ORACLE_SIZES = Object.fromEntries(
  Object.entries(SIZES).map(([image, bytes]) => [fullReference(image), bytes]),
);

/** A cache that most numbers make usable; the other numbers make it fail a filter. */
function various({ name, id, images, sizeGiB, createdAt }: CacheDescription, i: number): OracleCache {
  return {
    name,
    id,
    images,
    sizeGiB: i % 29 === 0 ? 40 : sizeGiB,
    architecture: i % 7 === 0 ? 'arm64' : 'amd64',
    system: i % 31 === 0 ? 'windows' : 'linux',
    phase: i % 17 === 0 ? 'Creating' : 'Ready',
    // Rounded to the hour, so that many caches are equally old.
    created: createdAt - (createdAt % 3_600_000),
    expires: i % 19 === 0 ? NOW + (i % 20) * MINUTE : null,
    deleting: i % 23 === 0,
    region: i % 5 === 0 ? ['cn-beijing', 'cn-hangzhou'][i % 2]! : null,
  };
}

function podOf(images: readonly string[], i: number): OraclePod {
  return {
    images,
    perfect: i % 5 === 0,
    count: i % 3 === 0 ? 2 : null,
    extraGiB: i % 4 === 0 ? 20 : 0,
    requestedGiB: i % 6 === 0 ? 45 : 0,
    architectures: i % 8 === 0 ? [['arm64']] : [],
    system: null,
    pin: null,
  };
}

function optionsOf(i: number): OracleOptions {
  return {
    minimumMatch: i % 2 === 0 ? 'image' : 'repository',
    partialHits: i % 4 < 2 ? 'auto' : 'use',
    by: 'eci',
    expiryMargin: 10 * MINUTE,
    region: i % 3 === 0 ? 'cn-beijing' : '',
    notReady: 'deny',
    unknown: 'warn',
    sizes: ORACLE_SIZES,
    now: NOW,
  };
}

describe('index and matcher agree with the oracle on thousands of caches', () => {
  it('as they come, change and go', () => {
    const index = new ClusterIndex();
    index.confirm(NOW);
    readEntry(readManifest(nodeObject('worker', {}, SIZES))).apply(index);
    const model = new Map<string, OracleCache>();
    const imageSets = describeImageSets(CACHES);
    const apply = (cache: OracleCache): void => {
      readEntry(readManifest(toObject(cache))).apply(index);
      model.set(cache.name, cache);
    };
    const expectAgreement = (): void => {
      for (let i = 0; i < PODS; i++) {
        const [pod, options] = [podOf(imageSets.next().value, i), optionsOf(i)];
        expect(askIndex(index, pod, options)).toEqual(oracle(pod, [...model.values()], options));
      }
      expect(index.imageCaches.size).toBe(model.size);
    };

    for (const [i, each] of [...describeCaches(CACHES)].entries()) apply(various(each, i));
    expectAgreement();
    // Replaces every third cache.
    for (const [i, each] of [...describeCaches(CACHES, 3)].entries())
      if (i % 3 === 0) apply(various(each, i + 1));
    expectAgreement();
    for (const name of [...model.keys()].filter((_, i) => i % 10 < 9)) {
      expect(index.imageCaches.delete(name)).toBe(true);
      model.delete(name);
    }
    expectAgreement();
    for (const [i, each] of [...describeCaches(CACHES, 4)].entries())
      if (i % 2 === 0) apply(various(each, i));
    expectAgreement();
  });
});
