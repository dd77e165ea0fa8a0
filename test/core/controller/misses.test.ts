/** Which caches pods miss at present, and which ImageCaches would end the misses. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cacheObject as ownCacheObject } from '../../../src/core/controller/own-cache.ts';
import { missesOf, type CredentialOptions, type Miss } from '../../../src/core/controller/misses.ts';
import {
  firstNameOf,
  isOwnName,
  cacheName,
  nameOfAttempt,
} from '../../../src/core/controller/desired-cache.ts';
import { readWatchedPod } from '../../../src/core/controller/watched-pod.ts';
import type { ClusterIndex } from '../../../src/index/cluster-index.ts';
import { readEntry } from '../../../src/sources/kinds/index-entry.ts';
import { readManifest } from '../../../src/sources/kinds/manifest.ts';
import {
  cacheObject,
  configWith,
  decideFor,
  indexOf,
  NOW,
  podObject,
  type ConfigChange,
  type Json,
  type PodSpec,
} from '../../support/objects.ts';

const BY_CONTROLLER: ConfigChange = { createOnMiss: { by: 'controller' } };
const CREDENTIALS: CredentialOptions = { publicRegistries: [], privateImages: 'namespace' };

/** A pod as it is in the cluster right after the webhook has decided on it. */
function createdPod(pod: PodSpec, index: ClusterIndex, change = BY_CONTROLLER, metadata: Json = {}): Json {
  const object = podObject(pod);
  const { annotations, labels } = decideFor(object, index, change);
  return {
    ...object,
    metadata: {
      ...(object['metadata'] as Json),
      creationTimestamp: '2026-11-21T11:00:00Z',
      annotations,
      labels,
      ...metadata,
    },
  };
}

function missed(pods: readonly Json[], index: ClusterIndex, change = BY_CONTROLLER): Miss[] {
  return [...missesOf(pods.map(readWatchedPod), index, configWith(change), CREDENTIALS, NOW).values()];
}

const texts = ({ desired }: Miss): string[] => desired.images.map(({ text }) => text);

