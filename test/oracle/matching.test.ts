/** Index and matcher against the oracle, through random additions, changes and removals. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ClusterIndex } from '../../src/index/cluster-index.ts';
import { ImageCacheIndex } from '../../src/index/image-cache-index.ts';
import { readEntry } from '../../src/sources/kinds/index-entry.ts';
import { readManifest } from '../../src/sources/kinds/manifest.ts';
import { nodeObject, NOW } from '../support/objects.ts';
import { askIndex, keyOf, toObject } from './asking.ts';
import { oracle, type OracleCache, type OracleOptions, type OraclePod } from './oracle.ts';

const DIGEST = `sha256:${'ab'.repeat(32)}`;
const MINUTE = 60_000;

/** Few enough that images meet, with spellings that are the same image. */
const IMAGES = [
  ...['a', 'b', 'c'].flatMap((name) => [
    `${name}:1`,
    `${name}:2`,
    `docker.io/library/${name}:1`,
    `${name}@${DIGEST}`,
  ]),
  'a:1@' + DIGEST,
  'd',
  'd:latest',
  'library/d',
  'x.io/team/a:1',
  'localhost:5000/a:1',
  'sidecar:1',
  'docker.io/sidecar:1',
];

const image = fc.constantFrom(...IMAGES);
const name = fc.constantFrom(...Array.from({ length: 12 }, (_, i) => `cache-${i}`));

const cache: fc.Arbitrary<OracleCache> = fc.record({
  name,
  id: fc.oneof(
    { weight: 9, arbitrary: fc.constantFrom('imc-1', 'imc-2', 'imc-3', 'imc-4') },
    fc.constant(null),
  ),
  images: fc.array(image, { minLength: 1, maxLength: 5 }),
  sizeGiB: fc.constantFrom(20, 20, 20, 25, 30, 40, 60),
  phase: fc.oneof({ weight: 6, arbitrary: fc.constant('Ready') }, fc.constantFrom('Creating', 'Failed', '')),
  created: fc.constantFrom(0, 1, 2).map((days) => NOW - days * 86_400_000),
  expires: fc.oneof(
    { weight: 6, arbitrary: fc.constant(null) },
    fc.constantFrom(-5, 0, 5, 10, 15).map((m) => NOW + m * MINUTE),
  ),
  deleting: fc.oneof({ weight: 9, arbitrary: fc.constant(false) }, fc.constant(true)),
  region: fc.oneof({ weight: 6, arbitrary: fc.constant(null) }, fc.constantFrom('cn-beijing', 'cn-hangzhou')),
});

const pod: fc.Arbitrary<OraclePod> = fc.record({
  images: fc.array(image, { minLength: 1, maxLength: 4 }),
  perfect: fc.oneof({ weight: 3, arbitrary: fc.constant(false) }, fc.constant(true)),
  count: fc.oneof({ weight: 2, arbitrary: fc.constant(null) }, fc.integer({ min: 1, max: 4 })),
  extraGiB: fc.constantFrom(0, 0, 10, 50),
  pin: fc.oneof(
    { weight: 5, arbitrary: fc.constant(null) },
    fc.constantFrom('imc-1', 'imc-2', 'imc-unknown'),
  ),
});

const options: fc.Arbitrary<OracleOptions> = fc.record({
  minimumMatch: fc.constantFrom('image', 'repository'),
  expiryMargin: fc.constantFrom(0, 10 * MINUTE),
  region: fc.constantFrom('', 'cn-beijing'),
  notReady: fc.constantFrom('deny', 'warn', 'auto'),
  unknown: fc.constantFrom('warn', 'deny'),
  sizes: fc
    .dictionary(
      image,
      fc.constantFrom(1, 5, 10, 30).map((gib) => gib * 2 ** 30),
      { maxKeys: 4 },
    )
    .map((sizes) => Object.fromEntries(Object.entries(sizes).map(([key, bytes]) => [keyOf(key), bytes]))),
  now: fc.constant(NOW),
});

type Event = { readonly apply: OracleCache } | { readonly remove: string };

const event: fc.Arbitrary<Event> = fc.oneof(
  { weight: 4, arbitrary: cache.map((apply): Event => ({ apply })) },
  { weight: 1, arbitrary: name.map((remove): Event => ({ remove })) },
);

describe('index and matcher agree with the oracle on outcome, cache and order', () => {
  // Where lists count as long from the first entry on, the lazy reading of common images is what answers.
  it.each([
    { title: 'the default', limits: undefined, runs: 4000 },
    { title: 'lists of one looked through', limits: { short: 1 }, runs: 4000 },
    { title: 'every list read in order', limits: { short: 0 }, runs: 4000 },
    { title: 'each group put into its lists at once', limits: { waiting: 1 }, runs: 8000 },
    { title: 'two groups at a time', limits: { waiting: 2 }, runs: 2000 },
    { title: 'groups removed as they go', limits: { gone: 0 }, runs: 4000 },
    { title: 'two groups kept without a cache', limits: { gone: 2 }, runs: 4000 },
  ])('with limits: $title', ({ limits, runs }) => {
    fc.assert(
      fc.property(
        fc.array(event, { minLength: 1, maxLength: 24, size: 'max' }),
        fc.array(pod, { minLength: 1, maxLength: 3 }),
        options,
        fc.integer({ min: 1, max: 12 }),
        (events, pods, chosen, every) => {
          const index = new ClusterIndex(new ImageCacheIndex(limits));
          index.confirm(NOW);
          readEntry(readManifest(nodeObject('worker', {}, chosen.sizes))).apply(index);
          const model = new Map<string, OracleCache>();
          for (const [i, each] of events.entries()) {
            if ('apply' in each) {
              readEntry(readManifest(toObject(each.apply))).apply(index);
              model.set(each.apply.name, each.apply);
            } else {
              expect(index.imageCaches.delete(each.remove)).toBe(model.delete(each.remove));
            }
            // Groups wait until somebody asks.
            if (i % every !== 0 && i < events.length - 1) continue;
            const asked = pods[i % pods.length]!;
            expect(askIndex(index, asked, chosen)).toEqual(oracle(asked, [...model.values()], chosen));
          }
          expect(index.imageCaches.size).toBe(model.size);
        },
      ),
      { numRuns: runs },
    );
  });
});
