/** The signs of ECI that are not labels; decide.test.ts has the others. */
import { describe, expect, it } from 'vitest';
import {
  cacheObject,
  decideFor,
  eciProfileObject,
  indexOf,
  podObject,
  type ConfigChange,
  type Json,
  type PodSpec,
} from '../../support/objects.ts';

const P = 'k8s.aliyun.com/';
const BURST = 'alibabacloud.com/burst-resource';
const INDEX = indexOf(cacheObject({ name: 'x' }));

function affinityOf(...terms: Json[][]): PodSpec {
  const nodeSelectorTerms = terms.map((matchExpressions) => ({ matchExpressions }));
  return {
    labels: {},
    spec: {
      containers: [{ name: 'c', image: 'app:1' }],
      affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } } },
    },
  };
}

const isIn = (key: string, ...values: string[]): Json => ({ key, operator: 'In', values });
const VIRTUAL = isIn('type', 'virtual-kubelet');
const VNODE = isIn('k8s.aliyun.com/vnode', 'true');

function decidedAs(pod: PodSpec, change: ConfigChange = {}): string {
  const { outcome, reason } = decideFor(podObject(pod), INDEX, change).decision;
  return outcome === 'skipped' ? reason : outcome;
}

describe('a pod goes to ECI for certain', () => {
  it.each<[string, PodSpec]>([
    ['by required affinity for virtual nodes', affinityOf([VIRTUAL])],
    ['by required affinity for VNodes', affinityOf([VNODE])],
    ['if each alternative is for virtual nodes', affinityOf([VIRTUAL, isIn('zone', 'a')], [VNODE])],
    ['by burst-resource: eci_only', { labels: {}, annotations: { [BURST]: 'eci_only' } }],
  ])('%s: it is decided at once, also with bindTime', (_title, pod) => {
    expect(decidedAs(pod)).toBe('hit');
    expect(decidedAs(pod, { bindTime: true })).toBe('hit');
  });
});

describe('a pod may go to ECI', () => {
  it.each<[string, PodSpec]>([
    ['if one alternative is for virtual nodes', affinityOf([VIRTUAL], [isIn('zone', 'a')])],
    ['if virtual nodes are one of several kinds', affinityOf([isIn('type', 'virtual-kubelet', 'normal')])],
    ['by burst-resource: eci', { labels: {}, annotations: { [BURST]: 'eci' } }],
  ])('%s: it is matched, and with bindTime it waits for its node', (_title, pod) => {
    expect(decidedAs(pod)).toBe('hit');
    expect(decidedAs(pod, { bindTime: true })).toBe('NodeNotKnown');
  });
});

describe('a pod is not known to go to ECI', () => {
  it.each<[string, PodSpec]>([
    ['if its affinity excludes virtual nodes', affinityOf([{ ...VIRTUAL, operator: 'NotIn' }])],
    ['if its affinity is for other nodes', affinityOf([isIn('type', 'normal')])],
    ['if its affinity only says that the label exists', affinityOf([{ key: 'type', operator: 'Exists' }])],
    ['if burst-resource has another value', { labels: {}, annotations: { [BURST]: 'acs' } }],
  ])('%s', (_title, pod) => {
    expect(decidedAs(pod)).toBe('NotForEci');
  });

  it('by a preference for virtual nodes', () => {
    const preferred = { weight: 1, preference: { matchExpressions: [VIRTUAL] } };
    const spec = {
      containers: [{ name: 'c', image: 'app:1' }],
      affinity: { nodeAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [preferred] } },
    };
    expect(decidedAs({ labels: {}, spec })).toBe('NotForEci');
  });
});

describe('a pod of ACS', () => {
  it.each<[string, Record<string, string>]>([
    ['by its label', { 'alibabacloud.com/acs': 'true' }],
    ['by its compute class', { 'alibabacloud.com/compute-class': 'general-purpose' }],
    ['also beside a label of ECI', { 'alibabacloud.com/acs': 'true', 'alibabacloud.com/eci': 'true' }],
  ])('%s is left alone, also with scope: all', (_title, labels) => {
    const annotations = { [`${P}eci-imc-id`]: 'imc-x' };
    for (const change of [{}, { scope: 'all' }] satisfies ConfigChange[]) {
      expect(decideFor(podObject({ labels }), INDEX, change).decision.warnings).toEqual([]);
      const { decision, explanation } = decideFor(podObject({ labels, annotations }), INDEX, change);
      expect(decision).toMatchObject({ outcome: 'skipped', reason: 'AcsPod' });
      expect(decision.warnings).toEqual([expect.stringContaining('the pod runs on ACS')]);
      expect(explanation.patch).toEqual([]);
    }
  });

  it.each(['alibabacloud.com/acs', 'alibabacloud.com/compute-class'])(
    'by the label %s of a profile gets the effects of the profile, and nothing else',
    (label) => {
      const profile = eciProfileObject([
        { name: 's', objectSelector: { matchLabels: { app: 'x' } }, effect: { labels: { [label]: 'true' } } },
      ]);
      const pod = podObject({ labels: { app: 'x' } });
      const { decision, labels, annotations } = decideFor(pod, indexOf(cacheObject({ name: 'x' }), profile));
      expect(decision).toMatchObject({ outcome: 'skipped', reason: 'AcsPod' });
      expect(labels).toMatchObject({ app: 'x', [label]: 'true' });
      expect(Object.keys(annotations)).toEqual(['imagecache-webhook.io/decision']);
      const asking = podObject({ labels: { app: 'x' }, annotations: { [`${P}eci-auto-imc`]: 'true' } });
      expect(decideFor(asking, indexOf(profile)).decision.warnings).toEqual([
        expect.stringContaining('the pod runs on ACS'),
      ]);
    },
  );

  it('is not one whose label says false', () => {
    expect(decidedAs({ labels: { 'alibabacloud.com/acs': 'false', eci: 'true' } })).toBe('hit');
  });
});

describe('a pod without a sign of ECI that asks for a degree', () => {
  const asking: PodSpec = { labels: {}, annotations: { [`${P}imc-match-count-request`]: '1' } };

  it('is matched, and waits for its node with bindTime', () => {
    expect(decidedAs(asking)).toBe('hit');
    expect(decidedAs(asking, { bindTime: true })).toBe('NodeNotKnown');
  });

  it.each(['eci', 'controller'] as const)('gets no marker, so that nobody pays for it (by: %s)', (by) => {
    const pod = podObject({ ...asking, images: ['other:1'] });
    const { decision, annotations, labels } = decideFor(pod, INDEX, { createOnMiss: { by } });
    expect(decision).toMatchObject({ outcome: 'miss', createOnMiss: undefined });
    expect(Object.keys({ ...annotations, ...labels })).not.toContain('imagecache-webhook.io/create-on-miss');
    expect(annotations).not.toHaveProperty([`${P}eci-auto-imc`]);
  });

  it('gets the marker if its user switched matching on', () => {
    const annotations = { ...asking.annotations, [`${P}eci-auto-imc`]: 'true' };
    const { decision } = decideFor(podObject({ ...asking, annotations, images: ['other:1'] }), INDEX);
    expect(decision.createOnMiss).toMatch(/^[0-9a-f]{32}$/);
  });
});
