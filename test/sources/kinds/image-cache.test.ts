import { describe, expect, it } from 'vitest';
import type { ImageCache } from '../../../src/core/image-cache.ts';
import type { Unreadable } from '../../../src/core/kubernetes/problem.ts';
import { GIB } from '../../../src/core/kubernetes/quantity.ts';
import { readImageCache } from '../../../src/sources/kinds/image-cache.ts';
import { readOwnCache } from '../../../src/sources/kinds/own-cache.ts';
import { readManifest } from '../../../src/sources/kinds/manifest.ts';
import { cacheObject, type Json } from '../../support/objects.ts';

const P = 'k8s.aliyun.com/';
const CREATED = '2026-11-01T00:00:00Z';
const DAY = 86_400_000;

function read(
  spec: Json,
  annotations: Record<string, string> = {},
  status: Json = {},
  problems: Unreadable[] = [],
): ImageCache {
  const object = cacheObject({ name: 'x', annotations, created: CREATED });
  return readImageCache(
    readManifest({ ...object, spec: { images: ['a:1'], ...spec }, status: { phase: 'Ready', ...status } }),
    problems,
  );
}

describe('the size of an ImageCache', () => {
  it.each<[string, Json, Record<string, string>, number]>([
    ['is 20 GiB if nothing states it', {}, {}, 20],
    ['is that of the spec', { imageCacheSize: 25 }, {}, 25],
    ['is that of the annotation', {}, { [`${P}imc-size`]: '40' }, 40],
    ['is the larger one of both: the annotation', { imageCacheSize: 25 }, { [`${P}imc-size`]: '40' }, 40],
    ['is the larger one of both: the spec', { imageCacheSize: 50 }, { [`${P}imc-size`]: '40' }, 50],
    ['may be smaller than the default', { imageCacheSize: 10 }, {}, 10],
    ['is the default beside an empty annotation', {}, { [`${P}imc-size`]: '' }, 20],
  ])('%s', (_title, spec, annotations, gib) => {
    expect(read(spec, annotations).sizeBytes).toBe(gib * GIB);
  });

  it.each([
    ['40Gi', 40],
    ['40 GiB', 40],
    ['-1', undefined],
    ['0', undefined],
    ['4.5', undefined],
    ['large', undefined],
    ['1'.repeat(10), undefined],
  ])('in an annotation that is no number of GiB is reported: %s counts as %s', (text, gib) => {
    const problems: Unreadable[] = [];
    expect(read({}, { [`${P}imc-size`]: text }, {}, problems).sizeBytes).toBe((gib ?? 20) * GIB);
    expect(problems.map(({ message }) => message)).toEqual([
      `metadata.annotations["${P}imc-size"] is ${text === '0' ? text : JSON.stringify(text)}; it must be a positive whole number of GiB: it counts as ${gib ?? 'absent'}`,
    ]);
  });
});

describe('the expiry of an ImageCache', () => {
  const expireDateTime = '2026-11-20T00:00:00Z';

  it.each<[string, Json, Record<string, string>, Json, number | undefined]>([
    ['is never if nothing states it', {}, {}, {}, undefined],
    ['is that of the status', {}, {}, { expireDateTime }, 19],
    ['counts the retention days from the creation', { retentionDays: 7 }, {}, {}, 7],
    ['counts those of the annotation', {}, { [`${P}imc-retention-days`]: '9' }, {}, 9],
    [
      'is the earlier one of spec and annotation',
      { retentionDays: 7 },
      { [`${P}imc-retention-days`]: '9' },
      {},
      7,
    ],
    ['is that of the status if it states one', { retentionDays: 7 }, {}, { expireDateTime }, 19],
    ['is never with null', { retentionDays: null }, {}, {}, undefined],
    ['is never beside more days than a date can have', { retentionDays: 1e9 }, {}, {}, undefined],
    ['is never beside 0 days, which is no retention', { retentionDays: 0 }, {}, {}, undefined],
  ])('%s', (_title, spec, annotations, status, days) => {
    const expected = days === undefined ? undefined : Date.parse(CREATED) + days * DAY;
    expect(read(spec, annotations, status).expiresAtMs).toBe(expected);
  });

  it('is not known from retention days without a creation time', () => {
    const object = cacheObject({ name: 'x' });
    const manifest = { ...object, metadata: { name: 'x' }, spec: { images: ['a:1'], retentionDays: 7 } };
    expect(readImageCache(readManifest(manifest)).expiresAtMs).toBeUndefined();
  });
});

describe('the platform of an ImageCache', () => {
  it.each<[Record<string, string>, string]>([
    [{}, 'linux/amd64'],
    [{ [`${P}imc-cpu-arch`]: 'arm64' }, 'linux/arm64'],
    [{ [`${P}imc-cpu-arch`]: 'ARM64', [`${P}imc-os-type`]: 'Windows' }, 'windows/arm64'],
    [{ [`${P}imc-cpu-arch`]: '', [`${P}imc-os-type`]: '' }, 'linux/amd64'],
    [{ [`${P}imc-cpu-arch`]: 'ARM' }, 'linux/arm'],
  ])('%j is %s', (annotations, platform) => {
    const { architecture, operatingSystem } = read({}, annotations);
    expect(`${operatingSystem}/${architecture}`).toBe(platform);
  });
});

it('a platform that ECI does not have is reported', () => {
  const problems: Unreadable[] = [];
  read({}, { [`${P}imc-cpu-arch`]: 'ARM' }, {}, problems);
  expect(problems.map(({ message }) => message)).toEqual([
    `metadata.annotations["${P}imc-cpu-arch"] is "arm"; allowed are amd64 and arm64: the cache fits no pod`,
  ]);
});

it('what the decision and the plan of the controller know of an expiry is the same', () => {
  const object = cacheObject({ name: 'x', created: CREATED });
  const manifest = readManifest({ ...object, spec: { images: ['a:1'], retentionDays: 7 } });
  expect(readOwnCache(manifest).expiresAtMs).toBe(Date.parse(CREATED) + 7 * DAY);
  expect(readImageCache(manifest).expiresAtMs).toBe(Date.parse(CREATED) + 7 * DAY);
});
