/** The decision cache must return what a new decision would be. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decide, type Decision } from '../../src/core/decision/decide.ts';
import { explanationOf } from '../../src/core/decision/explanation.ts';
import { readPod, type Pod } from '../../src/core/pod.ts';
import { ClusterIndex } from '../../src/index/cluster-index.ts';
import { readEntry } from '../../src/sources/kinds/index-entry.ts';
import { readManifest } from '../../src/sources/kinds/manifest.ts';
import { DecisionCache, type Decided } from '../../src/webhook/decision-cache.ts';
import {
  cacheObject,
  configWith,
  namespaceObject,
  nodeObject,
  NOW,
  podObject,
  selectorObject,
  type CacheSpec,
  type ConfigChange,
  type Json,
} from '../support/objects.ts';

const MINUTE = 60_000;
const PIN = 'k8s.aliyun.com/eci-imc-id';

/** An index of a cluster, and a decision cache that reads it. */
class Cluster {
  readonly index = new ClusterIndex();
  now = NOW;
  made = 0;
  readonly #options;
  readonly #cache;

  constructor(change: ConfigChange = {}) {
    this.#options = configWith(change);
    this.#cache = new DecisionCache<Decision>(this.index, this.#options);
    this.index.confirm(NOW);
  }

  put(cache: CacheSpec): void {
    this.apply(cacheObject(cache));
  }

  apply(object: Json): void {
    readEntry(readManifest(object)).apply(this.index);
  }

  remove(object: Json): void {
    readEntry(readManifest(object)).delete(this.index);
  }

