/** The steps of the decision, in the order of docs/architecture.md, each with all of its options. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FILTERS } from '../../../src/core/decision/match/filters.ts';
import { TIE_BREAKS } from '../../../src/core/decision/match/order.ts';
import {
  cacheObject,
  decideFor,
  eciProfileObject,
  indexOf,
  namespaceObject,
  nodeObject,
  NOW,
  podObject,
  selectorObject,
  type ConfigChange,
  type Json,
  type PodSpec,
} from '../../support/objects.ts';

const P = 'k8s.aliyun.com/';
const READY = cacheObject({ name: 'ready' });

function outcomeOf(
  pod: PodSpec,
  objects: readonly Json[] = [READY],
  change: ConfigChange = {},
): [string, string] {
  const { decision } = decideFor(podObject(pod), indexOf(...objects), change);
  return [decision.outcome, decision.cacheId ?? decision.reason];
}

const RETIRING = cacheObject({
  name: 'x',
  annotations: { 'imagecache-webhook.io/retiring': 'Idle 2026-11-21T11:00:00Z' },
  labels: { 'imagecache-webhook.io/made-by': 'controller' },
});

describe('scope: a pod is decided if something marks it for ECI', () => {
  const plain = { labels: {} };
  const onNode = (nodeName: string): PodSpec => ({
    ...plain,
    spec: { nodeName, containers: [{ name: 'c', image: 'app:1' }] },
  });
  const selecting = (nodeSelector: Record<string, string>): PodSpec => ({
    ...plain,
    spec: { nodeSelector, containers: [{ name: 'c', image: 'app:1' }] },
  });

  it.each<[string, PodSpec, Json[]]>([
    ['pod label alibabacloud.com/eci', { labels: { 'alibabacloud.com/eci': 'true' } }, []],
    ['pod label eci', { labels: { eci: 'true' } }, []],
    [
      'namespace label alibabacloud.com/eci',
      plain,
      [namespaceObject('default', { 'alibabacloud.com/eci': 'true' })],
    ],
    ['namespace label eci', plain, [namespaceObject('default', { eci: 'true' })]],
    [
      'namespace label virtual-node-affinity-injection',
      plain,
      [namespaceObject('default', { 'virtual-node-affinity-injection': 'enabled' })],
    ],
    ['node virtual-kubelet', onNode('virtual-kubelet'), []],
    ['node virtual-kubelet-cn-beijing-i', onNode('virtual-kubelet-cn-beijing-i'), []],
    ['node virtual-node-eci-0', onNode('virtual-node-eci-0'), []],
    ['a node labelled type=virtual-kubelet', onNode('vk'), [nodeObject('vk', { type: 'virtual-kubelet' })]],
    [
      'a node labelled k8s.aliyun.com/vnode',
      onNode('vk'),
      [nodeObject('vk', { 'k8s.aliyun.com/vnode': 'true' })],
    ],
    ['nodeSelector type=virtual-kubelet', selecting({ type: 'virtual-kubelet' }), []],
    ['nodeSelector k8s.aliyun.com/vnode', selecting({ 'k8s.aliyun.com/vnode': 'true' }), []],
    [
      'an eci-profile entry with an objectSelector',
      { labels: { app: 'x' } },
      [eciProfileObject([{ name: 's', objectSelector: { matchLabels: { app: 'x' } } }])],
    ],
    [
      'an eci-profile entry with a namespaceSelector',
      plain,
      [
        namespaceObject('default', { a: 'b' }),
        eciProfileObject([{ name: 's', namespaceSelector: { matchLabels: { a: 'b' } } }]),
      ],
    ],
    [
      'a Selector',
      { labels: { app: 'x' } },
      [selectorObject('s', { objectLabels: { matchLabels: { app: 'x' } } })],
    ],
    [
      'a Selector with policy virtualNodeOnly',
      { labels: { app: 'x' } },
      [selectorObject('s', { objectLabels: { matchLabels: { app: 'x' } }, policy: { virtualNodeOnly: {} } })],
    ],
  ])('%s', (_title, pod, objects) => {
    expect(outcomeOf(pod, [READY, ...objects])).toEqual(['hit', 'imc-ready']);
  });

  it.each<[string, PodSpec, Json[]]>([
    ['no sign at all', plain, []],
    ['another value of the label', { labels: { 'alibabacloud.com/eci': 'false' } }, []],
    ['a real node', onNode('worker-1'), []],
    ['a node whose name begins like that of a virtual node', onNode('virtual-nodes'), []],
    ['a label of another namespace', plain, [namespaceObject('other', { eci: 'true' })]],
    [
      'a toleration',
      {
        ...plain,
        spec: {
          tolerations: [{ key: 'virtual-kubelet.io/provider', operator: 'Exists' }],
          containers: [{ name: 'c', image: 'app:1' }],
        },
      },
      [],
    ],
    [
      'an eci-profile entry without selectors',
      plain,
      [eciProfileObject([{ name: 's', effect: { annotations: { [`${P}eci-auto-imc`]: 'true' } } }])],
    ],
    [
      'a Selector with policy normalNodeOnly',
      { labels: { app: 'x' } },
      [selectorObject('s', { objectLabels: { matchLabels: { app: 'x' } }, policy: { normalNodeOnly: {} } })],
    ],
  ])('not by %s: the pod is left unchanged', (_title, pod, objects) => {
    const { decision, explanation } = decideFor(podObject(pod), indexOf(READY, ...objects));
    expect(decision).toMatchObject({ outcome: 'skipped', reason: 'NotForEci' });
    expect(explanation.patch).toEqual([]);
  });

  it('by `scope: all`, always', () => {
    expect(outcomeOf(plain, [READY], { scope: 'all' })).toEqual(['hit', 'imc-ready']);
  });

  it.each([
    [{ [`${P}eci-auto-imc`]: 'true' }, ['hit', 'imc-ready']],
    [{ [`${P}eci-image-cache`]: 'true' }, ['hit', 'imc-ready']],
    [{ [`${P}eci-imc-id`]: 'imc-ready' }, ['pinned', 'imc-ready']],
    [{ [`${P}eci-image-snapshot-id`]: 'imc-ready' }, ['pinned', 'imc-ready']],
    // The vendor's default is true, also for a pod that asks for a degree and shows no sign of ECI.
    [{ [`${P}imc-perfect-match`]: 'true' }, ['hit', 'imc-ready']],
    [{ [`${P}imc-match-count-request`]: '1' }, ['hit', 'imc-ready']],
    [{ [`${P}imc-perfect-match`]: 'false' }, ['skipped', 'AutoMatchOff']],
    [{ [`${P}imc-match-count-request`]: 'many' }, ['skipped', 'AutoMatchOff']],
  ])('by the annotation %j', (annotations, expected) => {
    expect(outcomeOf({ ...plain, annotations })).toEqual(expected);
  });
});

describe('profile effects', () => {
  const entry = (name: string, annotations: Json, extra: Json = {}): Json => ({
    name,
    effect: { annotations },
    ...extra,
  });

  it('add annotations and labels that the pod lacks, and never overwrite what it has', () => {
    const index = indexOf(
      eciProfileObject([
        {
          name: 's',
          effect: { annotations: { a: 'effect', b: 'effect' }, labels: { l: 'effect', eci: 'effect' } },
        },
      ]),
    );
    const { annotations, labels } = decideFor(
      podObject({ annotations: { a: 'pod' }, labels: { eci: 'true' } }),
      index,
    );
    expect(annotations).toMatchObject({ a: 'pod', b: 'effect' });
    expect(labels).toMatchObject({ eci: 'true', l: 'effect' });
  });

  it('apply in order: an earlier entry wins', () => {
    const index = indexOf(eciProfileObject([entry('one', { a: '1' }), entry('two', { a: '2', b: '2' })]));
    expect(decideFor(podObject(), index)).toMatchObject({
      annotations: { a: '1', b: '2' },
      explanation: { effects: ['one', 'two'] },
    });
  });

  it('come from the Selector with the highest priority alone, and before the ConfigMap', () => {
    const index = indexOf(
      selectorObject('low', { effect: { annotations: { a: 'low', x: 'low' } } }),
      selectorObject('high', { priority: 5, effect: { annotations: { a: 'high' } } }),
      selectorObject('higher-but-no-match', {
        priority: 9,
        objectLabels: { matchLabels: { no: 'match' } },
        effect: { annotations: { a: 'no' } },
      }),
      eciProfileObject([entry('map', { a: 'map', b: 'map' })]),
    );
    const { annotations } = decideFor(podObject(), index);
    expect(annotations).toMatchObject({ a: 'high', b: 'map' });
    expect(annotations).not.toHaveProperty('x');
  });

  it('come from the first Selector by name, if priorities are equal', () => {
    const index = indexOf(
      selectorObject('b', { priority: 1, effect: { annotations: { a: 'b' } } }),
      selectorObject('a', { priority: 1, effect: { annotations: { a: 'a' } } }),
    );
    expect(decideFor(podObject(), index).annotations).toMatchObject({ a: 'a' });
  });

  it('come from the first Selector by namespace, if names are equal, in whichever order the Selectors came', () => {
    const [one, two] = ['a', 'b'].map((namespace) => ({
      ...selectorObject('s', { effect: { annotations: { from: namespace } } }),
      metadata: { name: 's', namespace },
    }));
    expect(decideFor(podObject(), indexOf(one!, two!)).annotations).toMatchObject({ from: 'a' });
    expect(decideFor(podObject(), indexOf(two!, one!)).annotations).toMatchObject({ from: 'a' });
  });

  it('need both selectors of an entry to match', () => {
    const both = {
      namespaceSelector: { matchLabels: { n: '1' } },
      objectSelector: { matchLabels: { o: '1' } },
    };
    const index = indexOf(
      namespaceObject('default', { n: '1' }),
      eciProfileObject([entry('s', { a: '1' }, both)]),
    );
    const eci = { 'alibabacloud.com/eci': 'true' };
    expect(decideFor(podObject({ labels: eci }), index).annotations).not.toHaveProperty('a');
    expect(decideFor(podObject({ labels: { ...eci, o: '1' } }), index).annotations).toHaveProperty('a', '1');
    expect(
      decideFor(podObject({ labels: { ...eci, o: '1' }, namespace: 'other' }), index).annotations,
    ).not.toHaveProperty('a');
  });

  it('are part of the request', () => {
    const profile = eciProfileObject([entry('s', { [`${P}eci-imc-id`]: 'imc-ready' })]);
    expect(outcomeOf({}, [READY, profile])).toEqual(['pinned', 'imc-ready']);
    expect(outcomeOf({ annotations: { [`${P}eci-imc-id`]: 'imc-mine' } }, [READY, profile])).toEqual([
      'pinned',
      'imc-mine',
    ]);
  });

  it('apply even if automatic matching is off', () => {
    const index = indexOf(eciProfileObject([entry('s', { a: '1' })]));
    const { annotations, decision } = decideFor(
      podObject({ annotations: { [`${P}eci-auto-imc`]: 'false' } }),
      index,
    );
    expect(decision).toMatchObject({ outcome: 'skipped', reason: 'AutoMatchOff' });
    expect(annotations).toMatchObject({ a: '1', [`${P}eci-auto-imc`]: 'false' });
  });

  it('of a Selector without effect are empty', () => {
    expect(outcomeOf({}, [READY, selectorObject('s', {})])).toEqual(['hit', 'imc-ready']);
  });
});

describe('request', () => {
  it.each([
    ['eci-auto-imc', 'modern'],
    ['eci-image-cache', 'legacy'],
  ] as const)('%s: "false" without a pin leaves the pod alone (dialect %s)', (key, dialect) => {
    const pod = podObject({ annotations: { [P + key]: 'false' } });
    const { decision, explanation } = decideFor(pod, indexOf(READY), { dialect });
    expect(decision).toMatchObject({ outcome: 'skipped', reason: 'AutoMatchOff', warnings: [] });
    expect(explanation.patch).toEqual([]);
  });

  it('a malformed value is ignored with a warning (onInvalidAnnotation: warn)', () => {
    const { decision } = decideFor(
      podObject({ annotations: { [`${P}eci-auto-imc`]: 'yes' } }),
      indexOf(READY),
    );
    expect(decision).toMatchObject({
      outcome: 'hit',
      warnings: [expect.stringContaining('"yes" is ignored')],
    });
  });

  it('a malformed value denies the pod (onInvalidAnnotation: deny)', () => {
    const { decision, explanation } = decideFor(
      podObject({ annotations: { [`${P}eci-auto-imc`]: 'yes' } }),
      indexOf(READY),
      {
        onInvalidAnnotation: 'deny',
      },
    );
    expect(decision).toMatchObject({ outcome: 'denied', reason: 'InvalidAnnotation' });
    expect(explanation).toMatchObject({ patch: [], why: expect.stringContaining('eci-auto-imc') });
  });

  it('that no cache can satisfy gets a warning', () => {
    const { decision } = decideFor(
      podObject({ images: ['app:1', 'NOT VALID'], annotations: { [`${P}imc-match-count-request`]: '3' } }),
      indexOf(READY),
    );
    expect(decision).toMatchObject({ outcome: 'miss', createOnMiss: undefined });
    expect(decision.warnings).toEqual([
      expect.stringContaining('"NOT VALID" is no valid reference'),
      expect.stringContaining('asks for 3 matching images and has 2'),
    ]);
  });
});

describe('pin', () => {
  const pin = (id: string, images?: string[]): PodSpec => ({
    annotations: { [`${P}eci-imc-id`]: id },
    ...(images && { images }),
  });
  const notReady: [string, Json][] = [
    ['Creating', cacheObject({ name: 'x', phase: 'Creating', progress: '40%' })],
    ['Preparing', cacheObject({ name: 'x', phase: 'Preparing' })],
    ['Updating', cacheObject({ name: 'x', phase: 'Updating' })],
    ['UpdateFailed', cacheObject({ name: 'x', phase: 'UpdateFailed' })],
    ['Failed', cacheObject({ name: 'x', phase: 'Failed' })],
    ['without a phase', cacheObject({ name: 'x', phase: '' })],
    ['expired', cacheObject({ name: 'x', expires: '2026-11-21T12:00:00Z' })],
    ['being deleted', cacheObject({ name: 'x', deleting: true })],
  ];

  it('to a Ready cache is kept, whatever it holds', () => {
    expect(outcomeOf(pin('imc-ready', ['other:1']))).toEqual(['pinned', 'imc-ready']);
  });

  it('to a cache that expires soon is kept: the margin is for automatic matching', () => {
    expect(outcomeOf(pin('imc-x'), [cacheObject({ name: 'x', expires: '2026-11-21T12:01:00Z' })])).toEqual([
      'pinned',
      'imc-x',
    ]);
  });

  it.each(notReady)('to a cache that is %s is denied (pin.notReady: deny)', (_title, cache) => {
    const { decision, explanation } = decideFor(podObject(pin('imc-x')), indexOf(READY, cache));
    expect(decision).toMatchObject({ outcome: 'denied', reason: 'ImageCacheNotComplete', cacheId: 'imc-x' });
    expect(explanation.patch).toEqual([]);
  });

  it('says phase and progress in the denial', () => {
    const { decision } = decideFor(podObject(pin('imc-x')), indexOf(notReady[0]![1]));
    expect(decision.why).toContain('ImageCache x (imc-x), which is Creating 40%, not Ready');
  });

  it.each(notReady)('to a cache that is %s is kept with a warning (pin.notReady: warn)', (_title, cache) => {
    const { decision } = decideFor(podObject(pin('imc-x')), indexOf(READY, cache), {
      pin: { notReady: 'warn' },
    });
    expect(decision).toMatchObject({ outcome: 'pinned', reason: 'PinnedNotReady', cacheId: 'imc-x' });
    expect(decision.warnings).toEqual([expect.stringContaining('ECI fails such a pod')]);
  });

  it.each(notReady)('to a cache that is %s is replaced by a hit (pin.notReady: auto)', (_title, cache) => {
    const { decision, annotations } = decideFor(podObject(pin('imc-x')), indexOf(READY, cache), {
      pin: { notReady: 'auto' },
    });
    expect(decision).toMatchObject({ outcome: 'hit', cacheId: 'imc-ready' });
    expect(decision.warnings).toEqual([expect.stringContaining('replaced by automatic matching')]);
    expect(annotations[`${P}eci-imc-id`]).toBe('imc-ready');
  });

  it('is removed if it is replaced and nothing matches, because ECI would fail the pod (pin.notReady: auto)', () => {
    const pod = podObject({
      images: ['other:1'],
      annotations: { [`${P}eci-imc-id`]: 'imc-x', [`${P}eci-image-snapshot-id`]: 'imc-x' },
    });
    const { decision, annotations } = decideFor(pod, indexOf(notReady[0]![1]), { pin: { notReady: 'auto' } });
    expect(decision.outcome).toBe('miss');
    expect(Object.keys(annotations)).not.toContain(`${P}eci-imc-id`);
    expect(Object.keys(annotations)).not.toContain(`${P}eci-image-snapshot-id`);
  });

  it('to an unknown ID is kept with a warning (pin.unknown: warn)', () => {
    const { decision } = decideFor(podObject(pin('imc-unknown')), indexOf(READY));
    expect(decision).toMatchObject({ outcome: 'pinned', reason: 'PinnedUnknown', cacheId: 'imc-unknown' });
    expect(decision.warnings).toEqual([expect.stringContaining('has no ImageCache in this cluster')]);
  });

  it('to an unknown ID is denied (pin.unknown: deny)', () => {
    const { decision } = decideFor(podObject(pin('imc-unknown')), indexOf(READY), {
      pin: { unknown: 'deny' },
    });
    expect(decision).toMatchObject({ outcome: 'denied', reason: 'ImageCacheNotFound' });
  });

  it("to a cache larger than the pod's storage gets a warning", () => {
    const large = cacheObject({ name: 'x', size: 60 });
    expect(decideFor(podObject(pin('imc-x')), indexOf(large)).decision).toMatchObject({
      outcome: 'pinned',
      warnings: [
        expect.stringContaining(
          "is 60Gi, more than the 30Gi of the pod's storage: set k8s.aliyun.com/eci-extra-ephemeral-storage",
        ),
      ],
    });
    const enough = podObject({
      annotations: { [`${P}eci-imc-id`]: 'imc-x', [`${P}eci-extra-ephemeral-storage`]: '30Gi' },
    });
    expect(decideFor(enough, indexOf(large)).decision.warnings).toEqual([]);
  });

  it('to an ID that two ImageCaches have means the first ImageCache by name', () => {
    const [a, b] = ['a', 'b'].map((name) =>
      cacheObject({ name, id: 'imc-x', phase: name === 'a' ? 'Ready' : 'Failed' }),
    );
    expect(outcomeOf(pin('imc-x'), [b!, a!])).toEqual(['pinned', 'imc-x']);
    expect(outcomeOf(pin('imc-x'), [a!, b!])).toEqual(['pinned', 'imc-x']);
    expect(outcomeOf(pin('imc-x'), [b!])).toEqual(['denied', 'imc-x']);
  });

  it('to a cache that the controller is about to delete is kept, because the pod then protects the cache', () => {
    expect(outcomeOf(pin('imc-x'), [RETIRING])).toEqual(['pinned', 'imc-x']);
  });
});

describe('filters', () => {
  it('are in their documented order', () => {
    expect(FILTERS.map(({ code }) => code)).toEqual([
      'NotShared',
      'OnlyInRegion',
      'OtherRegistry',
      'NotReady',
      'Expiring',
      'BeingDeleted',
      'Retiring',
      'OtherRegion',
      'OtherArchitecture',
      'OtherOperatingSystem',
      'TooLarge',
      'NotEnoughImages',
    ]);
  });

  it.each<[string, PodSpec, Json, ConfigChange, string | undefined]>([
    ['a Ready cache passes', {}, READY, {}, undefined],
    [
      'a cache that is not Ready',
      {},
      cacheObject({ name: 'x', phase: 'Creating', progress: '40%' }),
      {},
      'is Creating 40%, not Ready',
    ],
    [
      'a Ready cache without an ID',
      {},
      cacheObject({ name: 'x', id: null }),
      {},
      'is Ready but has no imageCacheId',
    ],
    [
      'a cache that expires within the margin',
      {},
      cacheObject({ name: 'x', expires: '2026-11-21T12:10:00Z' }),
      {},
      'expires at 2026-11-21T12:10:00Z',
    ],
    [
      'a cache that expires after the margin',
      {},
      cacheObject({ name: 'x', expires: '2026-11-21T12:10:01Z' }),
      {},
      undefined,
    ],
    [
      'a cache that expires after a shorter margin',
      {},
      cacheObject({ name: 'x', expires: '2026-11-21T12:10:00Z' }),
      { expiryMarginMs: 1000 },
      undefined,
    ],
    [
      'an expired cache',
      {},
      cacheObject({ name: 'x', expires: '2026-11-21T11:00:00Z' }),
      {},
      'expired at 2026-11-21T11:00:00Z',
    ],
    ['a cache that is being deleted', {}, cacheObject({ name: 'x', deleting: true }), {}, 'is being deleted'],
    [
      'a cache that the controller is about to delete',
      {},
      RETIRING,
      {},
      'is about to be deleted by the controller',
    ],
    [
      'a cache in another region',
      {},
      cacheObject({ name: 'x', region: 'cn-hangzhou' }),
      { region: { name: 'cn-beijing' } },
      'is in cn-hangzhou, the pod in cn-beijing',
    ],
    [
      'a cache in the same region',
      {},
      cacheObject({ name: 'x', region: 'cn-beijing' }),
      { region: { name: 'cn-beijing' } },
      undefined,
    ],
    ['a cache whose region is unknown', {}, READY, { region: { name: 'cn-beijing' } }, undefined],
    ['a pod whose region is unknown', {}, cacheObject({ name: 'x', region: 'cn-beijing' }), {}, undefined],
    ['a cache as large as the storage', {}, cacheObject({ name: 'x', size: 30 }), {}, undefined],
    [
      'a cache larger than the storage',
      {},
      cacheObject({ name: 'x', size: 31 }),
      {},
      "is 31Gi, more than the 30Gi of the pod's storage",
    ],
    [
      'a cache as large as the storage plus the extra storage of the pod',
      { annotations: { [`${P}eci-extra-ephemeral-storage`]: '1Gi' } },
      cacheObject({ name: 'x', size: 31 }),
      {},
      undefined,
    ],
    [
      'not every image, perfect match',
      { images: ['app:1', 'b:1'], annotations: { [`${P}imc-perfect-match`]: 'true' } },
      READY,
      {},
      'holds 1 of 2 images, all wanted',
    ],
    [
      'every image, perfect match',
      { annotations: { [`${P}imc-perfect-match`]: 'true' } },
      cacheObject({ name: 'x', images: ['app:1', 'more:1'] }),
      {},
      undefined,
    ],
    [
      'fewer images than counted',
      { images: ['app:1', 'b:1'], annotations: { [`${P}imc-match-count-request`]: '2' } },
      READY,
      {},
      'holds 1 of 2 images, at least 2 wanted',
    ],
    [
      'as many images as counted',
      { images: ['app:1', 'b:1', 'c:1'], annotations: { [`${P}imc-match-count-request`]: '2' } },
      cacheObject({ name: 'x', images: ['app:1', 'b:1'] }),
      {},
      undefined,
    ],
    [
      'another version only, minimumMatch repository',
      { images: ['app:2'] },
      READY,
      { minimumMatch: 'repository' },
      undefined,
    ],
  ])('%s', (_title, pod, cache, change, refusal) => {
    const { decision } = decideFor(podObject(pod), indexOf(cache), change);
    expect(decision.outcome === 'miss').toBe(refusal !== undefined);
    expect(decision.match?.verdicts.map((verdict) => verdict.refusal?.message)).toEqual([refusal]);
  });

  it('a cache with only another version is no candidate with minimumMatch image', () => {
    expect(outcomeOf({ images: ['app:2'] })).toEqual(['miss', 'NoCacheHoldsImages']);
  });

  it('the region of the node, or of the node selector, wins over the configured region', () => {
    const far = cacheObject({ name: 'x', region: 'cn-hangzhou' });
    const region = { 'topology.kubernetes.io/region': 'cn-hangzhou' };
    const containers = [{ name: 'c', image: 'app:1' }];
    const change = { region: { name: 'cn-beijing' } };
    expect(outcomeOf({}, [far], change)[0]).toBe('miss');
    expect(
      outcomeOf({ spec: { nodeName: 'vk', containers } }, [far, nodeObject('vk', region)], change)[0],
    ).toBe('hit');
    expect(outcomeOf({ spec: { nodeSelector: region, containers } }, [far], change)[0]).toBe('hit');
  });

  it('init containers count, and each image once', () => {
    const pod = podObject({
      images: ['app:1', 'docker.io/library/app:1'],
      spec: undefined as unknown as Json,
    });
    pod['spec'] = {
      initContainers: [{ name: 'i', image: 'init:1' }],
      containers: [
        { name: 'a', image: 'app:1' },
        { name: 'b', image: 'library/app:1' },
      ],
    };
    const { explanation } = decideFor(pod, indexOf(cacheObject({ name: 'x', images: ['app:1', 'init:1'] })));
    expect(explanation.degree).toEqual({ exact: 2, sameRepository: 0, images: 2 });
  });
});

describe('pick', () => {
  it('breaks ties in the documented order', () => {
    const sizes = { targetBytes: 1, knownSizes: 1, images: { length: 1 } };
    expect(
      TIE_BREAKS.map((each) => (typeof each.because === 'string' ? each.because : each.because(sizes))),
    ).toEqual(["is closer in size to the pod's images", 'is newer', 'comes first by name']);
  });

  const images = ['a:1', 'b:1', 'c:1'];
  it.each<[string, Json[], string, string]>([
    [
      'more exact images',
      [
        cacheObject({ name: 'one', images: ['a:1'] }),
        cacheObject({ name: 'two', images: ['a:1', 'b:1'], size: 30, created: '2020-01-01T00:00:00Z' }),
      ],
      'two',
      '',
    ],
    [
      'more of the other images in another version',
      [
        cacheObject({ name: 'plain', images: ['a:1', 'b:1'] }),
        cacheObject({ name: 'other', images: ['a:1', 'b:1', 'c:2'], size: 30 }),
      ],
      'other',
      '',
    ],
    [
      'exact before another version',
      [
        cacheObject({ name: 'versions', images: ['a:1', 'b:2', 'c:2'] }),
        cacheObject({ name: 'exact', images: ['a:1', 'b:1'], size: 30 }),
      ],
      'exact',
      '',
    ],
    [
      'the smaller if no image size is known',
      [
        cacheObject({ name: 'large', images: ['a:1'], size: 30, created: '2026-11-20T00:00:00Z' }),
        cacheObject({ name: 'small', images: ['a:1'], size: 20 }),
      ],
      'small',
      "before large, as it is smaller, as no size of the pod's images is known",
    ],
    [
      'the closest to the known image sizes',
      [
        nodeObject('n', {}, { 'a:1': 27 * 2 ** 30 }),
        cacheObject({ name: 'large', images: ['a:1'], size: 30 }),
        cacheObject({ name: 'small', images: ['a:1'], size: 20 }),
      ],
      'large',
      "before small, as it is closer in size to the pod's images, as far as their sizes are known",
    ],
    [
      'the newer of equal sizes',
      [
        cacheObject({ name: 'a', images: ['a:1'] }),
        cacheObject({ name: 'b', images: ['a:1'], created: '2026-11-02T00:00:00Z' }),
      ],
      'b',
      'before a, as it is newer',
    ],
    [
      'the newer of equally close sizes',
      [
        nodeObject('n', {}, { 'a:1': 25 * 2 ** 30 }),
        cacheObject({ name: 'low', images: ['a:1'], size: 20 }),
        cacheObject({ name: 'high', images: ['a:1'], size: 30, created: '2026-11-02T00:00:00Z' }),
      ],
      'high',
      'before low, as it is newer',
    ],
    [
      'the first name of equal ages',
      [cacheObject({ name: 'b', images: ['a:1'] }), cacheObject({ name: 'a', images: ['a:1'] })],
      'a',
      'before b, as it comes first by name',
    ],
    [
      'the next best if the best is refused',
      [cacheObject({ name: 'best', images, size: 60 }), cacheObject({ name: 'next', images: ['a:1'] })],
      'next',
      '',
    ],
  ])('%s', (_title, objects, name, why) => {
    for (const inSomeOrder of [objects, objects.toReversed()]) {
      const { decision } = decideFor(podObject({ images }), indexOf(...inSomeOrder), { partialHits: 'use' });
      expect(decision.cacheId).toBe(`imc-${name}`);
      expect(decision.why).toContain(why);
    }
  });

  it('takes the largest size that any node knows, and forgets it with the node', () => {
    const caches = [
      cacheObject({ name: 'large', images: ['a:1'], size: 30 }),
      cacheObject({ name: 'small', images: ['a:1'] }),
    ];
    const index = indexOf(
      ...caches,
      nodeObject('m', {}, { 'a:1': 1 }),
      nodeObject('n', {}, { 'a:1': 29 * 2 ** 30 }),
    );
    expect(decideFor(podObject({ images: ['a:1'] }), index).decision.cacheId).toBe('imc-large');
    index.nodes.delete('n');
    expect(decideFor(podObject({ images: ['a:1'] }), index).decision.cacheId).toBe('imc-small');
  });
});

describe('an index that is not to be trusted', () => {
  const stale = NOW + 60_001;

  it('that was never filled leaves the choice to ECI, with a warning', () => {
    const index = indexOf(READY);
    const empty = Object.defineProperty(index, 'confirmedAtMs', { value: () => undefined });
    const { decision, annotations } = decideFor(podObject(), empty);
    expect(decision).toMatchObject({
      outcome: 'skipped',
      reason: 'IndexNotSynced',
      warnings: [expect.stringContaining('left to ECI')],
    });
    expect(annotations).not.toHaveProperty(`${P}eci-imc-id`);
  });

  it('that is older than maxStaleness writes no ID and no marker', () => {
    const { decision, annotations, labels } = decideFor(podObject(), indexOf(READY), {}, stale);
    expect(decision).toMatchObject({ outcome: 'skipped', reason: 'IndexStale' });
    expect(annotations).not.toHaveProperty(`${P}eci-imc-id`);
    expect({ ...annotations, ...labels }).not.toHaveProperty('imagecache-webhook.io/create-on-miss');
  });

  it('that is exactly as old as maxStaleness is still used', () => {
    expect(decideFor(podObject(), indexOf(READY), {}, NOW + 60_000).decision.outcome).toBe('hit');
    expect(decideFor(podObject(), indexOf(READY), { maxStalenessMs: 120_000 }, stale).decision.outcome).toBe(
      'hit',
    );
  });

  it('denies no pin, whatever the options', () => {
    const index = indexOf(cacheObject({ name: 'x', phase: 'Failed' }));
    for (const id of ['imc-x', 'imc-unknown']) {
      const pod = podObject({ annotations: { [`${P}eci-imc-id`]: id } });
      const { decision, annotations } = decideFor(
        pod,
        index,
        { pin: { notReady: 'deny', unknown: 'deny' } },
        stale,
      );
      expect(decision).toMatchObject({
        outcome: 'pinned',
        reason: 'PinnedUnchecked',
        warnings: [expect.any(String)],
      });
      expect(annotations[`${P}eci-imc-id`]).toBe(id);
    }
  });
});

describe('explanation', () => {
  it('of a miss names the candidate that came closest', () => {
    const index = indexOf(
      cacheObject({ name: 'half', images: ['a:1'], size: 60 }),
      cacheObject({ name: 'soon', images: ['a:1', 'b:1'], phase: 'Creating', progress: '40%' }),
    );
    const { explanation } = decideFor(podObject({ images: ['a:1', 'b:1'] }), index);
    expect(explanation).toMatchObject({
      outcome: 'miss',
      reason: 'NoCacheQualifies',
      considered: 2,
      refused: { TooLarge: 1, NotReady: 1 },
    });
    expect(explanation.why).toBe(
      'no ImageCache qualifies: 1 TooLarge, 1 NotReady; ImageCache soon (imc-soon) is Creating 40%, not Ready',
    );
  });

  it('of a partial match names a better match that was refused', () => {
    const index = indexOf(
      cacheObject({ name: 'half', images: ['a:1'] }),
      cacheObject({ name: 'soon', images: ['a:1', 'b:1'], phase: 'Creating', progress: '40%' }),
    );
    const { explanation } = decideFor(podObject({ images: ['a:1', 'b:1'] }), index);
    expect(explanation.why).toBe(
      'ImageCache half (imc-half) holds 1 of 2 images; a better match, ImageCache soon (imc-soon), is Creating 40%, not Ready; the choice is left to ECI, which knows all caches of the region',
    );
  });

  it('names the winner and the candidate that comes next', () => {
    const { explanation } = decideFor(podObject(), indexOf(READY, cacheObject({ name: 'second', size: 25 })));
    expect(explanation.candidates.map(({ name, verdict, because }) => [name, verdict, because])).toEqual([
      ['ready', 'chosen', ''],
      ['second', 'beaten', "is smaller, as no size of the pod's images is known"],
    ]);
  });

  it('of a pod that cannot be read says where it is wrong', () => {
    const pod = podObject();
    pod['spec'] = { containers: [{ name: 'c', image: 7 }] };
    expect(decideFor(pod, indexOf()).decision).toMatchObject({
      outcome: 'skipped',
      reason: 'PodUnreadable',
      warnings: ['the pod cannot be read: spec.containers[0].image is a number; it must be a string'],
    });
  });
});

it('a decision looks up a limited number of things, whatever the images of the pod are', () => {
  const names = [
    'a',
    'registry.example/team/app',
    'INVALID NAME',
    'x@sha256:0',
    '%2e%2e/x',
    'é',
    'localhost:5000/a',
  ];
  fc.assert(
    fc.property(
      fc.array(fc.record({ name: fc.constantFrom(...names), tag: fc.nat(150) }), {
        minLength: 1,
        maxLength: 400,
      }),
      (images) => {
        const index = indexOf(cacheObject({ name: 'x', images: ['a:1', 'registry.example/team/app:1'] }));
        let lookUps = 0;
        const counting = new Proxy(index, {
          get: (target, property) => {
            const value: unknown = Reflect.get(target, property, target);
            if (typeof value !== 'function') return value;
            lookUps += 1;
            return (...args: unknown[]): unknown => Reflect.apply(value, target, args) as unknown;
          },
        });
        decideFor(podObject({ images: images.map(({ name, tag }) => `${name}:${tag}`) }), counting);
        const distinct = new Set(images.map(({ name, tag }) => `${name}:${tag}`)).size;
        expect(lookUps).toBeLessThanOrEqual(20 + 2 * Math.min(distinct, 100));
      },
    ),
    { numRuns: 300 },
  );
});