describe('a miss', () => {
  it("has the pod's images as written, each once, sorted by their normalised references", () => {
    const index = indexOf();
    const pod = createdPod(
      {
        images: ['nginx', 'docker.io/library/nginx:latest', 'b/b@sha256:' + '0'.repeat(64), 'a.example/a:1'],
      },
      index,
    );
    const [miss] = missed([pod], index);
    expect(texts(miss!)).toEqual(['a.example/a:1', 'b/b@sha256:' + '0'.repeat(64), 'nginx']);
    expect(miss!.desired.imageSet).toBe(
      decideFor(podObject({ images: texts(miss!) }), index, BY_CONTROLLER).decision.createOnMiss,
    );
  });

  it('is shared by pods with the same images in any order and namespace, and is as recent as the latest pod', () => {
    const index = indexOf();
    const at = (time: string): Json => ({ creationTimestamp: time });
    const pods = [
      createdPod({ images: ['a:1', 'b:1'] }, index, BY_CONTROLLER, at('2026-11-21T10:00:00Z')),
      createdPod(
        { images: ['b:1', 'a:1'], namespace: 'other' },
        index,
        BY_CONTROLLER,
        at('2026-11-21T11:30:00Z'),
      ),
      createdPod({ images: ['a:1', 'b:1'] }, index, BY_CONTROLLER, at('2026-11-21T09:00:00Z')),
    ];
    const misses = missed(pods, index);
    expect(misses).toMatchObject([{ pods: 3, missedAtMs: Date.parse('2026-11-21T11:30:00Z') }]);
  });

  it('is another miss if credentials, registry or size differ, in whole GiB that fit into the storage', () => {
    const index = indexOf();
    const pods = [
      {},
      { spec: { imagePullSecrets: [{ name: 'a' }] } },
      { spec: { imagePullSecrets: [{ name: 'b' }, { name: 'a' }] } },
      { spec: { imagePullSecrets: [{ name: 'a' }] }, namespace: 'other' },
      { annotations: { 'k8s.aliyun.com/acr-instance-ids': 'cri-1' } },
      { annotations: { 'k8s.aliyun.com/eci-extra-ephemeral-storage': '1500Mi' } },
      { annotations: { 'k8s.aliyun.com/eci-extra-ephemeral-storage': '500Mi' } },
    ].map((pod) => createdPod({ images: ['a:1'], ...pod }, index));
    const misses = missed(pods, index);
    expect(
      misses.map(({ desired }) => [
        desired.pullSecrets,
        desired.sizeGib,
        Object.fromEntries(desired.registry),
      ]),
    ).toEqual([
      [[], 30, {}],
      [['default:a'], 30, {}],
      [['default:a', 'default:b'], 30, {}],
      [['other:a'], 30, {}],
      [[], 30, { 'k8s.aliyun.com/acr-instance-ids': 'cri-1' }],
      [[], 31, {}],
    ]);
  });

  it('ends once a usable cache has all the images, or a cache with all the images is being made', () => {
    const pod = createdPod({ images: ['a:1', 'b:1'] }, indexOf());
    const missedBeside = (cache: object): Miss[] =>
      missed([pod], indexOf(cacheObject({ name: 'c', images: ['a:1', 'b:1'], ...cache })));
    expect(missedBeside({})).toEqual([]);
    expect(missedBeside({ images: ['a:1'] })).toHaveLength(1);
    expect(missedBeside({ phase: 'Creating', id: null })).toEqual([]);
    expect(missedBeside({ phase: 'Creating', images: ['a:1'] })).toHaveLength(1);
    expect(missedBeside({ phase: 'Failed' })).toHaveLength(1);
    expect(missedBeside({ phase: 'Creating', deleting: true })).toHaveLength(1);
    expect(missedBeside({ size: 40 })).toHaveLength(1);
  });

  it('with createOnMiss.when incomplete, the default, exists for every set that no cache holds completely', () => {
    const change = BY_CONTROLLER;
    const index = indexOf(cacheObject({ name: 'c', images: ['a:1'] }));
    const pod = createdPod({ images: ['a:1', 'b:1'] }, index, change);
    expect(missed([pod], index, change).map(texts)).toEqual([['a:1', 'b:1']]);
    const complete = indexOf(cacheObject({ name: 'c', images: ['b:1', 'a:1'] }));
    expect(missed([pod], complete, change)).toEqual([]);
    const onlyMisses: ConfigChange = { createOnMiss: { by: 'controller', when: 'no-match' } };
    expect(missed([pod], index, onlyMisses)).toEqual([]);
  });

  it('does not exist for a pod that is being deleted, switches matching off, or pins a cache', () => {
    const index = indexOf();
    const auto = { annotations: { 'k8s.aliyun.com/eci-auto-imc': 'false' } };
    const pin = { annotations: { 'k8s.aliyun.com/eci-imc-id': 'imc-x' } };
    const pods = [
      createdPod({}, index, BY_CONTROLLER, { deletionTimestamp: '2026-11-21T11:59:00Z' }),
      createdPod(auto, index),
      createdPod(pin, index),
    ];
    expect(missed(pods, index)).toEqual([]);
  });
});

