/** What the best match means for the pod: complete, partial or none; and what keeps a pod from being matched. */
import { describe, expect, it } from 'vitest';
import {
  cacheObject,
  decideFor,
  eciProfileObject,
  indexOf,
  podObject,
  type ConfigChange,
  type PodSpec,
} from '../../support/objects.ts';

const P = 'k8s.aliyun.com/';
const PIN = `${P}eci-imc-id`;
const AUTO = `${P}eci-auto-imc`;
const MARKER = 'imagecache-webhook.io/create-on-miss';
const ONE_OF_TWO = indexOf(cacheObject({ name: 'x' }));
const TWO: PodSpec = { images: ['app:1', 'sidecar:1'] };

interface Result {
  readonly reason: string;
  readonly pin: string | undefined;
  readonly auto: string | undefined;
  readonly marked: boolean;
}

function resultOf(pod: PodSpec, change: ConfigChange, index = ONE_OF_TWO): Result {
  const { decision, annotations } = decideFor(podObject(pod), index, change);
  return {
    reason: decision.reason,
    pin: annotations[PIN],
    auto: annotations[AUTO],
    marked: annotations[MARKER] !== undefined,
  };
}

const USED = { reason: 'PartialMatch', pin: 'imc-x' };
const LEFT = { reason: 'PartialMatchLeftToEci', pin: undefined };

describe('a cache that holds some of the images', () => {
  const degree = { ...TWO, annotations: { [`${P}imc-match-count-request`]: '1' } };

  it.each<[string, ConfigChange, PodSpec, Partial<Result>]>([
    ['by default is left to ECI, and a complete one is asked for', {}, TWO, { ...LEFT, marked: true }],
    ['is used if the user asked for a degree that it has', {}, degree, { ...USED, marked: true }],
    [
      'is used if the controller makes a complete one meanwhile',
      { createOnMiss: { by: 'controller' } },
      TWO,
      { ...USED, auto: undefined, marked: true },
    ],
    ['is used with partialHits: use', { partialHits: 'use' }, TWO, { ...USED, marked: true }],
    [
      'is used without a marker with createOnMiss.when: no-match',
      { partialHits: 'use', createOnMiss: { when: 'no-match' } },
      TWO,
      { ...USED, marked: false },
    ],
    ['is left with partialHits: leave, whatever the user asked for', { partialHits: 'leave' }, degree, LEFT],
    [
      'is left with partialHits: leave, and ECI goes on matching beside the controller',
      { partialHits: 'leave', createOnMiss: { by: 'controller' } },
      TWO,
      { ...LEFT, auto: undefined, marked: true },
    ],
    [
      'keeps what the user said of automatic matching',
      {},
      { ...TWO, annotations: { [AUTO]: 'true' } },
      { ...LEFT, auto: 'true' },
    ],
  ])('%s', (_title, change, pod, expected) => {
    expect(resultOf(pod, change)).toMatchObject(expected);
  });

  it.each<[ConfigChange, string]>([
    [
      {},
      'ImageCache x (imc-x) holds 1 of 2 images; the choice is left to ECI, which knows all caches of the region',
    ],
    [
      { partialHits: 'use', createOnMiss: { when: 'no-match' } },
      'ImageCache x (imc-x) holds 1 of 2 images; it is used, as partialHits is use',
    ],
    [
      { createOnMiss: { by: 'controller' } },
      'ImageCache x (imc-x) holds 1 of 2 images; it is used, as createOnMiss.by is controller, and the controller is asked for a complete one',
    ],
  ])('says what happens with it, with %j', (change, why) => {
    expect(decideFor(podObject(TWO), ONE_OF_TWO, change).explanation).toMatchObject({
      outcome: 'partial',
      why,
      degree: { exact: 1, images: 2 },
      lacking: ['docker.io/library/sidecar:1'],
    });
  });

  it('is shown as the best one that was left, or as chosen', () => {
    const verdicts = (change: ConfigChange): string[] =>
      decideFor(podObject(TWO), ONE_OF_TWO, change).explanation.candidates.map(({ verdict }) => verdict);
    expect(verdicts({})).toEqual(['left']);
    expect(verdicts({ partialHits: 'use' })).toEqual(['chosen']);
  });

  it('says that it is used because of the degree that the pod asks for', () => {
    expect(decideFor(podObject(degree), ONE_OF_TWO).decision.why).toBe(
      'ImageCache x (imc-x) holds 1 of 2 images; it is used, as it has the match degree that the pod asks for',
    );
  });

  it.each<[string, PodSpec]>([
    ['more images than it has', { ...TWO, annotations: { [`${P}imc-match-count-request`]: '3' } }],
    [
      'all of more images than a cache can hold',
      {
        images: Array.from({ length: 21 }, (_, i) => `app:${i}`),
        annotations: { [`${P}imc-perfect-match`]: 'true' },
      },
    ],
    [
      'more images than a cache can hold',
      {
        images: Array.from({ length: 25 }, (_, i) => `app:${i}`),
        annotations: { [`${P}imc-match-count-request`]: '21' },
      },
    ],
  ])('is not asked for by a pod that wants %s, because it could not serve the pod', (_title, pod) => {
    const { decision, annotations } = decideFor(podObject(pod), ONE_OF_TWO, {
      createOnMiss: { by: 'controller' },
    });
    expect(decision).toMatchObject({ outcome: 'miss', createOnMiss: undefined });
    expect(annotations[AUTO]).toBeUndefined();
  });

  it('takes the place of a dead pin, or leaves none, with pin.notReady: auto', () => {
    const index = indexOf(cacheObject({ name: 'x' }), cacheObject({ name: 'dead', phase: 'Failed' }));
    const pod = { ...TWO, annotations: { [PIN]: 'imc-dead' } };
    const change: ConfigChange = { pin: { notReady: 'auto' } };
    expect(resultOf(pod, change, index)).toMatchObject(LEFT);
    expect(resultOf(pod, { ...change, partialHits: 'use' }, index)).toMatchObject(USED);
  });
});

