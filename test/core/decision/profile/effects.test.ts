/** A profile fills in what a pod leaves open, and overrides nothing that a pod says, under any name. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  cacheObject,
  decideFor,
  eciProfileObject,
  indexOf,
  podObject,
  type Json,
} from '../../../support/objects.ts';

const P = 'k8s.aliyun.com/';
const PIN = `${P}eci-imc-id`;
const OLD_PIN = `${P}eci-image-snapshot-id`;
const AUTO = `${P}eci-auto-imc`;
const OLD_AUTO = `${P}eci-image-cache`;
const PERFECT = `${P}imc-perfect-match`;
const COUNT = `${P}imc-match-count-request`;

const CACHES = [
  cacheObject({ name: 'x' }),
  cacheObject({ name: 'y' }),
  cacheObject({ name: 'dead', phase: 'Failed' }),
];

function decided(
  pod: Record<string, string>,
  ...effects: Record<string, string>[]
): ReturnType<typeof decideFor> {
  const selectors = effects.map((annotations, i): Json => ({ name: `s${i}`, effect: { annotations } }));
  return decideFor(podObject({ annotations: pod }), indexOf(...CACHES, eciProfileObject(selectors)));
}

describe('an effect is not applied if the pod says the same under another name', () => {
  it.each([
    [{ [OLD_AUTO]: 'false' }, { [AUTO]: 'true' }],
    [{ [OLD_AUTO]: 'false' }, { [PIN]: 'imc-x' }],
    [{ [AUTO]: 'false' }, { [OLD_PIN]: 'imc-x' }],
    [{ [OLD_PIN]: 'imc-x' }, { [PIN]: 'imc-dead' }],
    [{ [PIN]: 'imc-x' }, { [AUTO]: 'false' }],
    [{ [AUTO]: 'maybe' }, { [PIN]: 'imc-dead' }],
    [{ [COUNT]: '1' }, { [PERFECT]: 'true' }],
    [{ [PERFECT]: 'false' }, { [COUNT]: '2' }],
    [{ [`${P}acr-instance-id`]: 'cri-1' }, { [`${P}acr-instance-ids`]: 'cri-2' }],
  ])('%j beside the effect %j', (pod, effect) => {
    const withEffect = decided(pod, effect);
    const without = decided(pod);
    expect(withEffect.annotations).toEqual(without.annotations);
    expect(withEffect.decision).toMatchObject({
      outcome: without.decision.outcome,
      cacheId: without.decision.cacheId,
    });
  });

  it('a pod that is not for ECI by one label is not made so by the other name of the label', () => {
    const profile = eciProfileObject([
      {
        name: 's',
        objectSelector: { matchLabels: { app: 'web' } },
        effect: { labels: { 'alibabacloud.com/eci': 'true', team: 'a' } },
      },
    ]);
    const { labels } = decideFor(podObject({ labels: { app: 'web', eci: 'false' } }), indexOf(profile));
    expect(labels).toMatchObject({ app: 'web', eci: 'false', team: 'a' });
    expect(labels).not.toHaveProperty(['alibabacloud.com/eci']);
  });
});

describe('effects', () => {
  it('of one selector may set a pin and automatic matching together', () => {
    expect(decided({}, { [PIN]: 'imc-x', [AUTO]: 'false' }).annotations).toMatchObject({
      [PIN]: 'imc-x',
      [AUTO]: 'false',
    });
  });

  it('of an earlier selector are not overridden by a later one under another name', () => {
    const { annotations } = decided({}, { [OLD_PIN]: 'imc-x' }, { [PIN]: 'imc-y', other: 'applied' });
    expect(annotations).toMatchObject({ [PIN]: 'imc-x', [OLD_PIN]: 'imc-x', other: 'applied' });
  });

  it('never change what the pod says: with a request of its own, every profile gives the same cache', () => {
    const value = {
      [PIN]: fc.constantFrom('imc-x', 'imc-y', 'imc-unknown', ''),
      [OLD_PIN]: fc.constantFrom('imc-x', 'imc-y'),
      [AUTO]: fc.constantFrom('true', 'false', 'maybe'),
      [OLD_AUTO]: fc.constantFrom('true', 'false'),
      [PERFECT]: fc.constantFrom('true', 'false'),
      [COUNT]: fc.constantFrom('1', '2', 'many'),
    };
    const annotations = fc.record(value, { requiredKeys: [] });
    const says = (pod: Record<string, string>, ...names: string[]): boolean =>
      names.some((name) => name in pod);
    fc.assert(
      fc.property(annotations, fc.array(annotations, { maxLength: 3 }), (pod, effects) => {
        const { annotations: written, decision } = decided(pod, ...effects);
        const alone = decided(pod);
        const asksForCache = says(pod, PIN, OLD_PIN, AUTO, OLD_AUTO);
        const asksForDegree = says(pod, PERFECT, COUNT);
        if (asksForCache && asksForDegree) expect(written).toEqual(alone.annotations);
        if (asksForCache) {
          expect(decision.request).toMatchObject({
            pin: alone.decision.request?.pin,
            auto: alone.decision.request?.auto,
            autoKey: alone.decision.request?.autoKey,
          });
        }
        if (asksForDegree) expect(decision.request?.requirement).toEqual(alone.decision.request?.requirement);
      }),
      { numRuns: 2000 },
    );
  });
});
