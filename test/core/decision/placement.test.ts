import { describe, expect, it } from 'vitest';
import {
  cacheObject,
  decideFor,
  eciProfileObject,
  indexOf,
  nodeObject,
  podObject,
  type ConfigChange,
  type Json,
} from '../../support/objects.ts';

const ARCH = 'kubernetes.io/arch';
const OS = 'kubernetes.io/os';
const REGION = 'topology.kubernetes.io/region';

const containers = [{ name: 'c', image: 'app:1' }];

/** Required node affinity with these terms; each is a list of key, operator and values. */
function affinity(...terms: (readonly [string, string, ...string[]])[][]): Json {
  const nodeSelectorTerms = terms.map((term) => ({
    matchExpressions: term.map(([key, operator, ...values]) => ({ key, operator, values })),
  }));
  return {
    affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } } },
  };
}

function placed(spec: Json, change: ConfigChange = {}, ...nodes: Json[]): string {
  const index = indexOf(cacheObject({ name: 'x' }), ...nodes);
  const { explanation } = decideFor(podObject({ spec: { containers, ...spec } }), index, change);
  const { platform, region, unknown } = explanation.placement!;
  return unknown ?? (region === null ? platform! : `${platform} in ${region}`);
}

describe('architecture and operating system', () => {
  it.each<[string, Json, string]>([
    ['are amd64 and linux if the pod says nothing', {}, 'linux/amd64'],
    ['come from the node selector', { nodeSelector: { [ARCH]: 'arm64', [OS]: 'windows' } }, 'windows/arm64'],
    [
      'come from the deprecated labels',
      { nodeSelector: { 'beta.kubernetes.io/arch': 'arm64' } },
      'linux/arm64',
    ],
    ['come from spec.os', { os: { name: 'windows' } }, 'windows/amd64'],
    ['come from the required node affinity', affinity([[ARCH, 'In', 'arm64']]), 'linux/arm64'],
    [
      'are known if every alternative allows the same value',
      affinity(
        [
          [ARCH, 'In', 'arm64'],
          ['zone', 'In', 'a'],
        ],
        [
          [ARCH, 'In', 'arm64'],
          ['zone', 'In', 'b'],
        ],
      ),
      'linux/arm64',
    ],
    [
      'are known if the requirements of a term leave one value',
      affinity([
        [ARCH, 'In', 'amd64', 'arm64'],
        [ARCH, 'In', 'arm64', 's390x'],
      ]),
      'linux/arm64',
    ],
    ['are known if all other values are excluded', affinity([[ARCH, 'NotIn', 'amd64']]), 'linux/arm64'],
    [
      'are known if one alternative is impossible beside the node selector',
      { nodeSelector: { [ARCH]: 'arm64' }, ...affinity([[ARCH, 'In', 'amd64']], [['zone', 'In', 'a']]) },
      'linux/arm64',
    ],
    [
      'are known if an alternative is empty, because it matches no node',
      affinity([[ARCH, 'In', 'arm64']], []),
      'linux/arm64',
    ],
    ['are not restricted by Exists, which every node satisfies', affinity([[ARCH, 'Exists']]), 'linux/amd64'],
    [
      'are not known if several values are allowed',
      affinity([[ARCH, 'In', 'amd64', 'arm64']]),
      'architecture: amd64, arm64',
    ],
    [
      'are not known if the alternatives allow different values',
      affinity([[ARCH, 'In', 'amd64']], [[ARCH, 'In', 'arm64']]),
      'architecture: amd64, arm64',
    ],
    [
      'are not known if one alternative allows any value',
      affinity([[ARCH, 'In', 'arm64']], [['zone', 'In', 'a']]),
      'architecture: arm64, amd64',
    ],
    [
      'are not known if an alternative names a node by its name',
      {
        affinity: {
          nodeAffinity: {
            requiredDuringSchedulingIgnoredDuringExecution: {
              nodeSelectorTerms: [
                { matchExpressions: [{ key: ARCH, operator: 'In', values: ['arm64'] }] },
                { matchFields: [{ key: 'metadata.name', operator: 'In', values: ['n'] }] },
              ],
            },
          },
        },
      },
      'architecture: arm64, amd64',
    ],
    [
      'are not known if the deprecated label contradicts the present one',
      { nodeSelector: { [ARCH]: 'amd64', 'beta.kubernetes.io/arch': 'arm64' } },
      'architecture: none that ECI has',
    ],
    [
      'are not known if the pod contradicts itself',
      { os: { name: 'linux' }, nodeSelector: { [OS]: 'windows' } },
      'operating system: none that ECI has',
    ],
    [
      'are not known if no value is left',
      affinity([[OS, 'NotIn', 'linux', 'windows']]),
      'operating system: none that ECI has',
    ],
    [
      'do not come from a preference',
      {
        affinity: {
          nodeAffinity: {
            preferredDuringSchedulingIgnoredDuringExecution: [
              {
                weight: 1,
                preference: { matchExpressions: [{ key: ARCH, operator: 'In', values: ['arm64'] }] },
              },
            ],
          },
        },
      },
      'linux/amd64',
    ],
  ])('%s', (_title, spec, expected) => {
    expect(placed(spec)).toBe(expected);
  });

  it('come from the node before everything that the pod says', () => {
    const spec = { nodeName: 'vk', ...affinity([[ARCH, 'In', 'amd64', 'arm64']]) };
    expect(placed(spec, {}, nodeObject('vk', { type: 'virtual-kubelet', [ARCH]: 'arm64' }))).toBe(
      'linux/arm64',
    );
    expect(placed(spec, {}, nodeObject('vk', { type: 'virtual-kubelet' }))).toBe(
      'architecture: amd64, arm64',
    );
  });
});