it('a cache that holds all images is a hit, whatever else it holds, and asks for nothing', () => {
  const index = indexOf(cacheObject({ name: 'x', images: ['app:1', 'sidecar:1', 'more:1'] }));
  for (const change of [{}, { partialHits: 'leave' }] satisfies ConfigChange[])
    expect(resultOf(TWO, change, index)).toMatchObject({ reason: 'BestMatch', pin: 'imc-x', marked: false });
});

describe('a pod that asks for encrypted storage', () => {
  const encrypted = (annotations: Record<string, string> = {}): PodSpec => ({
    annotations: { [`${P}eci-ephemeral-storage-options`]: '{"encrypted":"true"}', ...annotations },
  });

  it.each<[string, PodSpec, Partial<Result>]>([
    [
      'by default is not matched by ECI either',
      encrypted(),
      { pin: undefined, auto: 'false', marked: false },
    ],
    [
      'keeps automatic matching on if its user switched it on',
      encrypted({ [AUTO]: 'true' }),
      { pin: undefined, auto: 'true', marked: false },
    ],
    [
      'keeps automatic matching on under the written name too',
      encrypted({ [`${P}eci-image-cache`]: 'true' }),
      { pin: undefined, auto: 'true', marked: false },
    ],
  ])('%s', (_title, pod, expected) => {
    for (const by of ['eci', 'controller'] as const)
      expect(resultOf(pod, { createOnMiss: { by } })).toEqual({ reason: 'Encrypted', ...expected });
  });

  it('is told why', () => {
    const why = (pod: PodSpec): string => decideFor(podObject(pod), ONE_OF_TWO).decision.why;
    expect(why(encrypted())).toBe(
      "the pod asks for encrypted storage, and a pod that starts from an ImageCache is not encrypted: ECI's own matching is switched off",
    );
    expect(why(encrypted({ [AUTO]: 'true' }))).toContain(`${AUTO} leaves ECI's own matching on`);
  });

  it('is not matched by ECI if only a profile switched matching on', () => {
    const profile = eciProfileObject([{ name: 's', effect: { annotations: { [AUTO]: 'true' } } }]);
    expect(resultOf(encrypted(), {}, indexOf(profile))).toMatchObject({ reason: 'Encrypted', auto: 'false' });
  });

  it('is not matched either while the index is stale', () => {
    const pod = podObject(encrypted());
    const { decision, annotations } = decideFor(pod, ONE_OF_TWO, { maxStalenessMs: -1 });
    expect(decision.reason).toBe('Encrypted');
    expect(annotations[AUTO]).toBe('false');
  });

  it.each<[string, string, ConfigChange]>([
    ['is unknown', 'imc-unknown', {}],
    ['cannot be checked', 'imc-x', { maxStalenessMs: -1 }],
    ['is not Ready and kept', 'imc-dead', { pin: { notReady: 'warn' } }],
  ])('is warned about its pin also if the pin %s', (_title, id, change) => {
    const index = indexOf(cacheObject({ name: 'x' }), cacheObject({ name: 'dead', phase: 'Failed' }));
    const { decision } = decideFor(podObject(encrypted({ [PIN]: id })), index, change);
    expect(decision.outcome).toBe('pinned');
    expect(decision.warnings).toContainEqual(expect.stringContaining('asks for encrypted storage'));
  });

  it('has its pin kept, with a warning', () => {
    const { decision, annotations } = decideFor(podObject(encrypted({ [PIN]: 'imc-x' })), ONE_OF_TWO);
    expect(decision).toMatchObject({ outcome: 'pinned', cacheId: 'imc-x' });
    expect(decision.warnings).toEqual([expect.stringContaining('asks for encrypted storage')]);
    expect(annotations[PIN]).toBe('imc-x');
  });

  it.each(['{"encrypted":"false"}', '{}', '{"encrypted":0}'])('is not one with %s', (text) => {
    const pod = { annotations: { [`${P}eci-ephemeral-storage-options`]: text } };
    expect(resultOf(pod, {})).toMatchObject({ reason: 'BestMatch' });
  });

  it.each(['encrypted', '"true"', '[]', '{"encrypted":"yes"}', '{"encrypted":{}}', '[' + '['.repeat(2000)])(
    'is warned that %s is no such annotation',
    (text) => {
      const pod = podObject({ annotations: { [`${P}eci-ephemeral-storage-options`]: text } });
      const { decision } = decideFor(pod, ONE_OF_TWO);
      expect(decision.outcome).toBe('hit');
      expect(decision.warnings).toEqual([expect.stringContaining('it must be a JSON object, such as')]);
    },
  );
});

