/** What the kubelet's Events say of images. */
import { describe, expect, it } from 'vitest';
import { readPull } from '../../../src/core/truth/pull.ts';
import type { Json } from '../../support/objects.ts';

function event(message: string, change: Json = {}): Json {
  return {
    reason: 'Pulled',
    message,
    involvedObject: { kind: 'Pod', namespace: 'shop', name: 'web', uid: 'u1' },
    source: { component: 'kubelet' },
    lastTimestamp: '2026-11-25T12:00:00Z',
    ...change,
  };
}

describe('an image', () => {
  it.each<[string, string, number, boolean]>([
    ['Container image "a:1" already present on machine', 'a:1', 0, true],
    ['Container image "a:1" already present on machine and can be accessed by the pod', 'a:1', 0, true],
    [
      'Successfully pulled image "b@sha256:0" in 7.5s (9s including waiting). Image size: 3 bytes.',
      'b@sha256:0',
      7.5,
      false,
    ],
    ['Successfully pulled image "b:2" in 532ms (532ms including waiting)', 'b:2', 0.532, false],
    ['Successfully pulled image "b:2" in 1m2.25s', 'b:2', 62.25, false],
    ['Successfully pulled image "b:2" in 1h0m1s', 'b:2', 3601, false],
  ])('%s', (message, image, seconds, wasPresent) => {
    const read = readPull(event(message));
    expect(read).toMatchObject({ podUid: 'u1', namespace: 'shop', podName: 'web', image, wasPresent });
    expect(read?.seconds).toBeCloseTo(seconds, 6);
    expect(read?.atMs).toBe(Date.parse('2026-11-25T12:00:00Z'));
  });
});

describe('nothing is read of an Event', () => {
  it.each<[string, Json]>([
    ['with another reason', event('Container image "a:1" already present on machine', { reason: 'Pulling' })],
    [
      'of our own',
      event('Container image "a:1" already present on machine', {
        source: { component: 'imagecache-controller' },
      }),
    ],
    [
      'on another object',
      event('Container image "a:1" already present on machine', { involvedObject: { kind: 'Node' } }),
    ],
    ['with a time that is none', event('Successfully pulled image "a:1" in soon')],
    ['without a message', event('', { message: undefined })],
    ['that is empty', {}],
  ])('%s', (_title, object) => {
    expect(readPull(object)).toBeUndefined();
  });
});