describe('the region', () => {
  it.each<[string, Json, string, string]>([
    ['is the configured one', {}, 'cn-beijing', 'linux/amd64 in cn-beijing'],
    ['is that of the node selector first', { nodeSelector: { [REGION]: 'a' } }, 'b', 'linux/amd64 in a'],
    ['is that of the affinity', affinity([[REGION, 'In', 'a']]), '', 'linux/amd64 in a'],
    ['is the configured one of several', affinity([[REGION, 'In', 'a', 'b']]), 'b', 'linux/amd64 in b'],
    ['is not known if several are allowed', affinity([[REGION, 'In', 'a', 'b']]), 'c', 'region: a, b'],
    [
      'is the configured one if one alternative allows any',
      affinity([[REGION, 'In', 'a']], [['zone', 'In', 'z']]),
      'c',
      'linux/amd64 in c',
    ],
    [
      'is not known if the value can be no label',
      { nodeSelector: { [REGION]: 'x'.repeat(64) } },
      '',
      'region: none that ECI has',
    ],
    [
      'is not known if one alternative allows any',
      affinity([[REGION, 'In', 'a']], [['zone', 'In', 'z']]),
      '',
      'region: a, any other',
    ],
    [
      'is not known if regions are excluded, and none is configured',
      affinity([[REGION, 'NotIn', 'a']]),
      '',
      'region: any other',
    ],
    [
      'is the configured one if another is excluded',
      affinity([[REGION, 'NotIn', 'a']]),
      'b',
      'linux/amd64 in b',
    ],
    [
      'is not known if the configured one is excluded',
      affinity([[REGION, 'NotIn', 'a']]),
      'a',
      'region: none that ECI has',
    ],
    [
      'is the configured one beside an alternative that is impossible',
      affinity(
        [
          [REGION, 'In', 'b'],
          [REGION, 'NotIn', 'b'],
        ],
        [['zone', 'In', 'z']],
      ),
      'a',
      'linux/amd64 in a',
    ],
  ])('%s', (_title, spec, region, expected) => {
    expect(placed(spec, { region: { name: region } })).toBe(expected);
  });
});

describe('a value that no node of ECI has', () => {
  it.each<Json>([
    { nodeSelector: { [ARCH]: 's390x' } },
    { os: { name: 'plan9' } },
    affinity([[ARCH, 'In', 's390x']]),
    affinity([[ARCH, 'In', 'x'.repeat(100_000)]]),
  ])('leaves the platform unknown, and asks for no cache: %j', (spec) => {
    const pod = podObject({ spec: { containers, ...spec } });
    const { decision } = decideFor(pod, indexOf(), { createOnMiss: { by: 'controller' } });
    expect(decision).toMatchObject({ reason: 'PlacementNotKnown' });
    expect(decision.createOnMiss).toBeUndefined();
    expect(decision.why.length).toBeLessThan(200);
  });
});