describe('a pod of more than 20 distinct images', () => {
  const images = Array.from({ length: 21 }, (_, i) => `app:${i}`);

  it.each(['eci', 'controller'] as const)('is told that no cache can hold them all (by: %s)', (by) => {
    const { decision } = decideFor(podObject({ images }), ONE_OF_TWO, { createOnMiss: { by } });
    expect(decision.warnings).toEqual([
      'the pod has 21 distinct images and an image cache at most 20: none can hold them all',
    ]);
    const twenty = decideFor(podObject({ images: images.slice(1) }), ONE_OF_TWO, { createOnMiss: { by } });
    expect(twenty.decision.warnings).toEqual([]);
  });
});

describe('the images of volumes', () => {
  const volumes = [
    { name: 'model', image: { reference: 'model:1' } },
    { name: 'other', emptyDir: {} },
    { name: 'empty', image: {} },
  ];
  const pod = podObject({ spec: { containers: [{ name: 'c', image: 'app:1' }], volumes } });

  it('do not count by default, and are shown', () => {
    expect(decideFor(pod, ONE_OF_TWO).explanation).toMatchObject({
      outcome: 'hit',
      images: ['docker.io/library/app:1'],
      imageVolumes: ['model:1'],
    });
  });

  it('count with imageVolumes: count', () => {
    expect(decideFor(pod, ONE_OF_TWO, { imageVolumes: 'count' }).explanation).toMatchObject({
      outcome: 'partial',
      images: ['docker.io/library/app:1', 'docker.io/library/model:1'],
      imageVolumes: ['model:1'],
    });
  });
});
