/** The Events about pods and their caches. test/e2e shows that the API server accepts them. */
import { beforeEach, describe, expect, it } from 'vitest';
import { readWatchedPod, type WatchedPod } from '../../src/core/controller/watched-pod.ts';
import type { PlanOptions, RefusalCode } from '../../src/core/controller/plan.ts';
import { PodEvents } from '../../src/controller/pod-events.ts';
import {
  cacheObject,
  configWith,
  indexOf,
  NOW,
  podObject,
  type CacheSpec,
  type Json,
} from '../support/objects.ts';
import { missOf } from '../support/planning.ts';

const MARKED = { 'imagecache-webhook.io/create-on-miss': 'x' };
const MINUTE = 60_000;

let told: string[];
let events: PodEvents;
let pods: WatchedPod[];

beforeEach(() => {
  told = [];
  pods = [];
  events = new PodEvents(
    ({ name }, _type, reason, message) => told.push(`${name} ${reason}: ${message}`),
    configWith(),
  );
});

function pod(name: string, annotations: Record<string, string>, createdAtMs = '2026-11-21T12:00:00Z'): void {
  const object = podObject({ images: ['a:1', 'b:1'] });
  const metadata = {
    ...(object['metadata'] as Json),
    name,
    uid: name,
    annotations,
    creationTimestamp: createdAtMs,
  };
  pods.push(readWatchedPod({ ...object, metadata }));
}

const given = (name: string): void => pod(name, { 'k8s.aliyun.com/eci-imc-id': 'imc-x' });

function look(cache: Partial<CacheSpec> = {}, now = NOW): string[] {
  const index = indexOf(
    cacheObject({ name: 'x', images: ['a:1'], created: '2026-11-21T11:00:00Z', ...cache }),
  );
  told.length = 0;
  events.starting(pods, index, now);
  return [...told];
}

const OPTIONS: PlanOptions = {
  quota: 7,
  packing: false,
  missesBefore: 1,
  refresh: 'never',
  idleAfter: 0,
  retireWait: 0,
  tenantCreationsPerHour: 5,
  creationsPerHour: 9,
};

describe('for pods that were given a cache', () => {
  it('there is one Event for all of them, on the latest, with how many images the cache holds', () => {
    look();
    given('p');
    given('q');
    given('r');
    expect(look()).toEqual([
      'r SuccessfulHitImageCache: this pod and 2 earlier ones were given ImageCache x (imc-x), which holds 1 of 2 images; the others are pulled',
    ]);
    expect(look()).toEqual([]);
  });

  it('later pods share one Event ten minutes after the first', () => {
    look();
    given('p');
    expect(look()).toHaveLength(1);
    given('q');
    given('r');
    expect(look({}, NOW + 9 * MINUTE)).toEqual([]);
    expect(look({}, NOW + 10 * MINUTE)).toEqual([
      expect.stringMatching(/^r .*: this pod and 1 earlier one were given/),
    ]);
    expect(look({}, NOW + 30 * MINUTE)).toEqual([]);
    given('s');
    expect(look({}, NOW + 31 * MINUTE)).toEqual([expect.stringMatching(/^s .*: this pod was given/)]);
  });

  it('there is no Event for pods from before this leader, nor for caches without an object', () => {
    given('p');
    expect(look()).toEqual([]);
    pod('q', { 'k8s.aliyun.com/eci-imc-id': 'imc-of-eci-itself' });
    expect(look()).toEqual([]);
  });

  it('an Event says that a cache is being deleted', () => {
    look();
    given('p');
    expect(look({ deleting: true })).toEqual([
      'p ImageCacheNotComplete: this pod cannot start from ImageCache x, which is being deleted',
    ]);
  });

  it('an Event says that a cache is not complete', () => {
    look();
    given('p');
    expect(look({ phase: 'Creating', progress: '40%' })).toEqual([
      'p ImageCacheNotComplete: this pod cannot start from ImageCache x, which is Creating 40%',
    ]);
  });
});

