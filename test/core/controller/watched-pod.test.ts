/** What the controller keeps of a pod: little, whatever the pod holds. */
import { describe, expect, it } from 'vitest';
import { readWatchedPod } from '../../../src/core/controller/watched-pod.ts';
import { podObject, type Json } from '../../support/objects.ts';

describe('of the annotations of a pod', () => {
  it('only those that decide are kept', () => {
    const annotations = {
      'k8s.aliyun.com/eci-auto-imc': 'true',
      'k8s.aliyun.com/acr-instance-id': 'cri-1',
      'example.com/notes': 'x'.repeat(250_000),
      'kubectl.kubernetes.io/last-applied-configuration': '{}',
    };
    const { content } = readWatchedPod(podObject({ annotations }));
    expect([...content!.pod.annotations.keys()].toSorted()).toEqual([
      'k8s.aliyun.com/acr-instance-id',
      'k8s.aliyun.com/eci-auto-imc',
    ]);
  });
});

describe('a pod whose deciding parts are too large', () => {
  it.each<[string, Json]>([
    [
      'an annotation',
      { metadata: { annotations: { 'k8s.aliyun.com/insecure-registry': 'x'.repeat(40_000) } } },
    ],
    [
      'labels',
      {
        metadata: {
          labels: Object.fromEntries(Array.from({ length: 2000 }, (_, i) => [`label-${i}`, 'v'.repeat(20)])),
        },
      },
    ],
    [
      'images',
      {
        spec: {
          containers: Array.from({ length: 1000 }, (_, i) => ({
            name: `c${i}`,
            image: `registry.example/${'x'.repeat(40)}:${i}`,
          })),
        },
      },
    ],
  ])('(%s) is kept without them, and still protects its cache', (_title, change) => {
    const object = podObject({ annotations: { 'k8s.aliyun.com/eci-imc-id': 'imc-a' } });
    const metadata = object['metadata'] as { annotations: Json };
    const changed = (change['metadata'] ?? {}) as { annotations?: Json };
    const watched = readWatchedPod({
      ...object,
      ...change,
      metadata: { ...metadata, ...changed, annotations: { ...metadata.annotations, ...changed.annotations } },
    });
    expect(watched.content).toBeUndefined();
    expect(watched.pointsTo).toEqual(['imc-a']);
  });
});

it('a text that is too long to be an ID is no cache', () => {
  const annotations = { 'k8s.aliyun.com/eci-imc-id': `imc-${'x'.repeat(200_000)}` };
  expect(readWatchedPod(podObject({ annotations })).pointsTo).toEqual([]);
});