describe('a pod', () => {
  const amd64 = cacheObject({ name: 'amd64' });
  const arm64 = cacheObject({ name: 'arm64', annotations: { 'k8s.aliyun.com/imc-cpu-arch': 'arm64' } });
  const windows = cacheObject({ name: 'windows', annotations: { 'k8s.aliyun.com/imc-os-type': 'Windows' } });

  it.each<[Json, string]>([
    [{}, 'imc-amd64'],
    [{ nodeSelector: { [ARCH]: 'arm64' } }, 'imc-arm64'],
    [{ os: { name: 'windows' } }, 'imc-windows'],
  ])('with %j is given the cache of its platform', (spec, id) => {
    const index = indexOf(amd64, arm64, windows);
    expect(decideFor(podObject({ spec: { containers, ...spec } }), index).decision.cacheId).toBe(id);
  });

  it('is given none of another platform, and is told so by its own code', () => {
    const { explanation } = decideFor(podObject(), indexOf(arm64, windows));
    expect(explanation).toMatchObject({
      outcome: 'miss',
      refused: { OtherArchitecture: 1, OtherOperatingSystem: 1 },
    });
    expect(explanation.candidates.map(({ because }) => because)).toEqual([
      'is for arm64, the pod runs on amd64',
      'is for windows, the pod runs on linux',
    ]);
  });

  it('whose platform is not known gets no ID and no marker, and ECI goes on matching', () => {
    const pod = podObject({ spec: { containers, ...affinity([[ARCH, 'In', 'amd64', 'arm64']]) } });
    const { decision, annotations, labels } = decideFor(pod, indexOf(amd64, arm64), { dialect: 'legacy' });
    expect(decision).toMatchObject({ outcome: 'skipped', reason: 'PlacementNotKnown' });
    expect(decision.why).toBe(
      "the pod's architecture is not known, as it allows amd64, arm64: the choice is left to ECI",
    );
    expect(annotations).toMatchObject({ 'k8s.aliyun.com/eci-image-cache': 'true' });
    expect(Object.keys({ ...annotations, ...labels })).not.toContain('imagecache-webhook.io/create-on-miss');
    expect(Object.keys(annotations)).not.toContain('k8s.aliyun.com/eci-image-snapshot-id');
  });

  it('for ECI that pins a cache does not wait for its node, which means the same on every node', () => {
    const pod = podObject({
      annotations: { 'k8s.aliyun.com/eci-imc-id': 'imc-dead' },
      spec: { containers, ...affinity([[ARCH, 'In', 'amd64', 'arm64']]) },
    });
    const { decision } = decideFor(pod, indexOf(cacheObject({ name: 'dead', phase: 'Failed' })), {
      bindTime: true,
    });
    expect(decision).toMatchObject({ outcome: 'denied', reason: 'ImageCacheNotComplete' });
  });

  it('for ECI that waits for its node has the effects of its profile meanwhile, because a binding takes no labels', () => {
    const pod = podObject({ spec: { containers, ...affinity([[ARCH, 'In', 'amd64', 'arm64']]) } });
    const profile = eciProfileObject([{ name: 's', effect: { labels: { team: 'a' } } }]);
    const { decision, labels } = decideFor(pod, indexOf(amd64, profile), { bindTime: true });
    expect(decision.reason).toBe('NodeNotKnown');
    expect(labels).toMatchObject({ team: 'a' });
  });

  it('whose platform is not known waits for its node with bindTime', () => {
    const pod = podObject({ spec: { containers, ...affinity([[ARCH, 'In', 'amd64', 'arm64']]) } });
    const { decision, explanation } = decideFor(pod, indexOf(amd64, arm64), { bindTime: true });
    expect(decision).toMatchObject({ outcome: 'skipped', reason: 'NodeNotKnown' });
    expect(explanation.patch).toEqual([]);
  });
});
