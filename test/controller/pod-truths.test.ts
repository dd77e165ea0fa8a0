/** How the controller compares what the webhook predicted with what ECI did. */
import { beforeEach, describe, expect, it } from 'vitest';
import { PodTruths } from '../../src/controller/pod-truths.ts';
import { readWebhookScope } from '../../src/core/truth/unanswered.ts';
import type { Pull } from '../../src/core/truth/pull.ts';
import { FakeClock } from '../support/clock.ts';
import { configWith, indexOf, namespaceObject, podObject, type Json } from '../support/objects.ts';

const DECISION = { 'imagecache-webhook.io/decision': JSON.stringify({ outcome: 'miss' }) };

let clock: FakeClock;
let told: string[];
let truths: PodTruths;

beforeEach(() => {
  clock = new FakeClock();
  told = [];
  const view = indexOf(namespaceObject('shop', {}), namespaceObject('kube-system', {}));
  truths = new PodTruths(
    view,
    configWith(),
    {
      onStart: ({ name, predicted, result }) => told.push(`${name} ${predicted} ${result}`),
      onUnanswered: ({ name }) => told.push(`${name} unanswered`),
      onPull: ({ image, seconds }, start) => told.push(`${image} ${seconds} ${start}`),
    },
    clock,
  );
});

function pod(name: string, annotations: Record<string, string> = {}, change: Json = {}): Json {
  const made = podObject({ annotations: { 'k8s.aliyun.com/eci-instance-id': 'eci-1', ...annotations } });
  const metadata = { ...(made['metadata'] as Json), name, namespace: 'shop', uid: name, ...change };
  return { ...made, metadata: { creationTimestamp: '2026-11-25T11:59:00Z', ...metadata } };
}

function pull(podUid: string, change: Partial<Pull> = {}): Pull {
  const atMs = clock.now();
  return {
    podUid,
    namespace: 'shop',
    podName: podUid,
    image: 'a:1',
    seconds: 3,
    wasPresent: false,
    atMs,
    ...change,
  };
}

const WARM = { ...DECISION, 'k8s.aliyun.com/eci-matched-image-cache': 'imc-1' };

describe('the seconds of pulling', () => {
  it('count for a warm or a cold start, whichever the pod had', () => {
    truths.placed(pod('warm', WARM));
    truths.placed(pod('cold', DECISION));
    truths.pulled(pull('warm'));
    truths.pulled(pull('cold', { seconds: 9 }));
    expect(told).toEqual(['warm miss eci', 'cold miss right', 'a:1 3 warm', 'a:1 9 cold']);
  });

  it('count once the pod is known to be placed, if the Event comes first', () => {
    truths.pulled(pull('late'));
    expect(told).toEqual([]);
    truths.placed(pod('late', WARM));
    expect(told).toEqual(['late miss eci', 'a:1 3 warm']);
  });

  it('count once, although a list brings the Event again', () => {
    truths.placed(pod('p', DECISION));
    const event = pull('p');
    truths.pulled(event);
    truths.pulled(event);
    expect(told).toHaveLength(2);
  });

  it('do not count for Events from before this replica led', () => {
    truths.placed(pod('p', DECISION));
    truths.pulled(pull('p', { atMs: clock.now() - 121_000 }));
    expect(told).toHaveLength(1);
  });

  it('of a thousand Events of one early pod count for a hundred', () => {
    for (let i = 0; i < 1000; i++) truths.pulled(pull('early', { image: `a:${i}` }));
    truths.placed(pod('early', DECISION));
    expect(told).toHaveLength(101);
  });
});

describe('a pod without a decision', () => {
  const configuration: Json = {
    metadata: { creationTimestamp: '2026-11-25T11:00:00Z' },
    webhooks: [
      {
        rules: [{ operations: ['CREATE'], resources: ['pods'] }],
        namespaceSelector: {
          matchExpressions: [
            { key: 'kubernetes.io/metadata.name', operator: 'NotIn', values: ['kube-system'] },
          ],
        },
        objectSelector: {
          matchExpressions: [
            { key: 'imagecache-webhook.io/webhook', operator: 'NotIn', values: ['disabled'] },
          ],
        },
      },
    ],
  };
  beforeEach(() => truths.setScope(readWebhookScope(configuration)));

  it.each<[string, Json, boolean]>([
    ['is unanswered', pod('p'), true],
    ['is answered if it carries one', pod('p', DECISION), false],
    ['is none of ours in a namespace that is not sent', pod('p', {}, { namespace: 'kube-system' }), false],
    [
      'is none of ours if it was created before',
      pod('p', {}, { creationTimestamp: '2026-11-25T10:59:59Z' }),
      false,
    ],
    [
      'is none of ours if its label says so',
      pod(
        'p',
        {},
        { labels: { 'alibabacloud.com/eci': 'true', 'imagecache-webhook.io/webhook': 'disabled' } },
      ),
      false,
    ],
    [
      'is none of ours if only its node shows that it goes to ECI, which the webhook could not know',
      {
        ...pod('p', {}, { labels: {} }),
        spec: { nodeName: 'virtual-kubelet', containers: [{ name: 'c', image: 'a:1' }] },
      },
      false,
    ],
    ['is none of ours if nothing shows that it goes to ECI', pod('p', {}, { labels: {} }), false],
    [
      'may be answered if a decision would write nothing',
      pod('p', { 'k8s.aliyun.com/eci-auto-imc': 'false' }),
      false,
    ],
  ])('%s', (_title, object, expected) => {
    truths.placed(object);
    expect(told.includes('p unanswered')).toBe(expected);
  });

  it('is not looked for while it is not known which pods are sent', () => {
    truths.setScope(undefined);
    truths.placed(pod('p'));
    expect(told).toEqual(['p none unpredicted']);
  });
});
