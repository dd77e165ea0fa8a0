/** Which caches pods miss at present, and which ImageCaches would end the misses. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cacheObject as ownCacheObject, type Attempt } from '../../../src/core/controller/own-cache.ts';
import { groupPods, type Miss } from '../../../src/core/controller/misses.ts';
import { imageSetHash } from '../../../src/core/image/image-set.ts';
import { parseImageReference } from '../../../src/core/image/reference.ts';
import type { CredentialOptions } from '../../../src/core/controller/missing-images.ts';
import {
  firstNameOf,
  isOwnName,
  cacheName,
  nameOfAttempt,
  type DesiredCache,
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
import { missesOf, RULES } from '../../support/misses.ts';

const BY_CONTROLLER: ConfigChange = { createOnMiss: { by: 'controller' } };

const FIRST: Attempt = {
  attempt: 1,
  firstAttemptAtMs: NOW,
  sizeGib: 30,
  namespace: 'default',
  sets: [],
  users: [],
};

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
  return [...missesOf(pods.map(readWatchedPod), index, configWith(change), RULES, NOW).values()];
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
    expect(misses).toMatchObject([{ missedAtMs: Date.parse('2026-11-21T11:30:00Z') }]);
    expect(misses[0]!.pods).toEqual(
      new Map([
        ['default', 2],
        ['other', 1],
      ]),
    );
  });

  it('is another miss if credentials or registry differ, and not if only the storage does', () => {
    const index = indexOf();
    const pods = [
      {},
      { spec: { imagePullSecrets: [{ name: 'a' }] } },
      { spec: { imagePullSecrets: [{ name: 'b' }, { name: 'a' }] } },
      { spec: { imagePullSecrets: [{ name: 'a' }] }, namespace: 'other' },
      { annotations: { 'k8s.aliyun.com/acr-instance-ids': 'cri-1' } },
      { annotations: { 'k8s.aliyun.com/eci-extra-ephemeral-storage': '1500Mi' } },
      { annotations: { 'k8s.aliyun.com/eci-extra-ephemeral-storage': '40000Gi' } },
    ].map((pod) => createdPod({ images: ['a:1'], ...pod }, index));
    const misses = missed(pods, index);
    expect(misses.map(({ desired }) => [desired.pullSecrets, Object.fromEntries(desired.registry)])).toEqual([
      [[], {}],
      [['default:a'], {}],
      [['default:a', 'default:b'], {}],
      [['other:a'], {}],
      [[], { 'k8s.aliyun.com/acr-instance-ids': 'cri-1' }],
    ]);
  });

  it('ends once a usable cache has all the images, or a cache with all the images is being made', () => {
    const pod = createdPod({ images: ['a:1', 'b:1'] }, indexOf());
    const missedBeside = (cache: object): Miss[] =>
      missed([pod], indexOf(cacheObject({ name: 'c', images: ['a:1', 'b:1'], ...cache })));
    expect(missedBeside({})).toEqual([]);
    expect(missedBeside({ images: ['a:1'] })).toHaveLength(1);
    const created = new Date(NOW - 60_000).toISOString();
    expect(missedBeside({ phase: 'Creating', id: null, created })).toEqual([]);
    expect(missedBeside({ phase: 'Creating', images: ['a:1'] })).toHaveLength(1);
    expect(missedBeside({ phase: 'Failed' })).toHaveLength(1);
    expect(missedBeside({ phase: 'Creating', deleting: true })).toHaveLength(1);
    expect(missedBeside({ size: 40 })).toHaveLength(1);
    const retiring = { 'imagecache-webhook.io/retiring': 'Quota 2026-11-21T11:59:00Z' };
    const labels = { 'imagecache-webhook.io/made-by': 'controller' };
    expect(missedBeside({ annotations: retiring, labels })).toHaveLength(1);
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
    credentials: CredentialOptions = RULES,
    ...objects: Json[]
  ): Miss[] => {
    const index = indexOf(...teams, ...objects);
    const watched = pods.map((pod) => readWatchedPod(createdPod(pod, index)));
    return [
      ...missesOf(watched, index, configWith(BY_CONTROLLER), { ...RULES, ...credentials }, NOW).values(),
    ];
  };
  const objectOf = ({ desired }: Miss): Json =>
    ownCacheObject(desired, { reuse: false, flash: false, retentionDays: undefined }, FIRST);

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
      expect(missedWith([withSecret('b')], RULES, cache)).toHaveLength(1);
      expect(missedWith([withSecret('a')], RULES, cache)).toHaveLength(0);
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
      return (ownCacheObject(desired, options, FIRST)['metadata'] as Json)['annotations'];
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
    const change: ConfigChange = { ...BY_CONTROLLER, region: { name: 'cn-beijing' } };
    expect(missed([createdPod(X86, index, change)], index, change)).toHaveLength(1);
  });
});

describe('a cache in the making', () => {
  const wanted: PodSpec = { images: ['a:1', 'b:1'] };
  const OWN = { 'imagecache-webhook.io/made-by': 'controller' };
  const missedBeside = (
    images: readonly string[],
    minutes: number,
    labels: Record<string, string>,
  ): number => {
    const created = new Date(NOW - minutes * 60_000).toISOString();
    const index = indexOf(cacheObject({ name: 'c', images, phase: 'Creating', id: null, created, labels }));
    return missed([createdPod(wanted, index)], index).length;
  };

  it.each<[string, readonly string[], number, Record<string, string>, number]>([
    ['of the same images ends a miss', ['a:1', 'b:1'], 5, {}, 0],
    ['of the same images that somebody makes by hand ends it for ten minutes', ['a:1', 'b:1'], 11, {}, 1],
    ['of the same images that the controller makes ends it as long as it takes', ['a:1', 'b:1'], 90, OWN, 0],
    [
      'of the controller that holds other images, too, ends it for ten minutes',
      ['a:1', 'b:1', 'x:1'],
      5,
      OWN,
      0,
    ],
    ['of the controller that holds other images, too, ends it no longer', ['a:1', 'b:1', 'x:1'], 11, OWN, 1],
    ['of somebody else that holds other images, too, does not end it', ['a:1', 'b:1', 'x:1'], 1, {}, 1],
  ])('%s', (_title, images, minutes, labels, expected) => {
    expect(missedBeside(images, minutes, labels)).toBe(expected);
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

  it('are reduced by a cache in the making of the controller that overlaps another cache, however long it takes', () => {
    const index = indexOf(
      cacheObject({ name: 'ready', images: images.slice(0, 20) }),
      cacheObject({
        name: 'coming',
        images: images.slice(15, 30),
        phase: 'Creating',
        id: null,
        created: '2026-11-01T00:00:00Z',
        labels: { 'imagecache-webhook.io/made-by': 'controller' },
      }),
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
              FIRST,
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
    expect(ownCacheObject(miss!.desired, options, FIRST)).toEqual({
      apiVersion: 'eci.alibabacloud.com/v1',
      kind: 'ImageCache',
      metadata: {
        name: cacheName(miss!.desired),
        labels: {
          'imagecache-webhook.io/made-by': 'controller',
          'imagecache-webhook.io/image-set': miss!.desired.imageSet,
        },
        annotations: {
          'imagecache-webhook.io/made-for': 'default',
          'imagecache-webhook.io/attempt': '1',
          'imagecache-webhook.io/image-sets': '[]',
          'imagecache-webhook.io/first-attempt': '2026-11-21T12:00:00.000Z',
        },
      },
      spec: { images: ['a:1'], imageCacheSize: 30 },
    });
    expect(
      ownCacheObject(miss!.desired, { reuse: true, flash: true, retentionDays: 7 }, { ...FIRST, attempt: 2 }),
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

it('a pod that waits for its cache makes the miss an awaited one, and others do not', () => {
  const index = indexOf();
  const pod = (name: string, gate: string): Json => {
    const made = createdPod({ images: ['a:1'] }, index, BY_CONTROLLER, { name, uid: name });
    return { ...made, spec: { ...(made['spec'] as Json), schedulingGates: [{ name: gate }] } };
  };
  const awaited = (...gates: readonly string[]): boolean[] =>
    missed(
      gates.map((gate, i) => pod(`p${i}`, gate)),
      index,
    ).map(({ isAwaited }) => isAwaited);
  expect(awaited('example.com/x', 'example.com/x')).toEqual([false]);
  expect(awaited('example.com/x', 'imagecache-webhook.io/wait-for-cache')).toEqual([true]);
});

describe('a pod counts as one that misses a cache', () => {
  const index = indexOf();
  const at = (seconds: number): string => new Date(NOW - seconds * 1000).toISOString();
  const counted = (spec: Json, seconds: number): number => {
    const pod = createdPod({ images: ['a:1'] }, index, BY_CONTROLLER, { creationTimestamp: at(seconds) });
    return missed([{ ...pod, spec: { ...(pod['spec'] as Json), ...spec } }], index).length;
  };

  it('at once if it has a node', () => expect(counted({ nodeName: 'virtual-kubelet' }, 0)).toBe(1));
  it('at once if the scheduler may not place it yet', () =>
    expect(counted({ schedulingGates: [{ name: 'x' }] }, 0)).toBe(1));
  it('after a minute if it has no node', () => {
    expect(counted({}, 59)).toBe(0);
    expect(counted({}, 60)).toBe(1);
  });

  it('not before then, and the controller is told when', () => {
    const pod = createdPod({ images: ['a:1'] }, index, BY_CONTROLLER, { creationTimestamp: at(45) });
    expect(groupPods([readWatchedPod(pod)], NOW).reconcileAgainAtMs).toBe(NOW + 15_000);
  });
});

describe('a marker', () => {
  const index = indexOf({
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: 'opted-out', labels: { 'imagecache-webhook.io/webhook': 'disabled' } },
  });
  const withMarker = (marker: string, pod: PodSpec = {}): number => {
    const object = createdPod({ images: ['a:1'], ...pod }, index);
    const metadata = object['metadata'] as { annotations: Json };
    const annotations = { ...metadata.annotations, 'imagecache-webhook.io/create-on-miss': marker };
    return missed([{ ...object, metadata: { ...metadata, annotations } }], index).length;
  };
  const right = imageSetHash([parseImageReference('a:1')!]);

  it('counts if it is the hash of the images of the pod', () => expect(withMarker(right)).toBe(1));
  it.each(['anything', '', imageSetHash([parseImageReference('b:1')!])])(
    'with another value does not count: %j',
    (marker) => expect(withMarker(marker)).toBe(0),
  );
  it('does not count in a namespace that is opted out', () =>
    expect(withMarker(right, { namespace: 'opted-out' })).toBe(0));
  it('does not count in a namespace whose pods are never sent to the webhook', () =>
    expect(withMarker(right, { namespace: 'kube-system' })).toBe(0));
  it('does not count on a pod that is opted out', () =>
    expect(withMarker(right, { labels: { 'imagecache-webhook.io/webhook': 'disabled' } })).toBe(0));
});

describe('the size of a cache', () => {
  const GIB = 2 ** 30;
  const knowing = (sizes: Readonly<Record<string, number>>, ...objects: Json[]): ClusterIndex =>
    indexOf(
      {
        apiVersion: 'v1',
        kind: 'Node',
        metadata: { name: 'n', labels: {} },
        status: {
          images: Object.entries(sizes).map(([name, gib]) => ({ names: [name], sizeBytes: gib * GIB })),
        },
      },
      ...objects,
    );
  const desiredFor = (
    index: ClusterIndex,
    extra?: string,
    maxSizeGib = 100,
    images: readonly string[] = ['a:1'],
  ): DesiredCache => {
    const annotations = extra === undefined ? {} : { 'k8s.aliyun.com/eci-extra-ephemeral-storage': extra };
    const pod = readWatchedPod(createdPod({ images, annotations }, index));
    const rules = { ...RULES, maxSizeGib };
    const [miss] = missesOf([pod], index, configWith(BY_CONTROLLER), rules, NOW).values();
    return miss!.desired;
  };

  it.each<[string, Readonly<Record<string, number>>, number]>([
    ['is 30 GiB if the size of an image is not known', {}, 30],
    ['is twice the compressed bytes if they are known', { 'a:1': 12.1 }, 25],
    ['is never below 20 GiB', { 'a:1': 0.1 }, 20],
  ])('%s', (_title, sizes, expected) => {
    expect(desiredFor(knowing(sizes)).sizeGib).toBe(expected);
  });

  it('has room for the known images, also if another one is not known', () => {
    expect(desiredFor(knowing({ 'a:1': 20 }), '100Gi', 100, ['a:1', 'b:1']).sizeGib).toBe(40);
  });

  it('is never above the storage of the pod, nor above the largest that is configured', () => {
    expect(desiredFor(knowing({ 'a:1': 40 })).sizeGib).toBe(30);
    expect(desiredFor(knowing({ 'a:1': 400 }), '40000Gi').sizeGib).toBe(100);
    expect(desiredFor(knowing({ 'a:1': 40 }), '40000Gi', 50).sizeGib).toBe(50);
  });

  it('does not follow the storage that a pod asks for', () => {
    expect(desiredFor(knowing({}), '40000Gi').sizeGib).toBe(30);
  });

  it('is part of the name only for pods whose storage is too small for the common cache', () => {
    const index = knowing({ 'a:1': 20 });
    const names = ['20Gi', '21Gi', '500Gi'].map((extra) => cacheName(desiredFor(index, extra)));
    expect(new Set(names).size).toBe(1);
    const small = desiredFor(index);
    expect(names).not.toContain(cacheName(small));
    expect(small).toMatchObject({ sizeGib: 30, fixedSizeGib: 30 });
  });

  it('leads to few caches if the storages of the pods differ by little', () => {
    const index = knowing({ 'a:1': 400 });
    const names = Array.from({ length: 69 }, (_, i) => cacheName(desiredFor(index, `${i + 1}Gi`)));
    expect(new Set(names).size).toBeLessThanOrEqual(5);
  });

  it('is smaller in a cache of another name if the common one exists and is too large for the pod', () => {
    const name = cacheName(desiredFor(knowing({})));
    const existing = cacheObject({ name, images: ['a:1'], size: 60 });
    const desired = desiredFor(knowing({}, existing));
    expect(desired.sizeGib).toBe(30);
    expect(cacheName(desired)).not.toBe(name);
  });
});

it('pods with the same content are decided once', () => {
  const index = indexOf();
  const pod = readWatchedPod(createdPod({ images: ['a:1'] }, index));
  let decisions = 0;
  const counting = new Proxy(index, {
    get: (target, property) => {
      if (property === 'profile') decisions += 1;
      const value: unknown = Reflect.get(target, property, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
  const pods = Array.from({ length: 50 }, (_, i) => ({
    ...pod,
    subject: { ...pod.subject, uid: `u${i}` },
  }));
  const [miss] = missesOf(pods, counting, configWith(BY_CONTROLLER), RULES, NOW).values();
  expect(miss!.pods).toEqual(new Map([['default', 50]]));
  expect(decisions).toBeLessThan(5);
});

it('registry annotations of a pod that are too long for an ImageCache lead to no cache', () => {
  const index = indexOf();
  const registries = { 'k8s.aliyun.com/insecure-registry': 'r'.repeat(2049) };
  expect(missed([createdPod({ images: ['a:1'], annotations: registries }, index)], index)).toEqual([]);
});
