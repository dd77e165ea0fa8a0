/**
 * Generates random small clusters: events that add, change and delete caches, and pods that share images with them.
 */
import fc from 'fast-check';
import { NOW } from '../support/objects.ts';
import { fullReference } from '../../src/core/simulation/matching.ts';
import type { OracleCache, OracleOptions, OraclePod } from './oracle.ts';

const DIGEST = `sha256:${'ab'.repeat(32)}`;
const MINUTE = 60_000;

/** Few images, so that pods and caches share some, and several spellings of the same image. */
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
  architecture: fc.constantFrom('amd64', 'amd64', 'arm64'),
  system: fc.constantFrom('linux', 'linux', 'linux', 'windows'),
  phase: fc.oneof({ weight: 6, arbitrary: fc.constant('Ready') }, fc.constantFrom('Creating', 'Failed', '')),
  created: fc.constantFrom(0, 1, 2).map((days) => NOW - days * 86_400_000),
  expires: fc.oneof(
    { weight: 6, arbitrary: fc.constant(null) },
    fc.constantFrom(-5, 0, 5, 10, 15).map((m) => NOW + m * MINUTE),
  ),
  deleting: fc.oneof({ weight: 9, arbitrary: fc.constant(false) }, fc.constant(true)),
  region: fc.oneof({ weight: 6, arbitrary: fc.constant(null) }, fc.constantFrom('cn-beijing', 'cn-hangzhou')),
});

export const pod: fc.Arbitrary<OraclePod> = fc.record({
  images: fc.array(image, { minLength: 1, maxLength: 4 }),
  perfect: fc.oneof({ weight: 3, arbitrary: fc.constant(false) }, fc.constant(true)),
  count: fc.oneof({ weight: 2, arbitrary: fc.constant(null) }, fc.integer({ min: 1, max: 4 })),
  extraGiB: fc.constantFrom(0, 0, 10, 50),
  requestedGiB: fc.constantFrom(0, 0, 25, 45),
  architectures: fc.oneof(
    { weight: 3, arbitrary: fc.constant([]) },
    fc.array(fc.subarray(['amd64', 'arm64']), { minLength: 1, maxLength: 2 }),
  ),
  system: fc.constantFrom(null, null, 'linux', 'windows'),
  pin: fc.oneof(
    { weight: 5, arbitrary: fc.constant(null) },
    fc.constantFrom('imc-1', 'imc-2', 'imc-unknown'),
  ),
});

export const options: fc.Arbitrary<OracleOptions> = fc.record({
  minimumMatch: fc.constantFrom('image', 'repository'),
  partialHits: fc.constantFrom('auto', 'use', 'leave'),
  by: fc.constantFrom('eci', 'controller', 'auto'),
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
    .map((sizes) =>
      Object.fromEntries(Object.entries(sizes).map(([key, bytes]) => [fullReference(key), bytes])),
    ),
  now: fc.constant(NOW),
});

export type Event = { readonly apply: OracleCache } | { readonly remove: string };

export const event: fc.Arbitrary<Event> = fc.oneof(
  { weight: 4, arbitrary: cache.map((apply): Event => ({ apply })) },
  { weight: 1, arbitrary: name.map((remove): Event => ({ remove })) },
);
