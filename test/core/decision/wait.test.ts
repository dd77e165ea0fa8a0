/** Which pods wait for their cache, and what is on them meanwhile and afterwards. */
import { describe, expect, it } from 'vitest';
import { liftPatch } from '../../../src/core/decision/lift.ts';
import type { ClusterIndex } from '../../../src/index/cluster-index.ts';
import { applied } from '../../support/patch.ts';
import {
  cacheObject,
  configWith,
  decideFor,
  eciProfileObject,
  indexOf,
  NOW,
  podObject,
  type ConfigChange,
  type Json,
  type PodSpec,
} from '../../support/objects.ts';

const WAIT = 'imagecache-webhook.io/wait-for-cache';
const MARKER = 'imagecache-webhook.io/create-on-miss';
const AUTO = 'k8s.aliyun.com/eci-auto-imc';
const PIN = 'k8s.aliyun.com/eci-imc-id';
const ALLOWED: ConfigChange = { waitForCache: 'allow', createOnMiss: { by: 'controller' } };
const WAITING: PodSpec = { annotations: { [WAIT]: '5m' } };

/** An index beside which a controller leads. */
function withController(...objects: readonly Json[]): ClusterIndex {
  const index = indexOf(...objects);
  index.controllerLease.note('1', 'a', 15_000, NOW - 5000);
  index.controllerLease.note('2', 'a', 15_000, NOW - 3000);
  return index;
}

/** The pod as the API server has it after the answer of the webhook. */
function admitted(pod: PodSpec, change = ALLOWED, index = withController()): Json {
  const object = podObject(pod);
  return applied(object, decideFor(object, index, change).explanation.patch);
}
const gatesOf = ({ spec }: Json): unknown => (spec as Json)['schedulingGates'];
const metadataOf = (pod: Json): { annotations: Record<string, string>; labels: Record<string, string> } =>
  pod['metadata'] as ReturnType<typeof metadataOf>;

describe('a pod that asks to wait, and misses a cache', () => {
  it('gets a scheduling gate and a label, and the reason says so', () => {
    const pod = admitted(WAITING);
    expect(gatesOf(pod)).toEqual([{ name: WAIT }]);
    expect(metadataOf(pod).labels).toMatchObject({ [WAIT]: 'true', [MARKER]: expect.any(String) as unknown });
    expect(metadataOf(pod).annotations[AUTO]).toBe('false');
    const { decision } = decideFor(podObject(WAITING), withController(), ALLOWED);
    expect(decision.waitMs).toBe(300_000);
    expect(decision.why).toMatch(/; the pod waits for it, 5 min at most$/);
    expect(decision.warnings).toEqual([]);
  });

  it('waits too if a profile says so, or if a cache has some of its images', () => {
    const profile = eciProfileObject([{ name: 's', effect: { annotations: { [WAIT]: '1m' } } }]);
    expect(gatesOf(admitted({}, ALLOWED, withController(profile)))).toEqual([{ name: WAIT }]);
    const partial = admitted(
      { ...WAITING, images: ['app:1', 'proxy:1'] },
      ALLOWED,
      withController(cacheObject({ name: 'x', images: ['proxy:1'] })),
    );
    expect([gatesOf(partial), metadataOf(partial).annotations[PIN]]).toEqual([[{ name: WAIT }], 'imc-x']);
  });

  it('lets the controller make its cache with createOnMiss.by: auto', () => {
    const auto: ConfigChange = { waitForCache: 'allow', createOnMiss: { by: 'auto' } };
    expect(gatesOf(admitted(WAITING, auto))).toEqual([{ name: WAIT }]);
    expect(gatesOf(admitted({}, auto))).toBeUndefined();
    expect(decideFor(podObject(WAITING), withController(), auto).decision).toMatchObject({
      maker: 'controller',
      why: expect.stringContaining('as the pod waits for its cache') as unknown,
    });
  });

  it('keeps the gates of others, and is the same if the webhook sees it again', () => {
    const spec = { schedulingGates: [{ name: 'example.com/x' }] };
    const once = admitted({ ...WAITING, spec: { ...podSpec(), ...spec } });
    expect(gatesOf(once)).toEqual([{ name: 'example.com/x' }, { name: WAIT }]);
    expect(applied(once, decideFor(once, withController(), ALLOWED).explanation.patch)).toEqual(once);
  });

  it('waits no longer if the webhook sees it again, and a cache is there by now', () => {
    const again = admitted(WAITING);
    const index = withController(cacheObject({ name: 'x', images: ['app:1'] }));
    const pod = applied(again, decideFor(again, index, ALLOWED).explanation.patch);
    expect(gatesOf(pod) ?? []).toEqual([]);
    expect(metadataOf(pod).labels).not.toHaveProperty([WAIT]);
  });

  const podSpec = (): Json => podObject()['spec'] as Json;
  const many = Array.from({ length: 21 }, (_, i) => `a${i}:1`);
  const stale = (): ClusterIndex => {
    const index = indexOf();
    index.controllerLease.note('1', 'a', 15_000, NOW - 30_000);
    index.controllerLease.note('2', 'a', 15_000, NOW - 15_000);
    return index;
  };
  it.each<[string, PodSpec, ConfigChange, () => ClusterIndex, string]>([
    [
      'waitForCache is never',
      WAITING,
      { createOnMiss: { by: 'controller' } },
      withController,
      'is not allow',
    ],
    [
      'ECI makes the cache',
      WAITING,
      { waitForCache: 'allow' },
      withController,
      'the controller makes none for it',
    ],
    [
      'it has a node',
      { ...WAITING, spec: { ...podSpec(), nodeName: 'virtual-kubelet' } },
      ALLOWED,
      withController,
      'it has a node already',
    ],
    [
      'it may run on a normal node',
      { ...WAITING, labels: {}, annotations: { ...WAITING.annotations, [AUTO]: 'true' } },
      ALLOWED,
      withController,
      'it may also run on a normal node',
    ],
    ['no cache can hold its images', { ...WAITING, images: many }, ALLOWED, withController, 'can hold all'],
    ['no controller was ever seen', WAITING, ALLOWED, indexOf, 'no controller is there'],
    ['the Lease of the controller is old', WAITING, ALLOWED, stale, 'no controller is there'],
  ])('does not wait, and is told why, if %s', (_title, pod, change, index, warning) => {
    expect(gatesOf(admitted(pod, change, index()))).toBeUndefined();
    const { warnings } = decideFor(podObject(pod), index(), change).decision;
    expect(warnings.filter((each) => each.startsWith('the pod does not wait'))).toEqual([
      expect.stringContaining(warning),
    ]);
  });

  it.each(['0s', '11m', 'soon', '', '-5m'])('is told that %j is no time to wait', (text) => {
    const pod = podObject({ annotations: { [WAIT]: text } });
    const { decision } = decideFor(pod, withController(), ALLOWED);
    expect(decision.waitMs).toBeUndefined();
    expect(decision.warnings).toEqual([
      expect.stringContaining('it must be a duration such as "5m", at most "10m"'),
    ]);
  });
});

