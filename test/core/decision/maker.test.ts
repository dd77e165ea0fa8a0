/** Who makes a cache with createOnMiss.by: auto, by how long pods live and what a cache costs. */
import { describe, expect, it } from 'vitest';
import { breakEvenSeconds } from '../../../src/core/decision/break-even.ts';
import { LEAST_ENDED, templateOf, type PodLife } from '../../../src/core/decision/pod-life.ts';
import { readPod } from '../../../src/core/pod.ts';
import { DEFAULT_CONFIG } from '../../support/default-config.ts';
import { cacheObject, decideFor, indexOf, nodeObject, podObject, type Json } from '../../support/objects.ts';

const SIZE = { cpu: 2, memoryGib: 4 };
const LIFE: PodLife = { ...SIZE, seconds: 60, ended: LEAST_ENDED, learnedAtMs: 0 };
const AUTO = 'k8s.aliyun.com/eci-auto-imc';
const MARKER = 'imagecache-webhook.io/create-on-miss';
const OPTIONS = { createOnMiss: { by: 'auto' } } as const;

/** An index with nodes that report the sizes of images, in compressed megabytes. */
function indexWith(
  sizes: Readonly<Record<string, number>>,
  ...objects: readonly Json[]
): ReturnType<typeof indexOf> {
  const bytes = Object.fromEntries(Object.entries(sizes).map(([image, size]) => [image, size * 1e6]));
  return indexOf(nodeObject('n', {}, bytes), ...objects);
}

describe('the life after which a cache costs more than it saves', () => {
  const minutes = (keys: readonly string[], index = indexOf()): number =>
    breakEvenSeconds(SIZE, keys, DEFAULT_CONFIG, index) / 60;

  it('is that of the example: 5.8 minutes with 30 GiB if nothing is known of the images, 8.8 with 20 for as much pulling', () => {
    expect(minutes(['a:1'])).toBeCloseTo(5.8, 1);
    expect(minutes(['docker.io/library/a:1'], indexWith({ 'a:1': 385 }))).toBeCloseTo(8.8, 1);
  });

  it('grows with what has to be pulled, and shrinks with the disk that this takes', () => {
    const A = 'docker.io/library/a:1';
    expect(minutes([A], indexWith({ 'a:1': 385 }))).toBeCloseTo(8.8, 1);
    expect(minutes([A], indexWith({ 'a:1': 770 }))).toBeCloseTo(17.5, 1);
    // 21.5 GB take 41 GiB.
    expect(minutes([A], indexWith({ 'a:1': 21_500 }))).toBeCloseTo(8.75 * (21_500 / 385) * (20 / 41), 0);
  });

  it('counts 50 seconds at least for images of which one is unknown', () => {
    const keys = ['docker.io/library/a:1', 'docker.io/library/b:1'];
    expect(minutes(keys, indexWith({ 'a:1': 77 }))).toBeCloseTo(5.8, 1);
    expect(minutes(keys, indexWith({ 'a:1': 770 }))).toBeCloseTo(11.7, 1);
  });

  it('is longer for a pod that costs more', () => {
    const large = breakEvenSeconds({ cpu: 64, memoryGib: 256 }, [], DEFAULT_CONFIG, indexWith({}));
    expect(large).toBe(0);
    const of = (size: typeof SIZE): number => breakEvenSeconds(size, ['a:1'], DEFAULT_CONFIG, indexOf());
    expect(of({ cpu: 20, memoryGib: 40 })).toBeCloseTo(of(SIZE) * 10, 6);
  });
});

describe('with auto', () => {
  const pod = podObject({ images: ['app:1'] });
  const template = templateOf(readPod(pod, undefined));
  const decide = (
    life?: Partial<PodLife>,
    object = pod,
    ...objects: readonly Json[]
  ): ReturnType<typeof decideFor> => {
    const index = indexOf(...objects);
    if (life) index.lives.set(new Map([[template, { ...LIFE, ...life }]]));
    return decideFor(object, index, OPTIONS);
  };

  it('ECI makes the cache if no life is known, and the pod is the same as with eci', () => {
    const { annotations, labels, decision } = decide();
    const withEci = decideFor(pod, indexOf(), { createOnMiss: { by: 'eci' } });
    expect({ ...annotations, 'imagecache-webhook.io/decision': '' }).toEqual({
      ...withEci.annotations,
      'imagecache-webhook.io/decision': '',
    });
    expect(labels).toEqual(withEci.labels);
    expect([decision.maker, decision.why]).toEqual([
      'eci',
      "no ImageCache in this cluster holds any of the pod's images; ECI makes one, as it is not known yet how long pods of this template live",
    ]);
  });

  it('the controller makes it for pods that live shorter than it pays for itself', () => {
    const { annotations, decision } = decide({ seconds: 300 });
    expect([annotations[AUTO], annotations[MARKER]]).toEqual(['false', expect.any(String)]);
    expect(decision.why).toBe(
      "no ImageCache in this cluster holds any of the pod's images; the controller is asked for one, as pods of this template live 5 min, and a cache of the controller pays for itself up to 5.8 min",
    );
  });

  it('ECI makes it for pods that live longer', () => {
    const { annotations, decision } = decide({ seconds: 360 });
    expect([annotations[AUTO], annotations[MARKER]]).toEqual([undefined, expect.any(String)]);
    expect(decision.maker).toBe('eci');
  });

  it('a life counts from three ends of pods on', () => {
    expect(decide({ ended: LEAST_ENDED - 1 }).decision.maker).toBe('eci');
    expect(LEAST_ENDED).toBe(3);
  });

  it('the next version of a template is expected to live as long, and pods of another namespace are not', () => {
    expect(decide({}, podObject({ images: ['app:2'] })).decision.maker).toBe('controller');
    expect(decide({}, podObject({ images: ['app:1'], namespace: 'other' })).decision.maker).toBe('eci');
    expect(decide({}, podObject({ images: ['app:1', 'more:1'] })).decision.maker).toBe('eci');
  });

  it.each([
    [60, 'PartialMatch', 'controller'],
    [3600, 'PartialMatchLeftToEci', 'eci'],
  ])('a partial match of pods that live %i s is a %s', (seconds, reason, maker) => {
    const two = podObject({ images: ['app:1', 'proxy:1'] });
    const index = indexOf(cacheObject({ name: 'x', images: ['proxy:1'] }));
    index.lives.set(new Map([[templateOf(readPod(two, undefined)), { ...LIFE, seconds }]]));
    const { decision } = decideFor(two, index, OPTIONS);
    expect([decision.reason, decision.maker]).toEqual([reason, maker]);
    expect(decision.why).toContain('a cache of the controller pays for itself up to 5.8 min');
  });

  it('a complete cache is used, whoever made it', () => {
    const { decision } = decide({ seconds: 1e6 }, pod, cacheObject({ name: 'x', images: ['app:1'] }));
    expect([decision.outcome, decision.maker]).toEqual(['hit', undefined]);
  });
});
