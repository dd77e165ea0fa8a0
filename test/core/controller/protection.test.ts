/** Which caches pods need, and which they use. */
import { describe, expect, it } from 'vitest';
import { protectedCaches } from '../../../src/core/controller/protection.ts';
import { usageOf } from '../../../src/core/controller/uses.ts';
import { readWatchedPod, type WatchedPod } from '../../../src/core/controller/watched-pod.ts';
import { podObject, type Json } from '../../support/objects.ts';

interface Given {
  readonly id?: string;
  readonly namespace?: string;
  readonly node?: string | undefined;
  readonly status?: Json;
  /** Seconds after noon. */
  readonly at?: number;
  readonly deleting?: boolean;
}

let pods = 0;
function pod({ id = 'imc-a', namespace = 'team', node, status = {}, at = 0, deleting }: Given): WatchedPod {
  const object = podObject({ namespace, annotations: { 'k8s.aliyun.com/eci-imc-id': id } });
  const time = new Date(Date.parse('2026-11-21T12:00:00Z') + at * 1000).toISOString();
  return readWatchedPod({
    ...object,
    metadata: {
      ...(object['metadata'] as Json),
      namespace,
      uid: `uid-${++pods}`,
      creationTimestamp: time,
      ...(deleting === true && { deletionTimestamp: time }),
    },
    spec: { ...(object['spec'] as Json), ...(node !== undefined && { nodeName: node }) },
    status,
  });
}

const NOON = Date.parse('2026-11-21T12:00:00Z');
const kept = (given: readonly Given[], share = 10, now = NOON): string[] =>
  [...protectedCaches(given.map(pod), (namespace) => namespace, share, now)].toSorted();

describe('a pod on a node protects its cache', () => {
  const node = 'virtual-kubelet';

  it.each<[string, Json]>([
    ['it has no status yet', {}],
    ['it is Pending', { phase: 'Pending' }],
    ['its containers wait', { phase: 'Pending', containerStatuses: [{ state: { waiting: {} } }] }],
    ['its status is malformed', { phase: 7, containerStatuses: 'x', initContainerStatuses: [null, 3] }],
  ])('as long as %s', (_title, status) => expect(kept([{ node, status }])).toEqual(['imc-a']));

  it.each<[string, Json]>([
    ['it runs', { phase: 'Running' }],
    ['it has ended', { phase: 'Succeeded' }],
    ['a container has started', { phase: 'Pending', containerStatuses: [{ state: { running: {} } }] }],
    [
      'an init container has ended',
      { phase: 'Pending', initContainerStatuses: [{ state: { terminated: {} } }] },
    ],
  ])('no longer once %s', (_title, status) => expect(kept([{ node, status }])).toEqual([]));

  it('also if it is being deleted, or if its tenant has many', () => {
    expect(kept([{ node, deleting: true }])).toEqual(['imc-a']);
    const many = Array.from({ length: 5 }, (_, i) => ({ node, id: `imc-${i}` }));
    expect(kept(many, 2)).toHaveLength(5);
  });
});

it('pods that do not start on their node within an hour protect no more than the share of their tenant', () => {
  const stuck = [1, 2, 3].map((at) => ({ node: 'virtual-kubelet', id: `imc-${at}`, at }));
  expect(kept(stuck, 1, NOON + 3_600_000)).toHaveLength(3);
  expect(kept(stuck, 1, NOON + 3_610_000)).toEqual(['imc-3']);
});

describe('pods without a node', () => {
  it('protect at most the share of their tenant, the newest pods first', () => {
    const waiting = [1, 2, 3, 4].map((at) => ({ id: `imc-${at}`, at }));
    expect(kept(waiting, 2.9)).toEqual(['imc-3', 'imc-4']);
  });

  it('count for their own tenant only', () => {
    const waiting = ['a', 'b'].map((namespace) => ({ namespace, id: `imc-${namespace}` }));
    expect(kept(waiting, 1)).toEqual(['imc-a', 'imc-b']);
  });

  it('with the same cache count once', () => {
    const waiting = [{ at: 3 }, { at: 2 }, { id: 'imc-b', at: 1 }];
    expect(kept(waiting, 2)).toEqual(['imc-a', 'imc-b']);
  });

  it('protect nothing while they are being deleted', () => expect(kept([{ deleting: true }])).toEqual([]));
});

it('a cache is used by the pods on nodes, whether they have started or not', () => {
  const running = { phase: 'Running' };
  const usage = usageOf(
    [
      { node: 'vk', at: 1, status: running },
      { node: 'vk', at: 5, namespace: 'other' },
      { at: 9, namespace: 'waiting' },
    ].map(pod),
  );
  expect(usage.get('imc-a')).toMatchObject({
    pods: 2,
    lastAtMs: Date.parse('2026-11-21T12:00:05Z'),
    namespaces: new Set(['team', 'other']),
  });
});

it('a pod that ECI says started from a cache uses it, whether it was decided or not', () => {
  const object = podObject({ annotations: { 'k8s.aliyun.com/eci-matched-image-cache': 'imc-m' } });
  expect(readWatchedPod(object).pointsTo).toEqual(['imc-m']);
});