describe('the owner of a miss', () => {
  const secret = { imagePullSecrets: [{ name: 'regcred' }] };
  const withSecret = (namespace: string, image = 'registry.corp/app:1'): PodSpec => ({
    namespace,
    spec: { containers: [{ name: 'c', image }], ...secret },
  });
  const teams = [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'a', uid: 'uid-a' } },
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'b', uid: 'uid-b' } },
  ];
  const missedWith = (
    pods: readonly PodSpec[],
    credentials: CredentialOptions = CREDENTIALS,
    ...objects: Json[]
  ): Miss[] => {
    const index = indexOf(...teams, ...objects);
    const watched = pods.map((pod) => readWatchedPod(createdPod(pod, index)));
    return [...missesOf(watched, index, configWith(BY_CONTROLLER), credentials, NOW).values()];
  };
  const objectOf = ({ desired }: Miss): Json =>
    ownCacheObject(desired, { reuse: false, flash: false, retentionDays: undefined }, 1, NOW);

  it('is the namespace of the pod if the cache is made with pull secrets, so that each namespace has its own', () => {
    const misses = missedWith([withSecret('a'), withSecret('b')]);
    expect(misses.map(({ desired }) => [desired.owner, desired.pullSecrets])).toEqual([
      [{ namespace: 'a', uid: 'uid-a' }, ['a:regcred']],
      [{ namespace: 'b', uid: 'uid-b' }, ['b:regcred']],
    ]);
    expect(objectOf(misses[0]!)).toMatchObject({
      metadata: {
        annotations: {
          'imagecache-webhook.io/namespaces': 'a',
          'imagecache-webhook.io/namespace-uid': 'uid-a',
        },
      },
      spec: { imagePullSecrets: ['a:regcred'] },
    });
  });

  it('is the namespace of the pod if the cache is made with ACR credentials', () => {
    const acr = {
      annotations: { 'k8s.aliyun.com/acr-instance-id': 'cri-1' },
      images: ['registry.corp/app:1'],
    };
    expect(missedWith([{ ...acr, namespace: 'a' }])[0]?.desired.owner).toEqual({
      namespace: 'a',
      uid: 'uid-a',
    });
  });

  it('is nobody if the cache is made without credentials', () => {
    const [miss] = missedWith([{ namespace: 'a', images: ['registry.corp/app:1'] }]);
    expect(miss?.desired.owner).toBeUndefined();
    const insecure = { 'k8s.aliyun.com/insecure-registry': 'registry.corp' };
    const [other] = missedWith([{ namespace: 'a', images: ['registry.corp/app:1'], annotations: insecure }]);
    expect(other?.desired.owner).toBeUndefined();
  });

  describe('of public images alone', () => {
    const PUBLIC: CredentialOptions = {
      publicRegistries: ['docker.io/library', 'quay.io'],
      privateImages: 'never',
    };
    const AS_OWN = { ...PUBLIC, privateImages: 'namespace' } as const;

    it.each(['nginx:1', 'quay.io/org/app:1'])('is nobody, and no secret is used: %s', (image) => {
      const [miss, ...others] = missedWith([withSecret('a', image), withSecret('b', image)], PUBLIC);
      expect(others).toEqual([]);
      expect(miss?.desired).toMatchObject({ owner: undefined, pullSecrets: [] });
    });

    it.each(['docker.io/org/app:1', 'quay.io.evil/app:1', 'docker.io/libraryx/app:1'])(
      'is not that of an image that only looks public: %s',
      (image) => {
        expect(missedWith([withSecret('a', image)], PUBLIC)).toEqual([]);
        expect(missedWith([withSecret('a', image)], AS_OWN)[0]?.desired.owner?.namespace).toBe('a');
      },
    );

    it('is the namespace of the pod once the cache without credentials has failed', () => {
      const [first] = missedWith([withSecret('a', 'nginx:1')], AS_OWN);
      const attempt = (name: string, phase: string): Json =>
        cacheObject({ name, images: ['nginx:1'], phase });
      const name = cacheName(first!.desired);
      const after = (...objects: Json[]): Miss[] =>
        missedWith([withSecret('a', 'nginx:1')], AS_OWN, ...objects);
      expect(after(attempt(name, 'Failed'))[0]?.desired).toMatchObject({
        owner: { namespace: 'a' },
        pullSecrets: ['a:regcred'],
      });
      expect(after(attempt(name, 'Failed'), attempt(`${name}-2`, 'Creating'))).toEqual([]);
      expect(after(attempt('made-by-hand', 'Failed'))[0]?.desired.owner).toBeUndefined();
    });
  });

  it('keeps a cache from being made with privateImages: never', () => {
    expect(missedWith([withSecret('a')], { publicRegistries: [], privateImages: 'never' })).toEqual([]);
  });

  it.each(['UPPER', 'victim:regcred', 'a,b', '', '-a', 'x'.repeat(254)])(
    'is no reason to send %j as the name of a pull secret',
    (name) => {
      const spec = {
        containers: [{ name: 'c', image: 'registry.corp/app:1' }],
        imagePullSecrets: [{ name }],
      };
      const [miss] = missedWith([{ namespace: 'a', spec }]);
      expect(miss?.desired).toMatchObject({ pullSecrets: [], owner: undefined });
    },
  );

  it('needs at most twenty pull secrets', () => {
    const imagePullSecrets = Array.from({ length: 25_000 }, (_, i) => ({ name: `s${i}` }));
    const spec = { containers: [{ name: 'c', image: 'registry.corp/app:1' }], imagePullSecrets };
    expect(missedWith([{ namespace: 'a', spec }])[0]?.desired.pullSecrets).toHaveLength(20);
  });

  it.each(['docker.io/library/', 'index.docker.io/library', 'Docker.IO/library'])(
    'is nobody for public images however their registry is configured: %s',
    (registry) => {
      const [miss] = missedWith([withSecret('a', 'nginx:1')], {
        publicRegistries: [registry],
        privateImages: 'never',
      });
      expect(miss?.desired.owner).toBeUndefined();
    },
  );

  it('keeps the cache of another namespace from ending a miss, ready or being made', () => {
    for (const phase of ['Ready', 'Creating']) {
      const cache = cacheObject({
        name: 'c',
        images: ['registry.corp/app:1'],
        phase,
        annotations: { 'imagecache-webhook.io/namespaces': 'a' },
      });
      expect(missedWith([withSecret('b')], CREDENTIALS, cache)).toHaveLength(1);
      expect(missedWith([withSecret('a')], CREDENTIALS, cache)).toHaveLength(0);
    }
  });
});

