/** What the reconciler does and when, with a cluster in memory and a clock that moves only when a test advances it. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Reconciler, type Cluster } from '../../src/controller/reconciler.ts';
import type { OwnCache } from '../../src/core/controller/own-cache.ts';
import { readWatchedPod, type WatchedPod } from '../../src/core/controller/watched-pod.ts';
import type { JsonObject } from '../../src/core/kubernetes/json.ts';
import type { ClusterIndex } from '../../src/index/cluster-index.ts';
import { FakeClock } from '../support/clock.ts';
import { eventually } from '../support/eventually.ts';
import { ownCache } from '../support/own-cache.ts';
import { cacheObject, configWith, decideFor, indexOf, podObject, type Json } from '../support/objects.ts';

const MINUTE = 60_000;
const OPTIONS = {
  quota: 3,
  idleAfter: 30 * 24 * 60 * MINUTE,
  reuse: false,
  flash: false,
  retentionDays: undefined,
  decision: configWith({ createOnMiss: { when: 'no-match', by: 'controller' } }),
  credentials: { publicRegistries: [], privateImages: 'namespace' as const },
  prewarm: undefined,
};

type Answer = Awaited<ReturnType<Cluster['create']>>;

let clock: FakeClock;
let index: ClusterIndex;
let pods: WatchedPod[];
let own: OwnCache[];
/** Gives the answer to each creation. */
let answer: () => Promise<Answer>;
let confirmedAt: () => number | undefined;
let created: string[];
let deleted: string[];
let problems: string[];
let told: string[];
let events: string[];
let reconciler: Reconciler;
let stopping: AbortController;
let running: Promise<void>;

const cluster: Cluster = {
  markedPods: () => pods,
  pendingPods: () => pods,
  ownCaches: () => own,
  workloads: () => [],
  pullSecretsOf: () => [],
  confirmedAtMs: () => confirmedAt(),
  create: (object: JsonObject) => {
    created.push(((object['spec'] as Json)['images'] as string[]).join());
    return answer();
  },
  delete: ({ name }) => {
    deleted.push(name);
    own = own.filter((each) => each.name !== name);
    return Promise.resolve(true);
  },
  recordEvent: (_about, _type, reason) => told.push(reason),
};

/** A pod as the webhook left it, which missed a cache just now. */
function missing(image: string): WatchedPod {
  const object = podObject({ images: [image] });
  const { annotations } = decideFor(object, index, OPTIONS.decision, clock.now());
  const metadata = {
    ...(object['metadata'] as Json),
    name: image,
    uid: image,
    annotations,
    creationTimestamp: new Date(clock.now()).toISOString(),
  };
  return readWatchedPod({ ...object, metadata });
}

function start(): void {
  reconciler = new Reconciler(
    cluster,
    index,
    OPTIONS,
    {
      onCreated: (name) => events.push(`created ${name}`),
      onDeleted: ({ reason }) => events.push(`deleted ${reason}`),
      onReady: ({ name }, seconds) => events.push(`ready ${name} ${seconds}`),
      onFailed: ({ name }) => events.push(`failed ${name}`),
      onRefused: () => undefined,
      onProblem: (problem) => problems.push(problem),
    },
    clock,
  );
  running = reconciler.run(stopping.signal);
}

beforeEach(() => {
  clock = new FakeClock();
  index = indexOf();
  index.confirm(clock.now());
  confirmedAt = () => clock.now();
  answer = () => Promise.resolve('created');
  [pods, own] = [[], []];
  [created, deleted, problems, told, events] = [[], [], [], [], []];
  stopping = new AbortController();
});
afterEach(async () => {
  stopping.abort();
  await running;
});

/** Waits until the reconciler has finished its work and waits for the next run. */
async function settled(): Promise<void> {
  await clock.advance(0);
  await eventually(() => expect(clock.waits()).toHaveLength(1));
}

/** Moves the clock, and confirms the index every second, as the API server does. */
async function pass(milliseconds: number): Promise<void> {
  for (let left = milliseconds; left > 0; left -= 1000) {
    await clock.advance(Math.min(left, 1000));
    index.confirm(clock.now());
  }
}

describe('a miss', () => {
  it('has a cache made, and is reported by Events on its pod', async () => {
    pods = [missing('a:1')];
    start();
    await settled();
    expect(created).toEqual(['a:1']);
    expect(told).toEqual(['ImageCacheMissed', 'ImageCacheAutoCreated']);
    expect(events).toEqual([expect.stringMatching(/^created auto-/)]);
  });

  it('that comes later is handled when the reconciler is woken, after a short wait for further changes', async () => {
    start();
    await settled();
    pods = [missing('b:1')];
    reconciler.wake();
    await clock.advance(100);
    expect(created).toEqual([]);
    await clock.advance(100);
    await settled();
    expect(created).toEqual(['b:1']);
  });
});

