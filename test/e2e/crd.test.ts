/** The ImageCache resource of the chart, as the API server enforces it; docs/domain.md has the allowed values. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Json } from '../support/objects.ts';
import { IMAGE_CACHE_CRD, IMAGE_CACHES, installCrd, readManifests } from './support/cluster.ts';
import { startControlPlane, type ControlPlane } from './support/control-plane.ts';

let plane: ControlPlane;
beforeAll(async () => {
  plane = await startControlPlane();
  await installCrd(plane.api, IMAGE_CACHE_CRD);
});
afterAll(() => plane?.stop());

const imageCache = (spec: Json): Json => ({
  apiVersion: 'eci.alibabacloud.com/v1',
  kind: 'ImageCache',
  metadata: { generateName: 'cache-' },
  spec: { images: ['nginx'], ...spec },
});
const images = (count: number): string[] => Array.from({ length: count }, (_, i) => `image:${i}`);

it.each(
  readManifests('test/e2e/fixtures/documented-image-caches.yaml').map((manifest) => [manifest] as const),
)(
  'the ImageCache $metadata.name of the vendor’s documents is accepted and stored unchanged',
  async (manifest) => {
    expect(await plane.api.create(IMAGE_CACHES, manifest)).toMatchObject(manifest);
  },
);

it.each<[Json]>([
  [{ images: images(1) }],
  [{ images: images(20) }],
  [{ imageCacheSize: 20 }],
  [{ imageCacheSize: 32_768 }],
  [{ retentionDays: 1 }],
  [{ retentionDays: 65_536 }],
  [{ retentionDays: null }],
  [{ imagePullSecrets: [] }],
  [{ imagePullSecrets: ['default:secret1', 'kube-system:acr.example'] }],
])('%j is accepted', async (spec) => {
  await plane.api.create(IMAGE_CACHES, imageCache(spec));
});

it.each<[Json, string]>([
  [{ images: null }, 'spec.images'],
  [{ images: [] }, 'spec.images'],
  [{ images: images(21) }, 'spec.images'],
  [{ images: [''] }, 'spec.images'],
  [{ images: ['nginx 1'] }, 'spec.images'],
  [{ images: [7] }, 'spec.images'],
  [{ images: 'nginx' }, 'spec.images'],
  [{ imageCacheSize: 19 }, 'spec.imageCacheSize'],
  [{ imageCacheSize: 32_769 }, 'spec.imageCacheSize'],
  [{ imageCacheSize: 20.5 }, 'spec.imageCacheSize'],
  [{ imageCacheSize: '20' }, 'spec.imageCacheSize'],
  [{ retentionDays: 0 }, 'spec.retentionDays'],
  [{ retentionDays: -1 }, 'spec.retentionDays'],
  [{ retentionDays: 65_537 }, 'spec.retentionDays'],
  [{ retentionDays: 1.5 }, 'spec.retentionDays'],
  [{ imagePullSecrets: ['secret1'] }, 'spec.imagePullSecrets'],
  [{ imagePullSecrets: ['default:'] }, 'spec.imagePullSecrets'],
  [{ imagePullSecrets: ['default/secret1'] }, 'spec.imagePullSecrets'],
  [{ imagePullSecrets: ['a:b:c'] }, 'spec.imagePullSecrets'],
])('%j is refused, and the refusal names %s', async (spec, field) => {
  const { status, body } = await plane.api.send('POST', IMAGE_CACHES, imageCache(spec));
  expect(status).toBe(422);
  expect((JSON.parse(body) as { message: string }).message).toContain(field);
});

it('an ImageCache without a spec is refused', async () => {
  const { status } = await plane.api.send('POST', IMAGE_CACHES, { ...imageCache({}), spec: undefined });
  expect(status).toBe(422);
});

describe('a cache', () => {
  it('without size and retention has 20 GiB and never expires, also if both are null', async () => {
    const { spec } = await plane.api.create(
      IMAGE_CACHES,
      imageCache({ imageCacheSize: null, retentionDays: null }),
    );
    expect(spec).toMatchObject({ imageCacheSize: 20 });
    expect((spec as Json)['retentionDays'] ?? null).toBeNull();
  });

  it('has a status subresource, which keeps every field that ECI writes', async () => {
    const { metadata } = await plane.api.create(IMAGE_CACHES, imageCache({}));
    const path = `${IMAGE_CACHES}/${(metadata as { name: string }).name}`;
    const status = {
      imageCacheId: 'imc-1',
      phase: 'Ready',
      progress: '100%',
      startTime: '2026-11-21T12:00:00Z',
      lastUpdatedTime: '2026-11-21T12:05:00Z',
      expireDateTime: '2026-11-28T12:00:00Z',
      events: [{ type: 'Normal', reason: 'Created', message: 'made', count: 1 }],
      newerThanUs: { a: 1 },
    };
    expect(await plane.api.merge(path, { status })).not.toHaveProperty('status');
    expect(await plane.api.merge(`${path}/status`, { status, spec: { imageCacheSize: 30 } })).toMatchObject({
      spec: { imageCacheSize: 20 },
      status,
    });
  });

  it("has the short names of ACK's resource and of VNode's", async () => {
    const { resources } = (await plane.api.get('/apis/eci.alibabacloud.com/v1')) as {
      resources: { name: string; shortNames?: string[] }[];
    };
    expect(resources.find(({ name }) => name === 'imagecaches')?.shortNames).toEqual(['ic', 'imc']);
  });

  it('is listed with AGE, CACHEID, PHASE and PROGRESS, and the ID also under the name of VNode', async () => {
    const { body } = await plane.api.table(IMAGE_CACHES);
    const { columnDefinitions } = JSON.parse(body) as { columnDefinitions: { name: string }[] };
    expect(columnDefinitions.map(({ name }) => name.toUpperCase())).toEqual([
      'NAME',
      'AGE',
      'CACHEID',
      'PHASE',
      'PROGRESS',
      'ID',
    ]);
  });
});
