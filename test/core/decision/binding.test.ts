/** Decisions at binding: which pods wait for their binding when they are created, and what a Binding gets. */
import { describe, expect, it } from 'vitest';
import { decideOnBinding, readBinding, type BindingDecision } from '../../../src/core/decision/binding.ts';
import { patchForBinding, type Operation } from '../../../src/webhook/json-patch.ts';
import { readPod } from '../../../src/core/pod.ts';
import {
  cacheObject,
  configWith,
  decideFor,
  indexOf,
  nodeObject,
  NOW,
  podObject,
  selectorObject,
  type CacheSpec,
  type ConfigChange,
  type Json,
  type PodSpec,
} from '../../support/objects.ts';
import { applied } from '../../support/patch.ts';

const P = 'k8s.aliyun.com/';
const PIN = `${P}eci-imc-id`;
const LEGACY_PIN = `${P}eci-image-snapshot-id`;
const AUTO = `${P}eci-auto-imc`;
const MARKER = 'imagecache-webhook.io/create-on-miss';
const DECISION = 'imagecache-webhook.io/decision';
const HYBRID: ConfigChange = { bindTime: true };
const READY = cacheObject({ name: 'x' });
const PLAIN = { labels: {} };

describe('with bindTime, at creation, a pod', () => {
  const either = selectorObject('either', {
    objectLabels: { matchLabels: { a: 'b' } },
    policy: { fair: {} },
  });
  const eciOnly = selectorObject('eci-only', { objectLabels: { matchLabels: { a: 'b' } } });
  it.each<[string, PodSpec, Json[], string]>([
    ['that asks for a match', { ...PLAIN, annotations: { [AUTO]: 'true' } }, [], 'NodeNotKnown'],
    ['that pins a cache', { ...PLAIN, annotations: { [PIN]: 'imc-x' } }, [], 'NodeNotKnown'],
    ['of a Selector with policy fair', { labels: { a: 'b' } }, [either], 'NodeNotKnown'],
    ['of a Selector for virtual nodes', { labels: { a: 'b' } }, [eciOnly], 'BestMatch'],
    ['that nothing marks for ECI', PLAIN, [], 'NotForEci'],
    ['labelled for ECI', {}, [], 'BestMatch'],
    [
      'with a virtual node in its node selector',
      { ...PLAIN, spec: { nodeSelector: { type: 'virtual-kubelet' } } },
      [],
      'BestMatch',
    ],
    ['with a virtual node', { ...PLAIN, spec: { nodeName: 'virtual-kubelet' } }, [], 'BestMatch'],
    [
      'that asks for a match and has a real node',
      { ...PLAIN, annotations: { [AUTO]: 'true' }, spec: { nodeName: 'worker-1' } },
      [],
      'BestMatch',
    ],
  ])('%s', (_title, pod, objects, reason) => {
    const object = podObject(pod);
    const { decision, explanation } = decideFor(object, indexOf(READY, ...objects), HYBRID);
    expect(decision.reason).toBe(reason);
    if (reason === 'NodeNotKnown') expect(explanation.patch).toEqual([]);
  });

  it('that waits gets the warning about a malformed annotation at once, and is denied at once if so configured', () => {
    const object = podObject({ ...PLAIN, annotations: { [AUTO]: 'maybe' } });
    expect(decideFor(object, indexOf(READY), HYBRID).decision.warnings).toEqual([
      expect.stringContaining('"maybe" is ignored'),
    ]);
    const strict: ConfigChange = { ...HYBRID, onInvalidAnnotation: 'deny' };
    expect(decideFor(object, indexOf(READY), strict).decision.outcome).toBe('denied');
  });

  it('does not wait with scope all, because all nodes are virtual then', () => {
    const change: ConfigChange = { ...HYBRID, scope: 'all' };
    expect(decideFor(podObject(PLAIN), indexOf(READY), change).decision.reason).toBe('BestMatch');
  });
});