describe('a creation that the API server refuses for good', () => {
  beforeEach(() => {
    answer = () => Promise.resolve({ refused: 'no such image' });
    pods = [missing('a:1')];
  });

  it('is reported once, and not tried again at each wake', async () => {
    start();
    await settled();
    for (let i = 0; i < 5; i++) {
      reconciler.wake();
      await pass(1000);
    }
    expect(created).toEqual(['a:1']);
    expect(problems).toEqual([expect.stringContaining('is refused by the API server: no such image')]);
    expect(told).toEqual([]);
  });

  it('is tried again five minutes later, because its cause may be gone by then', async () => {
    start();
    await settled();
    await pass(4 * MINUTE);
    expect(created).toHaveLength(1);
    answer = () => Promise.resolve('created');
    await pass(2 * MINUTE);
    expect(created).toHaveLength(2);
    expect(events).toEqual([expect.stringMatching(/^created auto-/)]);
  });
});

it('a fault is reported once, and each further try comes after a longer wait', async () => {
  answer = () => Promise.reject(new Error('no answer'));
  pods = [missing('a:1')];
  start();
  const waits: number[] = [];
  for (let i = 0; i < 7; i++) {
    await settled();
    const [wait = 0] = clock.waits();
    waits.push(wait);
    await clock.advance(wait);
    index.confirm(clock.now());
  }
  expect(waits).toEqual([1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
  expect(problems).toEqual(['no answer']);
});

describe('the reconciler makes nothing if', () => {
  it.each<[string, () => void, string]>([
    ['the index is stale', () => (index = indexOf()), 'the cluster was last confirmed more than 60 s ago'],
    [
      'the pods are stale',
      () => (confirmedAt = () => clock.now() - 61_000),
      'the cluster was last confirmed more',
    ],
    [
      'the pods have never been read',
      () => (confirmedAt = () => undefined),
      'the cluster has not been read yet',
    ],
  ])('%s', async (_title, age, problem) => {
    pods = [missing('a:1')];
    age();
    start();
    await settled();
    expect(created).toEqual([]);
    expect(problems).toEqual([expect.stringContaining(problem)]);
  });
});

describe('the phases of the controller’s caches', () => {
  it('are reported when they change, and not at the start', async () => {
    own = [ownCache('old', clock.now()), ownCache('new', clock.now(), { phase: 'Creating' })];
    start();
    await settled();
    expect(events).toEqual([]);
    own = [own[0]!, { ...own[1]!, phase: 'Ready', updatedAtMs: own[1]!.createdAtMs + 90_000 }];
    reconciler.wake();
    await pass(1000);
    expect(events).toEqual(['ready new 90']);
    own = [ownCache('old', clock.now(), { phase: 'Failed' }), own[1]!];
    reconciler.wake();
    await pass(1000);
    expect(events).toEqual(['ready new 90', 'failed old']);
  });
});

it('beyond the quota the least recently used cache is deleted before another is made', async () => {
  own = ['a', 'b', 'c'].map((name, i) =>
    ownCache(name, clock.now(), { lastUsedAtMs: clock.now() - (3 - i) * MINUTE }),
  );
  pods = [missing('z:1')];
  start();
  await settled();
  expect([deleted, created]).toEqual([['a'], ['z:1']]);
  expect(events).toEqual(['deleted Quota', expect.stringMatching(/^created auto-/)]);
});

it('a cache that a pending pod starts from is not deleted, even if there is no room for another', async () => {
  own = ['a', 'b', 'c'].map((name) => ownCache(name, clock.now(), { lastUsedAtMs: clock.now() - MINUTE }));
  const using = ['a', 'b', 'c'].map((name) =>
    readWatchedPod(podObject({ annotations: { 'k8s.aliyun.com/eci-imc-id': `imc-${name}` } })),
  );
  index = indexOf(...['a', 'b', 'c'].map((name) => cacheObject({ name, images: [`${name}:1`] })));
  index.confirm(clock.now());
  pods = [missing('z:1'), ...using];
  start();
  await settled();
  expect([deleted, created]).toEqual([[], []]);
  expect(told).toContain('ImageCacheMissed');
});

it.each([1, 2])(
  'once the leadership is over, no further cache is made, and the run ends (%i misses)',
  async (misses) => {
    pods = ['a:1', 'b:1'].slice(0, misses).map(missing);
    answer = () => {
      stopping.abort();
      return Promise.resolve('created');
    };
    start();
    await running;
    expect(created).toHaveLength(1);
  },
);