describe('the platform of a miss', () => {
  const ARM: PodSpec = {
    spec: {
      containers: [{ name: 'c', image: 'a:1' }],
      nodeSelector: { 'kubernetes.io/arch': 'arm64' },
    },
  };
  const X86: PodSpec = { images: ['a:1'] };
  const desiredFor = (pod: PodSpec, index = indexOf()): Miss[] => missed([createdPod(pod, index)], index);

  it('is part of what a cache is, and of its name', () => {
    const index = indexOf();
    const misses = missed([createdPod(X86, index), createdPod(ARM, index)], index);
    expect(misses.map(({ desired }) => desired.architecture)).toEqual(['amd64', 'arm64']);
    expect(new Set(misses.map(({ desired }) => desired.imageSet)).size).toBe(1);
    expect(new Set(misses.map(({ desired }) => cacheName(desired))).size).toBe(2);
  });

  it('is written on the ImageCache that is made, unless it is the default', () => {
    const annotationsFor = (pod: PodSpec): unknown => {
      const [{ desired }] = desiredFor(pod) as [Miss];
      const options = { reuse: false, flash: false, retentionDays: undefined };
      return (ownCacheObject(desired, options, 1, NOW)['metadata'] as Json)['annotations'];
    };
    expect(annotationsFor(ARM)).toMatchObject({
      'k8s.aliyun.com/imc-cpu-arch': 'arm64',
      'k8s.aliyun.com/imc-os-type': 'linux',
    });
    expect(annotationsFor(X86)).not.toHaveProperty(['k8s.aliyun.com/imc-cpu-arch']);
  });

  it('keeps a miss from being ended by a cache of another platform, ready or being made', () => {
    const made = (phase: string, architecture: string): ClusterIndex =>
      indexOf(
        cacheObject({
          name: 'c',
          images: ['a:1'],
          phase,
          annotations: { 'k8s.aliyun.com/imc-cpu-arch': architecture },
        }),
      );
    for (const phase of ['Ready', 'Creating']) {
      expect(desiredFor(ARM, made(phase, 'amd64'))).toHaveLength(1);
      expect(desiredFor(ARM, made(phase, 'arm64'))).toHaveLength(0);
      expect(desiredFor(X86, made(phase, 'arm64'))).toHaveLength(1);
    }
  });

  it('keeps a miss from being ended by a cache in the making that is too large, or of another region', () => {
    const making = { name: 'c', images: ['a:1'], phase: 'Creating' };
    expect(desiredFor(X86, indexOf(cacheObject(making)))).toHaveLength(0);
    expect(desiredFor(X86, indexOf(cacheObject({ ...making, size: 500 })))).toHaveLength(1);
    const index = indexOf(cacheObject({ ...making, region: 'cn-hangzhou' }));
    const change: ConfigChange = { ...BY_CONTROLLER, region: 'cn-beijing' };
    expect(missed([createdPod(X86, index, change)], index, change)).toHaveLength(1);
  });

  it('gives caches of the default platform the names that earlier releases gave them', () => {
    expect(cacheName(desiredFor(X86)[0]!.desired)).toBe('auto-634c26dc6ea940171c378cd6c0e28741');
  });
});

