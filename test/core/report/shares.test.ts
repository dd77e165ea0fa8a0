import { describe, expect, it } from 'vitest';
import { objectNamespace } from '../../../src/core/kubernetes/object.ts';
import { imagesOf, sharesBy } from '../../../src/core/report/shares.ts';
import { moneyOf } from '../../../src/core/report/money.ts';
import { cacheObject, configWith, indexOf, nodeObject, NOW, type Json } from '../../support/objects.ts';

const INSTANCE = { 'k8s.aliyun.com/eci-instance-id': 'eci' };
const matched = (id: string): Json => ({ ...INSTANCE, 'k8s.aliyun.com/eci-matched-image-cache': id });
const decided = (outcome: string): Json => ({
  'imagecache-webhook.io/decision': JSON.stringify({ outcome, why: '' }),
});

function pod(namespace: string, annotations: Json, images = ['app:1'], startTime?: string): Json {
  return {
    metadata: { name: 'p', namespace, annotations },
    spec: { containers: images.map((image) => ({ name: image, image })) },
    status: { startTime },
  };
}

describe('the shares of warm pods', () => {
  const pods = [
    pod('a', { ...decided('hit'), ...matched('imc-1') }, ['app:1', 'app:1', 'side:1']),
    pod('a', { ...decided('miss'), ...INSTANCE }),
    pod('b', decided('pinned')),
    pod('b', {}),
    pod('c', INSTANCE),
  ];

  it('count what was decided and what ECI did, the coldest first, and leave out pods of normal nodes', () => {
    expect(sharesBy(pods, (each) => [objectNamespace(each)])).toEqual([
      { name: 'a', pods: 2, decidedWarm: 1, placed: 2, startedWarm: 1 },
      { name: 'c', pods: 1, decidedWarm: 0, placed: 1, startedWarm: 0 },
      { name: 'b', pods: 1, decidedWarm: 1, placed: 0, startedWarm: 0 },
    ]);
  });

  it('by image count each image of a pod once', () => {
    expect(sharesBy(pods, imagesOf)).toEqual([
      { name: 'docker.io/library/app:1', pods: 4, decidedWarm: 2, placed: 3, startedWarm: 1 },
      { name: 'docker.io/library/side:1', pods: 1, decidedWarm: 1, placed: 1, startedWarm: 1 },
    ]);
  });
});

describe('the money', () => {
  const index = indexOf(
    cacheObject({ name: 'one', images: ['app:1'], size: 40 }),
    nodeObject('n', {}, { 'docker.io/library/app:1': 1e9 }),
  );
  const config = configWith();
  const hourAgo = new Date(NOW - 3_600_000).toISOString();

  it('saves the pulling of what the cache holds, and spends a disk of its size for each hour', () => {
    const pods = [pod('a', matched('imc-one'), ['app:1', 'other:1'], hourAgo), pod('a', INSTANCE)];
    const { saved, ...money } = moneyOf(pods, [{ sizeBytes: 40 * 2 ** 30 }], index, config, NOW);
    expect(money).toEqual({
      warmPods: 1,
      secondsSaved: 1000 / config.pullRate,
      disks: expect.closeTo(40 * config.prices.diskGibHour),
      snapshotsMonth: expect.closeTo(40 * 0.12),
    });
    const perSecond = 2 * config.prices.vcpuSecond + 4 * config.prices.memoryGibSecond;
    expect(saved).toBeCloseTo((1000 / config.pullRate) * perSecond);
  });

  it('of a pod that has ended is counted until its end', () => {
    const ended = pod('a', matched('imc-one'), ['app:1'], new Date(NOW - 1000 * 3_600_000).toISOString());
    const finishedAt = new Date(NOW - 998 * 3_600_000).toISOString();
    const status = {
      ...(ended['status'] as Json),
      phase: 'Succeeded',
      containerStatuses: [{ state: { terminated: { finishedAt } } }],
    };
    const { disks } = moneyOf([{ ...ended, status }], [], index, config, NOW);
    expect(disks).toBeCloseTo(2 * 40 * config.prices.diskGibHour);
  });

  it('of an automatic cache of ECI costs no disk', () => {
    const money = moneyOf([pod('a', matched('imc-of-eci'), ['app:1'], hourAgo)], [], index, config, NOW);
    expect(money).toMatchObject({ warmPods: 1, disks: 0 });
  });
});