  anew(pod: Pod): Decision {
    return decide(pod, this.index, this.#options, this.now);
  }

  remembered(pod: Pod): Decision {
    const decideAnew = (): Decided<Decision> => {
      this.made++;
      const decision = this.anew(pod);
      return { answer: decision, decision };
    };
    return this.#cache.remembered(pod, this.now, decideAnew, true);
  }

  /** Whether the decision cache makes a new decision for this pod, instead of returning a remembered decision. */
  decidesAnew(pod: Pod): boolean {
    const before = this.made;
    expect(explanationOf(this.remembered(pod))).toEqual(explanationOf(this.anew(pod)));
    return this.made > before;
  }
}

it('a pod that asks to wait for its cache is decided anew each time, because a controller may come and go', () => {
  const cluster = new Cluster({ waitForCache: 'allow', createOnMiss: { by: 'controller' } });
  const pod = podWith(['a:1'], { 'imagecache-webhook.io/wait-for-cache': '5m' });
  expect([cluster.decidesAnew(pod), cluster.decidesAnew(pod)]).toEqual([true, true]);
  cluster.index.controllerLease.assume();
  expect(cluster.remembered(pod).waitMs).toBe(300_000);
});

it('pods with different scheduling gates are different pods', () => {
  const cluster = new Cluster();
  const gated = (name: string): Pod => readObject(podOf({ schedulingGates: [{ name }] }));
  expect(['x', 'y', 'x'].map((gate) => cluster.decidesAnew(gated(gate)))).toEqual([true, true, false]);
});

function readObject(object: Json): Pod {
  return readPod(object, 'default');
}

function podOf(spec: Json): Json {
  return { spec: { containers: [{ name: 'a', image: 'b' }], ...spec } };
}

function podWith(images: string[], annotations: Record<string, string> = {}): Pod {
  return readObject(podObject({ images, annotations }));
}

const image = fc.constantFrom('a:1', 'a:2', 'b:1', 'c:1');
const eci = { 'alibabacloud.com/eci': 'true' };

const object = fc.oneof(
  fc
    .record({
      name: fc.constantFrom('one', 'two', 'three', 'four', 'five', 'six'),
      images: fc.uniqueArray(image, { minLength: 1 }),
      size: fc.constantFrom(20, 30, 50),
      created: fc.constantFrom(1, 2).map((days) => new Date(NOW - days * 24 * 60 * MINUTE).toISOString()),
      phase: fc.constantFrom('Ready', 'Ready', 'Creating'),
      expires: fc.constantFrom(undefined, 1, 9, 11, 12),
      deleting: fc.boolean(),
    })
    .map(({ expires, ...cache }) =>
      cacheObject({
        ...cache,
        ...(expires !== undefined && { expires: new Date(NOW + expires * MINUTE).toISOString() }),
      }),
    ),
  fc.constantFrom({}, eci).map((labels) => namespaceObject('default', labels)),
  fc.constantFrom(10, 40).map((gib) => nodeObject('worker', {}, { 'a:1': gib * 2 ** 30 })),
  fc
    .constantFrom('1', '2')
    .map((count) =>
      selectorObject('all', { effect: { annotations: { 'k8s.aliyun.com/imc-match-count-request': count } } }),
    ),
);

const pod = fc
  .record({
    images: fc.array(image, { minLength: 1, maxLength: 3 }),
    labels: fc.constantFrom({}, eci),
    annotations: fc.constantFrom<Record<string, string>[]>(
      {},
      { [PIN]: 'imc-one' },
      { 'k8s.aliyun.com/imc-perfect-match': 'true' },
    ),
  })
  .map((spec) => readObject(podObject(spec)));

type Step =
  | { readonly apply: Json }
  | { readonly remove: Json }
  | { readonly wait: number }
  | { readonly confirm: true };
const step: fc.Arbitrary<Step> = fc.oneof(
  object.map((apply) => ({ apply })),
  object.map((remove) => ({ remove })),
  fc.constantFrom(-500, 1, 500, 30_000, MINUTE, 10 * MINUTE).map((wait) => ({ wait })),
  fc.constant({ confirm: true } as const),
);

describe('a remembered decision', () => {
  it.each([
    { pin: { notReady: 'deny' } },
    { pin: { notReady: 'warn' } },
    { pin: { notReady: 'auto' } },
    { minimumMatch: 'repository' },
  ] as const)(
    'equals the decision that would be made now, whatever has changed meanwhile (%j)',
    (options) => {
      fc.assert(
        fc.property(
          fc.array(step, { maxLength: 30, size: 'max' }),
          fc.array(pod, { minLength: 1, maxLength: 3 }),
          fc.integer({ min: 1, max: 6 }),
          (steps, pods, every) => {
            const cluster = new Cluster(options);
            for (const [i, each] of steps.entries()) {
              if ('apply' in each) cluster.apply(each.apply);
              else if ('remove' in each) cluster.remove(each.remove);
              else if ('wait' in each) cluster.now += each.wait;
              else cluster.index.confirm(cluster.now);
              // Decides only after every few steps, because several objects may change between two pods of a workload.
              if (i % every !== 0) continue;
              for (const asked of pods) cluster.decidesAnew(asked);
            }
          },
        ),
        { numRuns: 800 },
      );
    },
  );

  it('is not made again for the second pod of a workload', () => {
    const cluster = new Cluster();
    const [first, second] = ['web-1', 'web-2'].map((name) => {
      const plain = podObject({ labels: { app: 'web' } });
      return readObject({ ...plain, metadata: { ...(plain['metadata'] as Json), name } });
    });
    expect([cluster.decidesAnew(first!), cluster.decidesAnew(second!)]).toEqual([true, false]);
  });

  it('never comes from a dry run, but is given to a later dry run', () => {
    const index = new ClusterIndex();
    index.confirm(NOW);
    const cache = new DecisionCache<string>(index, configWith());
    const asked = podWith(['web:1']);
    const ask = (answer: string, isKept: boolean): string =>
      cache.remembered(
        asked,
        NOW,
        () => ({ answer, decision: decide(asked, index, configWith(), NOW) }),
        isKept,
      );
    expect([ask('dry', false), ask('first', true), ask('dry again', false), ask('second', true)]).toEqual([
      'dry',
      'first',
      'first',
      'first',
    ]);
  });

  it('is still kept after 1900 other decisions, and forgotten after 6000 more', () => {
    const cluster = new Cluster();
    const web = podWith(['web:1']);
    const decideOnOthers = (count: number): void => {
      for (let i = 0; i < count; i++) cluster.remembered(podWith([`other-${cluster.made}:1`]));
    };
    cluster.remembered(web);
    decideOnOthers(1900);
    expect(cluster.decidesAnew(web)).toBe(false);
    decideOnOthers(6000);
    expect(cluster.decidesAnew(web)).toBe(true);
  });

  it.each<[string, (length: number) => Json]>([
    ['in an annotation', (length) => podObject({ annotations: { note: 'x'.repeat(length) } })],
    ['in a label', (length) => podObject({ labels: { note: 'x'.repeat(length) } })],
    ['in its node selector', (length) => podOf({ nodeSelector: { note: 'x'.repeat(length) } })],
    ['in the name of its node', (length) => podOf({ nodeName: 'x'.repeat(length) })],
    ['in an image', (length) => podObject({ images: ['x'.repeat(length)] })],
    ['in a pull policy', (length) => podObject({ images: ['a:1'], pullPolicy: 'x'.repeat(length) })],
    [
      'in text that JSON escapes',
      (length) => podObject({ annotations: { note: '\u0001'.repeat(length / 5) } }),
    ],
    [
      'in many containers',
      (length) =>
        podOf({ containers: Array.from({ length: length / 20 }, () => ({ name: 'a', image: 'b' })) }),
    ],
  ])(
    'is not kept for a pod with too much text %s: thousands of those pods would fill the memory',
    (_where, make) => {
      const cluster = new Cluster();
      const asked = (length: number): boolean => cluster.decidesAnew(readObject(make(length)));
      expect([asked(1000), asked(1000)]).toEqual([true, false]);
      expect([asked(10_000), asked(10_000)]).toEqual([true, true]);
    },
  );

  it.each([
    ['one annotation that looks like two, and two annotations', { a: 'b","c","d' }, { a: 'b', c: 'd' }],
    ['one annotation with two different values', { a: '1' }, { a: '2' }],
  ])('is not given to a pod with other annotations: %s', (_title, one, two) => {
    const cluster = new Cluster();
    expect(cluster.decidesAnew(podWith(['a:1'], one))).toBe(true);
    expect(cluster.decidesAnew(podWith(['a:1'], two as Record<string, string>))).toBe(true);
  });

  describe('while caches come and go', () => {
    const BOTH = ['web:1', 'sidecar:1'];

    it('outlives a change to a cache that shares fewer images with the pod than the chosen cache', () => {
      const cluster = new Cluster();
      const asked = podWith(BOTH);
      cluster.put({ name: 'web', images: BOTH });
      expect(cluster.decidesAnew(asked)).toBe(true);
      cluster.put({ name: 'other', images: ['other:1', 'sidecar:1'] });
      cluster.put({ name: 'failed', images: ['other:1', 'sidecar:1'], phase: 'Failed' });
      expect(cluster.decidesAnew(asked)).toBe(false);
      cluster.put({ name: 'web', images: BOTH, phase: 'Updating' });
      expect(cluster.decidesAnew(asked)).toBe(true);
    });

    it.each(['deny', 'warn', 'auto'] as const)(
      'ends when a pinned cache that was not Ready becomes Ready, with pin.notReady: %s',
      (notReady) => {
        const cluster = new Cluster({ pin: { notReady } });
        const asked = podWith(BOTH, { [PIN]: 'imc-pinned' });
        // The pinned cache holds none of the pod's images, so only the pin connects it with the pod.
        cluster.put({ name: 'pinned', images: ['unrelated:1'], phase: 'Creating' });
        cluster.put({ name: 'web', images: BOTH });
        expect(cluster.remembered(asked).reason).not.toBe('Pinned');
        cluster.put({ name: 'pinned', images: ['unrelated:1'] });
        expect(cluster.remembered(asked).reason).toBe('Pinned');
      },
    );

    it('of a miss ends when a cache with another version comes, if minimumMatch is repository', () => {
      const cluster = new Cluster({ minimumMatch: 'repository' });
      const asked = podWith(['web:1']);
      expect(cluster.remembered(asked).outcome).toBe('miss');
      cluster.put({ name: 'unrelated', images: ['other:1'] });
      expect(cluster.decidesAnew(asked)).toBe(false);
      cluster.put({ name: 'web', images: ['web:2'] });
      expect(cluster.remembered(asked).outcome).toBe('partial');
    });

    it.each([0, 10, 40, 70, 100, 200, 10_000])(
      'ends with a change that matters, also if %i changes follow that do not matter',
      (others) => {
        const cluster = new Cluster();
        const asked = podWith(BOTH);
        cluster.put({ name: 'web', images: BOTH, size: 30 });
        expect(cluster.remembered(asked).cache?.name).toBe('web');
        cluster.put({ name: 'better', images: BOTH, size: 20 });
        for (let i = 0; i < others; i++) cluster.put({ name: `other-${i}`, images: [`other:${i}`] });
        expect(cluster.remembered(asked).cache?.name).toBe('better');
      },
    );
  });

  describe('as time passes', () => {
    const expiringIn = (minutes: number): CacheSpec => ({
      name: 'web',
      images: ['web:1'],
      expires: new Date(NOW + minutes * MINUTE).toISOString(),
    });

    it('ends when its cache enters the expiry margin, and when its cache expires', () => {
      const cluster = new Cluster({ expiryMarginMs: 10 * MINUTE, maxStalenessMs: 100 * MINUTE });
      cluster.put(expiringIn(30));
      const asked = podWith(['web:1']);
      const at = (ms: number): string => {
        cluster.now = NOW + ms;
        return `${String(cluster.decidesAnew(asked))} ${cluster.remembered(asked).outcome}`;
      };
      expect(at(0)).toBe('true hit');
      expect(at(20 * MINUTE - 1)).toBe('false hit');
      expect(at(20 * MINUTE)).toBe('true miss');
      expect(at(30 * MINUTE - 1)).toBe('false miss');
      expect(at(30 * MINUTE)).toBe('true miss');
      expect(at(50 * MINUTE)).toBe('false miss');
    });

    it('ends when the clock is set back to before the expiry', () => {
      const cluster = new Cluster({ expiryMarginMs: 0, maxStalenessMs: 100 * MINUTE });
      cluster.put(expiringIn(30));
      const asked = podWith(['web:1']);
      cluster.now = NOW + 31 * MINUTE;
      expect(cluster.remembered(asked).outcome).toBe('miss');
      cluster.now = NOW;
      expect(cluster.remembered(asked).outcome).toBe('hit');
    });

    it('is not used while the index is stale, and is used again once the index is confirmed', () => {
      const cluster = new Cluster({ maxStalenessMs: MINUTE });
      const asked = podWith(['web:1']);
      expect(cluster.decidesAnew(asked)).toBe(true);
      cluster.now = NOW + 2 * MINUTE;
      expect(cluster.remembered(asked).reason).toBe('IndexStale');
      cluster.index.confirm(cluster.now);
      expect(cluster.decidesAnew(asked)).toBe(false);
    });
  });
});