describe('for pods that missed while a cache was being made', () => {
  const inTheMaking = {
    images: ['a:1', 'b:1'],
    phase: 'Creating',
    progress: '40%',
    created: '2026-11-21T11:59:00Z',
  };

  it('an Event says that the cache is not complete yet', () => {
    look(inTheMaking);
    pod('p', MARKED);
    expect(look(inTheMaking)).toEqual([
      'p ImageCacheNotComplete: this pod cannot start from ImageCache x, which is Creating 40%',
    ]);
  });

  it.each<[string, Partial<CacheSpec>]>([
    ['the cache was made for this pod, and not before the pod', { created: '2026-11-21T12:00:00Z' }],
    ['the cache lacks an image of the pod', { images: ['a:1'] }],
    ['the cache has failed', { phase: 'Failed' }],
    ['the cache is larger than the storage of the pod', { size: 500 }],
    [
      'the cache is Ready by now, so that its phase at the creation of the pod is not known',
      { phase: 'Ready' },
    ],
  ])('there is no Event if %s', (_title, change) => {
    look();
    pod('p', MARKED);
    expect(look({ ...inTheMaking, ...change })).toEqual([]);
  });
});

describe('of several namespaces', () => {
  it('each gets an Event of its own, which counts no pod of another namespace', () => {
    look();
    for (const namespace of ['a', 'b', 'b']) {
      given(`p${pods.length}`);
      const last = pods.pop()!;
      pods.push({ ...last, subject: { ...last.subject, namespace } });
    }
    expect(look().map((each) => each.replace(/ were? .*| was .*/, ''))).toEqual([
      'p0 SuccessfulHitImageCache: this pod',
      'p2 SuccessfulHitImageCache: this pod and 1 earlier one',
    ]);
  });

  it('a miss that all share says how many pods of its own namespace missed', () => {
    const [, miss] = missOf('x', 0, { a: 2, b: 40 });
    told.length = 0;
    events.created('auto-x', miss);
    expect(told[0]).toBe('x ImageCacheMissed: this pod and 1 earlier one found no image cache');
  });
});

describe('for misses that get no cache', () => {
  const refuse = (refusals: readonly (readonly [string, string, RefusalCode])[], now = NOW): string[] => {
    told.length = 0;
    events.refused(
      refusals.map(([image, namespace, code]) => ({ miss: missOf(image, 0, { [namespace]: 1 })[1], code })),
      OPTIONS,
      now,
    );
    return [...told];
  };

  it('one Event for each namespace and reason says why', () => {
    expect(
      refuse([
        ['a', 'team', 'Quota'],
        ['b', 'team', 'Quota'],
        ['c', 'team', 'TenantRate'],
        ['d', 'other', 'Rate'],
      ]),
    ).toEqual([
      "a ImageCacheMissed: no ImageCache is made for this pod's images and 1 other image set of this namespace: the quota (7) is reached, and no cache may go for it",
      "c ImageCacheMissed: no ImageCache is made for this pod's images: 5 were made for this tenant within an hour, which is the most (controller.tenantCreationsPerHour)",
      "d ImageCacheMissed: no ImageCache is made for this pod's images: 9 were made within an hour, which is the most (controller.creationsPerHour)",
    ]);
  });

  it('the same is said again after ten minutes, and not before', () => {
    const same: readonly [string, string, RefusalCode][] = [['a', 'team', 'Quota']];
    expect(refuse(same)).toHaveLength(1);
    expect(refuse(same, NOW + 9 * MINUTE)).toEqual([]);
    expect(refuse(same, NOW + 10 * MINUTE)).toHaveLength(1);
  });

  it('at most twenty Events are written at once, whatever the number of misses', () => {
    const all = Array.from({ length: 3000 }, (_, i) => [`x${i}`, `n${i % 45}`, 'Quota'] as const);
    expect([0, 1, 2, 3].map(() => refuse(all).length)).toEqual([20, 20, 5, 0]);
  });
});

it('at most twenty Events are written at once, and none is lost', () => {
  const many = Array.from({ length: 45 }, (_, i) => cacheObject({ name: `x${i}`, images: ['a:1'] }));
  const index = indexOf(...many);
  events.starting([], index, NOW);
  for (let i = 0; i < 45; i++) pod(`p${i}`, { 'k8s.aliyun.com/eci-imc-id': `imc-x${i}` });
  const counts = [0, 1, 2, 3].map(() => {
    told.length = 0;
    events.starting(pods, index, NOW);
    return told.length;
  });
  expect(counts).toEqual([20, 20, 5, 0]);
});