const binding = (annotations?: Json, node = 'virtual-kubelet'): Json => ({
  apiVersion: 'v1',
  kind: 'Binding',
  metadata: { name: 'pod', namespace: 'default', ...(annotations && { annotations }) },
  target: { kind: 'Node', name: node },
});

interface Bound {
  readonly decision: BindingDecision['decision'];
  readonly patch: readonly Operation[];
  /** The pod's annotations after the API server has merged those of the Binding. */
  readonly annotations: Json;
}

function bind(
  pod: Json,
  caches: readonly CacheSpec[],
  options: { change?: ConfigChange; binding?: Json; objects?: readonly Json[] } = {},
): Bound {
  const object = options.binding ?? binding();
  const index = indexOf(...caches.map(cacheObject), ...(options.objects ?? []));
  const config = configWith({ ...HYBRID, ...options.change });
  const result = decideOnBinding(readBinding(object, undefined), readPod(pod, undefined), index, config, NOW);
  const patch = patchForBinding(result);
  const { metadata } = applied(object, patch) as { metadata: { annotations?: Json } };
  const before = (pod['metadata'] as { annotations: Json }).annotations;
  return { decision: result.decision, patch, annotations: { ...before, ...metadata.annotations } };
}

/** A pod with the decision that it gets at its creation in a cluster with these caches. */
function created(pod: PodSpec, caches: readonly CacheSpec[], change: ConfigChange = {}): Json {
  const object = podObject(pod);
  const { explanation } = decideFor(object, indexOf(...caches.map(cacheObject)), change);
  return applied(object, explanation.patch);
}

