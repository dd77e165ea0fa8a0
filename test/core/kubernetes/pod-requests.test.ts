import { describe, expect, it } from 'vitest';
import { ephemeralStorageRequest, sizeRequest } from '../../../src/core/kubernetes/pod-requests.ts';
import { GIB } from '../../../src/core/kubernetes/quantity.ts';
import type { Json } from '../../support/objects.ts';

const KEY = 'ephemeral-storage';

const requests = (value: unknown, more: Json = {}): Json => ({
  resources: { requests: { [KEY]: value } },
  ...more,
});
const limits = (value: unknown): Json => ({ resources: { limits: { [KEY]: value } } });
const sidecar = { restartPolicy: 'Always' };

describe('the ephemeral storage that a pod requests', () => {
  it.each<[string, Json, number]>([
    ['is 0 if no container requests any', { containers: [{}] }, 0],
    ['is the sum over the containers', { containers: [requests('10Gi'), requests('5Gi')] }, 15],
    ['counts a limit if a container states no request', { containers: [limits('10Gi')] }, 10],
    [
      'counts the request, and not the limit beside it',
      { containers: [{ resources: { requests: { [KEY]: '1Gi' }, limits: { [KEY]: '9Gi' } } }] },
      1,
    ],
    [
      'is that of the largest init container if it is more than the containers',
      { initContainers: [requests('20Gi'), requests('8Gi')], containers: [requests('5Gi')] },
      20,
    ],
    [
      'is that of the containers if it is more than each init container',
      { initContainers: [requests('3Gi'), requests('4Gi')], containers: [requests('5Gi')] },
      5,
    ],
    [
      'adds sidecars to the containers',
      { initContainers: [requests('3Gi', sidecar)], containers: [requests('5Gi')] },
      8,
    ],
    [
      'adds to an init container the sidecars that start before it, and no later one',
      {
        initContainers: [requests('3Gi', sidecar), requests('20Gi'), requests('4Gi', sidecar)],
        containers: [requests('5Gi')],
      },
      23,
    ],
    ['adds the overhead of the pod', { containers: [requests('5Gi')], overhead: { [KEY]: '1Gi' } }, 6],
    ['takes a number for bytes', { containers: [requests(GIB)] }, 1],
    [
      'takes what is no quantity for 0',
      { containers: [requests('much'), requests(true), requests('1Gi')] },
      1,
    ],
  ])('%s', (_title, spec, gib) => {
    expect(ephemeralStorageRequest(spec)).toBe(gib * GIB);
  });

  it.each([{ containers: 7 }, { containers: [7] }, { containers: [{ resources: 'x' }] }, {}])(
    'is 0 in a pod spec that the API server refuses: %j',
    (spec) => {
      expect(ephemeralStorageRequest(spec)).toBe(0);
    },
  );
});

describe('the size that a pod is billed for', () => {
  const container = (cpu: unknown, memory: unknown): object => ({ resources: { requests: { cpu, memory } } });

  it('is what its containers request', () => {
    const containers = [container('500m', '1Gi'), container(2, '512Mi')];
    expect(sizeRequest({ containers })).toEqual({ cpu: 2.5, memoryGib: 1.5 });
  });

  it('is that of an init container that requests more', () => {
    const spec = { initContainers: [container('4', '1Gi')], containers: [container('1', '2Gi')] };
    expect(sizeRequest(spec)).toEqual({ cpu: 4, memoryGib: 2 });
  });

  it('is 2 vCPUs and 4 GiB if nothing, or nothing that can be read, is requested', () => {
    expect(sizeRequest({ containers: [{}, container('much', [])] })).toEqual({ cpu: 2, memoryGib: 4 });
  });
});
