/** What became of a pod, from what the webhook and ECI wrote on it. */
import { describe, expect, it } from 'vitest';
import { truthOf } from '../../../src/core/truth/pod-truth.ts';
import { podObject } from '../../support/objects.ts';

const INSTANCE = { 'k8s.aliyun.com/eci-instance-id': 'eci-1' };
const used = (id: string): Record<string, string> => ({ 'k8s.aliyun.com/eci-matched-image-cache': id });
const wrote = (id: string): Record<string, string> => ({ 'k8s.aliyun.com/eci-imc-id': id });
const decided = (outcome: string): Record<string, string> => ({
  'imagecache-webhook.io/decision': JSON.stringify({ outcome, wrote: {} }),
});

describe('a prediction', () => {
  it.each<[string, Record<string, string>, string, string]>([
    ['the written cache is used', { ...decided('hit'), ...wrote('imc-1'), ...used('imc-1') }, 'hit', 'right'],
    ['another cache is used', { ...decided('hit'), ...wrote('imc-1'), ...used('imc-2') }, 'hit', 'wrong'],
    ['none is used although one is written', { ...decided('hit'), ...wrote('imc-1') }, 'hit', 'wrong'],
    ['none is used after a miss', decided('miss'), 'miss', 'right'],
    ['ECI finds one after a miss', { ...decided('miss'), ...used('imc-9') }, 'miss', 'eci'],
    ['ECI finds one that was left to it', { ...decided('partial'), ...used('imc-9') }, 'partial', 'eci'],
    ['ECI finds none of those left to it', decided('partial'), 'partial', 'wrong'],
    ['a pin is used', { ...decided('pinned'), ...wrote('imc-1'), ...used('imc-1') }, 'pinned', 'right'],
    ['nobody decided, and none is used', {}, 'none', 'unpredicted'],
    ['nobody decided, and ECI finds one', used('imc-9'), 'none', 'eci'],
    ['the decision is no JSON', { 'imagecache-webhook.io/decision': '{' }, 'none', 'unpredicted'],
    ['the decision has an unknown outcome', decided('luck'), 'none', 'unpredicted'],
  ])('%s', (_title, annotations, predicted, result) => {
    const pod = podObject({ annotations: { ...INSTANCE, ...annotations } });
    expect(truthOf(pod)).toMatchObject({ predicted, result });
  });

  it('under the older name of the pin counts too', () => {
    const pin = { 'k8s.aliyun.com/eci-image-snapshot-id': 'imc-1' };
    const pod = podObject({ annotations: { ...INSTANCE, ...decided('hit'), ...pin, ...used('imc-1') } });
    expect(truthOf(pod)).toMatchObject({ written: 'imc-1', result: 'right' });
  });

  it('is compared only once ECI has placed the pod', () => {
    expect(truthOf(podObject({ annotations: { ...decided('hit'), ...wrote('imc-1') } }))).toBeUndefined();
  });
});
