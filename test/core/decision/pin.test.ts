/** Pins in both dialects, and what a user is told of a pin that works and costs something. */
import { describe, expect, it } from 'vitest';
import {
  cacheObject,
  decideFor,
  indexOf,
  podObject,
  type CacheSpec,
  type ConfigChange,
  type Json,
} from '../../support/objects.ts';

const P = 'k8s.aliyun.com/';
const PIN = `${P}eci-imc-id`;
const OLD_PIN = `${P}eci-image-snapshot-id`;
const AUTO = `${P}eci-auto-imc`;
const OLD_AUTO = `${P}eci-image-cache`;

const DEAD = cacheObject({ name: 'dead', phase: 'Failed' });
const BOTH = indexOf(DEAD, cacheObject({ name: 'x' }));
const REPLACED: ConfigChange = { pin: { notReady: 'auto' } };

/** The image-cache annotations of a pod after the decision. */
function after(annotations: Record<string, string>, change: ConfigChange, index = BOTH): Json {
  const decided = decideFor(podObject({ annotations }), index, change);
  return Object.fromEntries(Object.entries(decided.annotations).filter(([key]) => key.startsWith(P)));
}

describe('a dead pin that is replaced', () => {
  it.each([
    ['modern', { [OLD_PIN]: 'imc-dead' }, { [PIN]: 'imc-x' }],
    ['modern', { [PIN]: 'imc-dead', [OLD_PIN]: 'imc-dead' }, { [PIN]: 'imc-x' }],
    ['modern', { [PIN]: 'imc-dead', [OLD_PIN]: 'imc-other' }, { [PIN]: 'imc-x' }],
    ['legacy', { [OLD_PIN]: 'imc-dead' }, { [OLD_PIN]: 'imc-x' }],
    ['both', { [OLD_PIN]: 'imc-dead' }, { [PIN]: 'imc-x', [OLD_PIN]: 'imc-x' }],
  ] as const)('leaves none behind under the other name (dialect %s, %j)', (dialect, before, expected) => {
    const { [AUTO]: _, [OLD_AUTO]: _old, ...pins } = after(before, { ...REPLACED, dialect });
    expect(pins).toEqual(expected);
  });

  it.each([
    [{ [AUTO]: 'false' }, { [AUTO]: 'false' }],
    [{ [OLD_AUTO]: 'false' }, { [AUTO]: 'false', [OLD_AUTO]: 'false' }],
  ])('is only removed if the user switched matching off: %j', (off, expected) => {
    const before = { [PIN]: 'imc-dead', [OLD_PIN]: 'imc-dead', ...off };
    const { decision } = decideFor(podObject({ annotations: before }), BOTH, REPLACED);
    expect(decision).toMatchObject({ outcome: 'skipped', reason: 'AutoMatchOff', match: undefined });
    expect(decision.warnings).toEqual([expect.stringContaining('the pin is removed')]);
    expect(after(before, REPLACED)).toEqual(expected);
  });
});

describe('what the user switched off under one name', () => {
  it.each<[ConfigChange['dialect'] & string, Record<string, string>, Record<string, string>]>([
    ['modern', { [OLD_AUTO]: 'false' }, { [OLD_AUTO]: 'false', [AUTO]: 'false' }],
    ['legacy', { [AUTO]: 'false' }, { [OLD_AUTO]: 'false', [AUTO]: 'false' }],
    ['both', { [OLD_AUTO]: '0' }, { [OLD_AUTO]: '0', [AUTO]: 'false' }],
    [
      'modern',
      { [OLD_AUTO]: 'false', [PIN]: 'imc-x' },
      { [OLD_AUTO]: 'false', [AUTO]: 'false', [PIN]: 'imc-x' },
    ],
    ['modern', { [AUTO]: 'yes', [OLD_AUTO]: 'false' }, { [AUTO]: 'false', [OLD_AUTO]: 'false' }],
  ])('is off under the names that are written (dialect %s, %j)', (dialect, before, expected) => {
    expect(after(before, { dialect })).toEqual(expected);
  });
});

describe('a pinned cache', () => {
  it.each<[string, CacheSpec, Json, string]>([
    [
      'of another region',
      { name: 'p', region: 'cn-hangzhou' },
      { nodeSelector: { 'topology.kubernetes.io/region': 'cn-beijing' } },
      'is in cn-hangzhou, the pod in cn-beijing',
    ],
    [
      'of another architecture',
      { name: 'p', annotations: { [`${P}imc-cpu-arch`]: 'arm64' } },
      {},
      'is for arm64, the pod runs on amd64',
    ],
    [
      'of another operating system',
      { name: 'p' },
      { os: { name: 'windows' } },
      'is for linux, the pod runs on windows',
    ],
    [
      "that is larger than the pod's storage",
      { name: 'p', size: 40 },
      {},
      `is 40Gi, more than the 30Gi of the pod's storage: set ${P}eci-extra-ephemeral-storage`,
    ],
  ])('%s is kept, with a warning', (_title, cache, spec, warning) => {
    const containers = [{ name: 'c', image: 'app:1' }];
    const pod = podObject({ annotations: { [PIN]: 'imc-p' }, spec: { containers, ...spec } });
    const { decision } = decideFor(pod, indexOf(cacheObject(cache)));
    expect(decision).toMatchObject({ outcome: 'pinned', reason: 'Pinned', cacheId: 'imc-p' });
    expect(decision.warnings).toEqual([`image cache "imc-p" ${warning}`]);
  });

  it('is warned about also if it is not Ready and kept', () => {
    const cache = cacheObject({
      name: 'p',
      phase: 'Failed',
      size: 500,
      annotations: { [`${P}imc-cpu-arch`]: 'arm64' },
    });
    const pod = podObject({ annotations: { [PIN]: 'imc-p' } });
    const { decision } = decideFor(pod, indexOf(cache), { pin: { notReady: 'warn' } });
    expect(decision.warnings).toEqual([
      expect.stringContaining('ECI fails such a pod'),
      expect.stringContaining('is for arm64'),
      expect.stringContaining('is 500Gi'),
    ]);
  });

  it('of another region is warned about although the architecture is not known', () => {
    const requirement = { key: 'kubernetes.io/arch', operator: 'In', values: ['amd64', 'arm64'] };
    const nodeSelectorTerms = [{ matchExpressions: [requirement] }];
    const pod = podObject({
      annotations: { [PIN]: 'imc-p' },
      spec: {
        containers: [{ name: 'c', image: 'app:1' }],
        affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } } },
      },
    });
    const { decision } = decideFor(pod, indexOf(cacheObject({ name: 'p', region: 'cn-hangzhou' })), {
      region: { name: 'cn-beijing' },
    });
    expect(decision.warnings).toEqual([expect.stringContaining('is in cn-hangzhou, the pod in cn-beijing')]);
  });

  it('of a pod whose platform is not known is not warned about', () => {
    const pod = podObject({
      annotations: { [PIN]: 'imc-x' },
      spec: {
        containers: [{ name: 'c', image: 'app:1' }],
        os: { name: 'windows' },
        nodeSelector: { 'kubernetes.io/os': 'linux' },
      },
    });
    expect(decideFor(pod, BOTH).decision).toMatchObject({ outcome: 'pinned', warnings: [] });
  });
});