describe('a cache in the making that holds other images too', () => {
  const wanted: PodSpec = { images: ['a:1', 'b:1'] };
  const making = (created: string): ClusterIndex =>
    indexOf(cacheObject({ name: 'c', images: ['a:1', 'b:1', 'tarpit:1'], phase: 'Creating', created }));

  it('ends a miss for ten minutes, and not for ever', () => {
    const missedBeside = (index: ClusterIndex): Miss[] => missed([createdPod(wanted, index)], index);
    expect(missedBeside(making('2026-11-21T11:55:00Z'))).toHaveLength(0);
    expect(missedBeside(making('2026-11-21T11:49:00Z'))).toHaveLength(1);
  });

  it('is named without the tag that a pod writes beside a digest', () => {
    const digest = `@sha256:${'0a'.repeat(32)}`;
    const index = indexOf();
    const [miss] = missed(
      [createdPod({ images: [`index.docker.io/nginx:no-such-tag${digest}`] }, index)],
      index,
    );
    expect(texts(miss!)).toEqual([`docker.io/library/nginx${digest}`]);
  });
});

describe('more images than a cache may have', () => {
  const change: ConfigChange = { createOnMiss: { by: 'controller', when: 'incomplete' } };
  const name = (i: number): string => `registry.example/image-${String(i).padStart(2, '0')}:1`;
  const images = Array.from({ length: 45 }, (_, i) => name(i));

  it('are split over several caches, and no image is left out', () => {
    const index = indexOf();
    const parts = missed([createdPod({ images }, index, change)], index, change).map(texts);
    expect(parts.map((part) => part.length)).toEqual([20, 20, 5]);
    expect(parts.flat()).toEqual(images);
  });

  it('are reduced to those that no cache holds or will hold, by the largest overlap', () => {
    const index = indexOf(
      cacheObject({ name: 'large', images: images.slice(0, 20) }),
      cacheObject({ name: 'small', images: images.slice(15, 22) }),
      cacheObject({ name: 'coming', images: images.slice(22, 30), phase: 'Creating', id: null }),
      cacheObject({ name: 'failed', images: images.slice(30, 40), phase: 'Failed' }),
    );
    const parts = missed([createdPod({ images }, index, change)], index, change).map(texts);
    expect(parts).toEqual([images.slice(30)]);
  });

  it('are reduced by a cache in the making that overlaps another cache, however long it takes', () => {
    const index = indexOf(
      cacheObject({ name: 'ready', images: images.slice(0, 20) }),
      cacheObject({ name: 'coming', images: images.slice(15, 30), phase: 'Creating', id: null }),
    );
    const parts = missed([createdPod({ images }, index, change)], index, change).map(texts);
    expect(parts).toEqual([images.slice(30)]);
  });

  it('are not reduced to those that an expired cache lacks', () => {
    const index = indexOf(
      cacheObject({ name: 'expired', images: images.slice(0, 20), expires: '2026-11-21T11:00:00Z' }),
    );
    const parts = missed([createdPod({ images }, index, change)], index, change).map(texts);
    expect(parts.flat()).toEqual(images);
  });

  it('are no longer a miss once the caches for their parts are made, whatever other caches exist', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.integer({ min: 0, max: 44 }), { minLength: 21, maxLength: 45 }),
        fc.array(fc.uniqueArray(fc.integer({ min: 0, max: 44 }), { minLength: 1, maxLength: 20 }), {
          maxLength: 4,
        }),
        (wanted, held) => {
          const existing = held.map((numbers, i) =>
            cacheObject({ name: `c${i}`, images: numbers.map(name) }),
          );
          const index = indexOf(...existing);
          const pod = createdPod({ images: wanted.map(name) }, index, change);
          const misses = missed([pod], index, change);
          const all = new Set([...held.flat().map(name), ...misses.flatMap(texts)]);
          expect(wanted.map(name).filter((image) => !all.has(image))).toEqual([]);
          for (const { desired } of misses) {
            expect(desired.images.length).toBeLessThanOrEqual(20);
            const made = ownCacheObject(
              desired,
              { reuse: false, flash: false, retentionDays: undefined },
              1,
              NOW,
            );
            readEntry(readManifest(made)).apply(index);
          }
          index.confirm(NOW);
          expect(missed([pod], index, change)).toEqual([]);
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe('the ImageCache for a miss', () => {
  const index = indexOf();
  const [miss] = missed([createdPod({ images: ['a:1'] }, index)], index);
  const options = { reuse: false, flash: false, retentionDays: undefined };

  it('has no retention, no reuse and no instant creation unless configured', () => {
    expect(ownCacheObject(miss!.desired, options, 1, NOW)).toEqual({
      apiVersion: 'eci.alibabacloud.com/v1',
      kind: 'ImageCache',
      metadata: {
        name: cacheName(miss!.desired),
        labels: {
          'imagecache-webhook.io/made-by': 'controller',
          'imagecache-webhook.io/image-set': miss!.desired.imageSet,
        },
        annotations: {
          'imagecache-webhook.io/attempt': '1',
          'imagecache-webhook.io/first-attempt': '2026-11-21T12:00:00.000Z',
        },
      },
      spec: { images: ['a:1'], imageCacheSize: 30 },
    });
    expect(
      ownCacheObject(miss!.desired, { reuse: true, flash: true, retentionDays: 7 }, 2, NOW),
    ).toMatchObject({
      metadata: {
        name: `${cacheName(miss!.desired)}-2`,
        annotations: { 'k8s.aliyun.com/imc-enable-reuse': 'true', 'k8s.aliyun.com/imc-enable-flash': 'true' },
      },
      spec: { retentionDays: 7 },
    });
  });

  it('has another name for each attempt, from which the name of the first attempt can be found', () => {
    const name = cacheName(miss!.desired);
    for (const attempt of [1, 2, 30]) {
      expect(firstNameOf(nameOfAttempt(name, attempt))).toBe(name);
      expect(isOwnName(nameOfAttempt(name, attempt))).toBe(true);
    }
    for (const other of ['auto-x', 'mine', `${name}x`, `auto-${'0'.repeat(31)}`])
      expect(isOwnName(other)).toBe(false);
  });
});