describe('a pod with a cache', () => {
  it('does not wait, and is told nothing', () => {
    const index = withController(cacheObject({ name: 'x', images: ['app:1'] }));
    expect(gatesOf(admitted(WAITING, ALLOWED, index))).toBeUndefined();
    expect(decideFor(podObject(WAITING), index, ALLOWED).decision.warnings).toEqual([]);
  });
});

describe('a gate of ours that nobody asked for', () => {
  it('is taken off when the pod is created', () => {
    const spec = {
      ...(podObject()['spec'] as Json),
      schedulingGates: [{ name: WAIT }, { name: 'example.com/x' }],
    };
    expect(gatesOf(admitted({ spec }))).toEqual([{ name: 'example.com/x' }]);
  });
});

describe('a pod that is let go', () => {
  const waiting = (): Json => {
    const pod = admitted(WAITING);
    return { ...pod, metadata: { ...(pod['metadata'] as Json), uid: 'u', resourceVersion: '7' } };
  };

  it('starts from its cache if that is Ready by now', () => {
    const index = withController(cacheObject({ name: 'x', images: ['app:1'] }));
    expect(liftPatch(waiting(), index, configWith(ALLOWED), NOW)).toEqual({
      metadata: {
        uid: 'u',
        resourceVersion: '7',
        annotations: {
          [MARKER]: null,
          [AUTO]: null,
          [PIN]: 'imc-x',
          'imagecache-webhook.io/decision': expect.stringContaining('"outcome":"hit"') as unknown,
        },
        labels: { [MARKER]: null, [WAIT]: null, 'imagecache-webhook.io/outcome': 'hit' },
      },
      spec: { schedulingGates: [] },
    });
  });

  it('starts without one otherwise, is not made to wait again, and keeps the gates of others', () => {
    const pod = waiting();
    const spec = { ...(pod['spec'] as Json), schedulingGates: [{ name: WAIT }, { name: 'example.com/x' }] };
    const patch = liftPatch({ ...pod, spec }, withController(), configWith(ALLOWED), NOW)!;
    expect(patch).toMatchObject({
      metadata: { labels: { [WAIT]: null } },
      spec: { schedulingGates: [{ name: 'example.com/x' }] },
    });
    expect(patch['metadata']).not.toHaveProperty(['annotations', PIN]);
    expect(JSON.stringify(patch)).not.toContain('waits for it');
  });

  it('is left to ECI if ECI makes its cache otherwise, or if nothing is known of the cluster', () => {
    const auto = configWith({ waitForCache: 'allow', createOnMiss: { by: 'auto' } });
    expect(liftPatch(waiting(), withController(), auto, NOW)).toHaveProperty(
      ['metadata', 'annotations', AUTO],
      null,
    );
    const stale = configWith({ ...ALLOWED, maxStalenessMs: -1 });
    expect(liftPatch(waiting(), withController(), stale, NOW)).toHaveProperty(
      ['metadata', 'annotations', AUTO],
      null,
    );
  });

  it('is not said to have another pull policy, which can no longer be changed', () => {
    const spec: PodSpec = { ...WAITING, pullPolicy: 'Always' };
    const pod = admitted(spec);
    const index = withController(cacheObject({ name: 'x', images: ['app:1'] }));
    const patch = liftPatch(pod, index, configWith({ ...ALLOWED, pullPolicy: 'enforce' }), NOW);
    expect(JSON.stringify(patch)).not.toContain('imagePullPolicy');
  });

  it('needs nothing if no gate of ours is on it', () => {
    expect(liftPatch(podObject(), withController(), configWith(ALLOWED), NOW)).toBeUndefined();
  });

  it('goes also if it cannot be read', () => {
    const broken = { metadata: { labels: 7 }, spec: { schedulingGates: [{ name: WAIT }] } };
    expect(liftPatch(broken, withController(), configWith(ALLOWED), NOW)).toMatchObject({
      spec: { schedulingGates: [] },
    });
  });
});