describe('at binding', () => {
  it('the annotations go onto the Binding, beside those that it has', () => {
    const own = binding({ 'example.com/gpu': '0' });
    const { annotations, patch } = bind(podObject(PLAIN), [{ name: 'x' }], { binding: own });
    expect(annotations).toMatchObject({ [PIN]: 'imc-x', 'example.com/gpu': '0' });
    const ofLabels = ({ path }: { path: string }): boolean => path.startsWith('/metadata/labels');
    for (const { op, path } of patch.filter((each) => !ofLabels(each)))
      expect(`${op} ${path}`).toMatch(/^add \/metadata\/annotations\//);
    // Versions that merge the labels of a Binding show the outcome on the pod; the others ignore them.
    const outcome = { 'imagecache-webhook.io/outcome': 'hit' };
    expect(patch.filter(ofLabels)).toEqual([{ op: 'add', path: '/metadata/labels', value: outcome }]);
    const bare = bind(podObject(PLAIN), [{ name: 'x' }]).patch.map(({ path }) => path);
    expect(bare.toSorted()).toEqual(['/metadata/annotations', '/metadata/labels']);
  });

  it('the region of the node counts', () => {
    const objects = [nodeObject('virtual-kubelet', { 'topology.kubernetes.io/region': 'cn-beijing' })];
    const caches = [
      { name: 'here', region: 'cn-beijing', size: 40 },
      { name: 'there', region: 'cn-hangzhou' },
    ];
    const pod = podObject({ ...PLAIN, annotations: { [`${P}eci-extra-ephemeral-storage`]: '50Gi' } });
    expect(bind(pod, caches, { objects }).annotations).toMatchObject({ [PIN]: 'imc-here' });
  });

  it('an annotation that the binder adds counts as the user’s', () => {
    const off = binding({ [AUTO]: 'false' });
    expect(bind(podObject(PLAIN), [{ name: 'x' }], { binding: off }).patch).toEqual([]);
  });

  it('a pod that was decided at its creation gets nothing if nothing has changed', () => {
    const pod = created({}, [{ name: 'x' }]);
    expect(bind(pod, [{ name: 'x' }]).patch).toEqual([]);
  });

  it('the record of what was written at creation is kept, so that a copy of the pod can be decided anew', () => {
    const selector = selectorObject('s', {
      objectLabels: { matchLabels: { a: 'b' } },
      effect: { labels: { cost: 'y' } },
    });
    const change: ConfigChange = { pullPolicy: 'enforce' };
    const index = indexOf(READY, selector);
    const original = podObject({ labels: { a: 'b' }, pullPolicy: 'Always' });
    const pod = applied(original, decideFor(original, index, change).explanation.patch);
    const better = [{ name: 'x' }, { name: 'y', created: '2026-11-20T00:00:00Z' }];
    const { annotations } = bind(pod, better, { change, objects: [selector] });
    expect(annotations).toMatchObject({ [PIN]: 'imc-y' });
    expect(JSON.parse(String(annotations[DECISION]))).toMatchObject({
      wrote: { annotations: { [PIN]: 'imc-y' }, labels: { cost: 'y' }, imagePullPolicy: ['c0'] },
    });
  });

  it('an ID of ours is emptied if automatic matching is switched off meanwhile', () => {
    const selector = selectorObject('s', {
      objectLabels: { matchLabels: { app: 'web' } },
      effect: { annotations: { [AUTO]: 'false' } },
    });
    const pod = created({ labels: { eci: 'true', app: 'web' } }, [{ name: 'x' }]);
    expect(bind(pod, [{ name: 'x' }], { objects: [selector] }).annotations).toMatchObject({
      [AUTO]: 'false',
      [PIN]: '',
    });
  });

  it('a better cache that came meanwhile is taken', () => {
    const pod = created({ images: ['a:1', 'b:1'] }, [{ name: 'x', images: ['a:1'] }]);
    const caches = [
      { name: 'x', images: ['a:1'] },
      { name: 'y', images: ['a:1', 'b:1'] },
    ];
    expect(bind(pod, caches).annotations).toMatchObject({ [PIN]: 'imc-y' });
  });

  it('an ID of ours that no longer works is emptied, as a Binding cannot remove it', () => {
    const pod = created({}, [{ name: 'x' }]);
    const { annotations } = bind(pod, [{ name: 'x', phase: 'Failed' }]);
    expect(annotations).toMatchObject({ [PIN]: '' });
    // In a copied manifest, the empty value is no pin.
    const copy = podObject({ annotations: annotations as Record<string, string> });
    expect(decideFor(copy, indexOf(READY)).annotations).toMatchObject({ [PIN]: 'imc-x' });
  });

  it('a marker for a cache that has come meanwhile is emptied too', () => {
    const pod = created({}, []);
    expect(bind(pod, [{ name: 'x' }]).annotations).toMatchObject({ [MARKER]: '', [PIN]: 'imc-x' });
  });

  it('ECI’s own matching is switched on again if we had switched it off for our controller', () => {
    const change: ConfigChange = { createOnMiss: { by: 'controller' } };
    const pod = created({}, [], change);
    expect(bind(pod, [], { change }).annotations).toMatchObject({ [AUTO]: 'false' });
    expect(bind(pod, [{ name: 'x' }], { change }).annotations).toMatchObject({
      [AUTO]: 'true',
      [PIN]: 'imc-x',
    });
  });

  it('a pin that automatic matching replaces is overwritten, under the name that ECI prefers', () => {
    const change: ConfigChange = { pin: { notReady: 'auto' } };
    const pod = podObject({ ...PLAIN, annotations: { [LEGACY_PIN]: 'imc-x' } });
    const caches = [{ name: 'x', phase: 'Failed' }, { name: 'y' }];
    expect(bind(pod, caches, { change }).annotations).toMatchObject({ [PIN]: 'imc-y' });
    expect(bind(pod, caches.slice(0, 1), { change }).annotations).toMatchObject({ [LEGACY_PIN]: '' });
  });

  it('the labels of a profile are not added, and a warning says so', () => {
    const selector = selectorObject('s', {
      objectLabels: { matchLabels: { a: 'b' } },
      policy: { fair: {} },
      effect: { annotations: { team: 'x' }, labels: { cost: 'y' } },
    });
    const { annotations, decision } = bind(podObject({ labels: { a: 'b' } }), [{ name: 'x' }], {
      objects: [selector],
    });
    expect(annotations).toMatchObject({ team: 'x', [PIN]: 'imc-x' });
    expect(decision.warnings).toEqual([expect.stringContaining('cost')]);
    expect(JSON.parse(String(annotations[DECISION]))).toMatchObject({ wrote: { labels: {} } });
  });

  it('pullPolicy enforce can only warn', () => {
    const { decision, patch } = bind(podObject({ ...PLAIN, pullPolicy: 'Always' }), [{ name: 'x' }], {
      change: { pullPolicy: 'enforce' },
    });
    expect(decision.warnings).toEqual([expect.stringContaining('imagePullPolicy Always')]);
    expect(JSON.stringify(patch)).not.toContain('imagePullPolicy');
  });

  it('a pin that is not Ready is denied', () => {
    const pod = podObject({ ...PLAIN, annotations: { [PIN]: 'imc-x' } });
    const { decision, patch } = bind(pod, [{ name: 'x', phase: 'Creating' }]);
    expect([decision.outcome, patch]).toEqual(['denied', []]);
  });
});

describe('a Binding that cannot be read', () => {
  it.each<[unknown, string]>([
    [null, 'binding is null'],
    [[], 'binding is an array'],
    [{}, 'metadata is missing'],
    [{ metadata: {} }, 'metadata.name is missing'],
    [{ metadata: { name: 'x' } }, 'target.name is missing'],
    [{ metadata: { name: 'x' }, target: 'y' }, 'target.name is missing'],
    [{ metadata: { name: 'x' }, target: { name: 7 } }, 'target.name is missing'],
    [{ metadata: { name: 'x', annotations: { a: 1 } }, target: { name: 'y' } }, 'metadata.annotations["a"]'],
  ])('%j: %s', (value, message) => {
    expect(() => readBinding(value, undefined)).toThrow(message);
  });
});

describe('a cluster without the ImageCache resource', () => {
  const index = indexOf(nodeObject('n', {}));
  index.setImageCachesSupported(false);

  it('leaves a pod alone, and warns only if it asks', () => {
    const { decision, explanation } = decideFor(podObject(), index);
    expect([decision.reason, explanation.patch, decision.warnings]).toEqual([
      'ImageCachesUnsupported',
      [],
      [],
    ]);
    const asking = decideFor(podObject({ annotations: { [PIN]: 'imc-x' } }), index);
    expect([asking.explanation.patch, asking.decision.warnings]).toEqual([
      [],
      [expect.stringContaining('not supported here')],
    ]);
  });

  it('removes from a copied manifest what we wrote in another cluster', () => {
    const copy = created({ annotations: { [AUTO]: 'true' } }, [{ name: 'x' }]);
    expect(decideFor(copy, index).annotations).toEqual({ [AUTO]: 'true' });
  });

  it.each<[string, PodSpec]>([
    ['became one of ACS', { labels: { 'alibabacloud.com/acs': 'true' } }],
    [
      'has more images than a decision looks at',
      { images: Array.from({ length: 101 }, (_, i) => `app:${i}`) },
    ],
  ])('a dead pin that was replaced at creation does not come back if the pod %s', (_title, change) => {
    const notReady: ConfigChange = { pin: { notReady: 'auto' } };
    const before = created(
      { annotations: { [PIN]: 'imc-dead' } },
      [{ name: 'x' }, { name: 'dead', phase: 'Failed' }],
      notReady,
    );
    const { annotations } = before['metadata'] as { annotations: Json };
    expect(annotations[PIN]).toBe('imc-x');
    const later = podObject({ ...change, annotations: annotations as Record<string, string> });
    expect(bind(later, [{ name: 'x' }], { change: notReady }).patch).toEqual([]);
  });
});
