/** When a difference between the decision and ECI's matcher is explained, and when it is not. */
import { describe, expect, it } from 'vitest';
import { verify, type EciAnswer } from '../../../src/core/decision/verification.ts';
import {
  cacheObject,
  decideFor,
  indexOf,
  podObject,
  type ConfigChange,
  type Json,
} from '../../support/objects.ts';

const BEST = cacheObject({ name: 'best', images: ['a:1', 'b:2'] });
const SECOND = cacheObject({ name: 'second', images: ['a:1'] });
const LARGE = cacheObject({ name: 'large', images: ['a:1', 'b:2'], size: 100 });
const PHASES = new Map(['best', 'second', 'large', 'alone'].map((name) => [`imc-${name}`, 'Ready']));

function check(
  objects: readonly Json[],
  matched: readonly string[],
  answer: Partial<EciAnswer> = {},
  pod: Json = podObject({ images: ['a:1', 'b:2'] }),
  change: ConfigChange = {},
): { verdict: string; rules: readonly string[]; because: string } {
  const index = indexOf(...objects);
  const { decision } = decideFor(pod, index, change);
  const { verdict, rules, because } = verify(decision, index, {
    matched,
    phases: PHASES,
    isRegionRead: false,
    ...answer,
  });
  return { verdict, rules, because };
}

describe('the decision and the matcher', () => {
  it('agree on the best cache, and on none', () => {
    expect(check([BEST, SECOND], ['imc-best', 'imc-second']).verdict).toBe('agrees');
    expect(check([], []).verdict).toBe('agrees');
  });

  it.each<[string, readonly Json[], readonly string[], Partial<EciAnswer>, readonly string[]]>([
    ['a rule refuses what ECI prefers', [BEST, LARGE], ['imc-large', 'imc-best'], {}, ['TooLarge']],
    ['ECI knows a cache without an object', [BEST], ['imc-alone', 'imc-best'], {}, ['OnlyInRegion']],
    [
      'the list was read before ECI made it',
      [BEST],
      ['imc-alone', 'imc-best'],
      { isRegionRead: true },
      ['Staleness'],
    ],
    [
      'the region has failed since',
      [BEST, SECOND],
      ['imc-second'],
      { phases: new Map([['imc-best', 'Failed']]) },
      ['Staleness'],
    ],
  ])('differ by rule if %s', (_title, objects, matched, answer, rules) => {
    expect(check(objects, matched, answer)).toMatchObject({ verdict: 'differs by rule', rules });
  });

  it.each<[string, readonly Json[], readonly string[]]>([
    ['ECI prefers a cache that no rule refuses', [BEST, SECOND], ['imc-second', 'imc-best']],
    ['ECI does not find what the decision chooses', [BEST], []],
  ])('differ if %s', (_title, objects, matched) => {
    expect(check(objects, matched)).toMatchObject({ verdict: 'differs', rules: [] });
  });

  it('differ if the region does not have the cache at all: it is gone, or it is another region', () => {
    const result = check([BEST], [], { phases: new Map() });
    expect(result).toMatchObject({ verdict: 'differs', rules: [] });
    expect(result.because).toContain('another region or account');
  });

  it('differ by rule although a later cache of the answer is the same', () => {
    const result = check([BEST, LARGE, SECOND], ['imc-large', 'imc-alone', 'imc-best', 'imc-second']);
    expect(result).toMatchObject({ verdict: 'differs by rule', rules: ['TooLarge', 'OnlyInRegion'] });
    expect(result.because).toContain('imc-large is 100Gi');
  });
});

describe('the matcher is not asked', () => {
  it.each<[string, Json]>([
    ['about a pin', podObject({ annotations: { 'k8s.aliyun.com/eci-imc-id': 'imc-best' } })],
    ['if automatic matching is off', podObject({ annotations: { 'k8s.aliyun.com/eci-auto-imc': 'false' } })],
    ['about an image that is none', podObject({ images: ['A:B:C'] })],
    ['about a pod of ACS', podObject({ labels: { 'alibabacloud.com/acs': 'true' } })],
  ])('%s', (_title, pod) => {
    expect(check([BEST], [], {}, pod).verdict).toBe('not asked');
  });
});

it('a pod that asks for encryption gets nothing, which is a rule, unless ECI finds nothing either', () => {
  const annotations = { 'k8s.aliyun.com/eci-ephemeral-storage-options': '{"encrypted":"true"}' };
  const pod = podObject({ images: ['a:1'], annotations });
  expect(check([BEST], ['imc-best'], {}, pod)).toMatchObject({
    verdict: 'differs by rule',
    rules: ['Encrypted'],
  });
  expect(check([BEST], [], {}, pod).verdict).toBe('agrees');
});

it('a cache that holds only another version is chosen by minimumMatch: repository alone', () => {
  const pod = podObject({ images: ['a:9'] });
  const result = check([SECOND], [], {}, pod, { minimumMatch: 'repository' });
  expect(result).toMatchObject({ verdict: 'differs by rule', rules: ['MinimumMatch'] });
});
