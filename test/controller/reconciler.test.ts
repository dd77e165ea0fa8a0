/** What the reconciler does and when, with a cluster in memory and a clock that moves only when a test advances it. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Cluster, Written } from '../../src/controller/cluster.ts';
import { Reconciler } from '../../src/controller/reconciler.ts';
import type { OwnCache } from '../../src/core/controller/own-cache.ts';
import { Lives } from '../../src/core/controller/lives.ts';
import type { UsageById } from '../../src/core/controller/uses.ts';
import { readWatchedPod, type WatchedPod } from '../../src/core/controller/watched-pod.ts';
import { readManifest } from '../../src/sources/kinds/manifest.ts';
import { readImageCache } from '../../src/sources/kinds/image-cache.ts';
import { readLives, templateOf } from '../../src/core/decision/pod-life.ts';
import type { JsonObject } from '../../src/core/kubernetes/json.ts';
import type { ClusterIndex } from '../../src/index/cluster-index.ts';
import { FakeClock } from '../support/clock.ts';
import { eventually } from '../support/eventually.ts';
import { RULES } from '../support/misses.ts';
import { ownCache } from '../support/own-cache.ts';
import { cacheObject, configWith, decideFor, indexOf, podObject, type Json } from '../support/objects.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DECISION = configWith({ createOnMiss: { when: 'no-match', by: 'controller' } });
const OPTIONS = {
  quota: 3,
  idleAfter: 30 * 24 * 60 * MINUTE,
  retireWait: 2 * MINUTE,
  packing: false,
  missesBefore: 1,
  refresh: 'never' as const,
  snapshotCopies: false,
  tenantCreationsPerHour: 100,
  creationsPerHour: 100,
  tenantLabel: '',
  reuse: false,
  flash: false,
  retentionDays: undefined,
  decision: DECISION,
  misses: { ...RULES, decision: DECISION, exceptNamespaces: new Set<string>() },
  prewarm: undefined,
  longestRest: 60_000,
};

let clock: FakeClock;
let index: ClusterIndex;
let pods: WatchedPod[];
let own: OwnCache[];
/** Gives the answer to each creation. */
let answer: (image: string) => Promise<Written>;
let confirmedAt: () => number | undefined;
let created: string[];
let deleted: string[];
/** The annotations that were written, by cache. */
let annotated: [string, Readonly<Record<string, string | null>>][];
let uses: UsageById;
/** Called before a cache is deleted. */
let beforeDeletion: () => void;
let refuseDeletion: boolean;
let problems: string[];
let told: string[];
let events: string[];
/** The pods as the API server has them, by name, and how they were changed. */
let objects: Map<string, Json>;
let patched: Map<string, JsonObject>;
let answerPatch: (name: string) => Promise<Written>;
let lives: Lives;
let publications: string[];
let publish: (text: string) => Promise<Written>;
let reconciler: Reconciler;
let stopping: AbortController;
let running: Promise<void>;

const cluster: Cluster = {
  pods: () => pods,
  takeUses: () => {
    const taken = uses;
    uses = new Map();
    return taken;
  },
  moved: () => [],
  ownCaches: () => own,
  lives: (now, published) => lives.expected(pods, published, now),
  patchPod: async ({ name }, patchOf) => {
    const answered = await answerPatch(name);
    const object = objects.get(name);
    const patch = answered === 'done' && object ? patchOf(object) : undefined;
    if (patch) patched.set(name, patch);
    if (patch) pods = pods.filter(({ subject }) => subject.name !== name);
    return answered;
  },
  publishLives: (text) => {
    publications.push(text);
    return publish(text);
  },
  workloads: () => [],
  pullSecretsOf: () => [],
  confirmedAtMs: () => confirmedAt(),
  create: async (object: JsonObject) => {
    const image = ((object['spec'] as Json)['images'] as string[]).join();
    created.push(image);
    const answered = await answer(image);
    const { name } = object['metadata'] as { name: string };
    if (answered === 'done') own = [...own, ownCache(name, clock.now(), { id: undefined, phase: '' })];
    return answered;
  },
  annotate: ({ name }, annotations) => {
    annotated.push([name, annotations]);
    const mark = annotations['imagecache-webhook.io/retiring'];
    if (mark !== undefined) {
      const retiring = mark === null ? undefined : { reason: 'Quota' as const, sinceMs: clock.now() };
      own = own.map((each) => (each.name === name ? { ...each, retiring } : each));
      // As the watch does when it delivers the change.
      reconciler.wake();
    }
    return Promise.resolve('done');
  },
  delete: ({ name }) => {
    beforeDeletion();
    deleted.push(name);
    if (refuseDeletion) return Promise.resolve({ refused: 'by policy' });
    own = own.filter((each) => each.name !== name);
    return Promise.resolve('done');
  },
  recordEvent: (_about, _type, reason) => told.push(reason),
};

const ON_NODE = (image: string): Json => ({
  containers: [{ name: 'c', image }],
  nodeName: 'virtual-kubelet',
});

/** A pod as the webhook left it, which missed a cache just now. */
function missing(image: string): WatchedPod {
  const object = podObject({ images: [image], spec: ON_NODE(image) });
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

function start(options = OPTIONS): void {
  reconciler = new Reconciler(
    cluster,
    index,
    options,
    {
      onCreated: (name) => events.push(`created ${name}`),
      onMerge: ({ name }) => events.push(`merged ${name}`),
      onRefresh: (name) => events.push(`refreshed ${name}`),
      onMarked: ({ reason }) => events.push(`marked ${reason}`),
      onUnmarked: ({ name }) => events.push(`unmarked ${name}`),
      onDeleted: ({ reason }) => events.push(`deleted ${reason}`),
      onReady: ({ name }, seconds) => events.push(`ready ${name} ${seconds}`),
      onFailed: ({ name }) => events.push(`failed ${name}`),
      onRefused: () => undefined,
      onWaitEnded: ({ end }, seconds) => events.push(`waited ${seconds} ${end}`),
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
  answer = () => Promise.resolve('done');
  [uses, annotated, beforeDeletion, refuseDeletion] = [new Map(), [], () => undefined, false];
  [pods, own] = [[], []];
  [created, deleted, problems, told, events] = [[], [], [], [], []];
  [objects, patched] = [new Map(), new Map()];
  answerPatch = () => Promise.resolve('done');
  [lives, publications] = [new Lives(), []];
  publish = (text) => {
    index.lives.set(readLives(text));
    reconciler.wake();
    return Promise.resolve('done');
  };
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
    for (let i = 0; i < 4; i++) {
      reconciler.wake();
      await pass(1000);
    }
    expect(created).toEqual(['a:1']);
    expect(problems).toEqual([expect.stringContaining('is refused by the API server: no such image')]);
    expect(told).toEqual([]);
  });

  it('is tried again less and less often, because its cause may be gone by then', async () => {
    start();
    await settled();
    await pass(4000);
    expect(created).toHaveLength(1);
    await pass(2000);
    expect(created).toHaveLength(2);
    await pass(9000);
    expect(created).toHaveLength(2);
    answer = () => Promise.resolve('done');
    await pass(2000);
    expect(created).toHaveLength(3);
    expect(events).toEqual([expect.stringMatching(/^created auto-/)]);
  });

  it('keeps no other cache from being made', async () => {
    answer = (image) => Promise.resolve(image === 'a:1' ? { refused: 'by policy' } : 'done');
    pods = ['a:1', 'b:1', 'c:1'].map(missing);
    start();
    await settled();
    expect(created.toSorted()).toEqual(['a:1', 'b:1', 'c:1']);
    expect(events).toHaveLength(2);
  });
});

it('an API server that answers nobody is reported once, and each further try comes after a longer wait', async () => {
  answer = () => Promise.reject(new Error('no answer'));
  pods = ['a:1', 'b:1', 'c:1'].map(missing);
  start();
  await settled();
  expect(created).toHaveLength(3);
  expect(problems.at(-1)).toBe('no answer');
  expect(clock.waits()).toEqual([1000]);
});

it('one object whose creation gets no answer keeps no other from being made', async () => {
  answer = (image) => (image === 'a:1' ? Promise.reject(new Error('no answer')) : Promise.resolve('done'));
  pods = ['a:1', 'b:1', 'c:1'].map(missing);
  start();
  await settled();
  await pass(60_000);
  expect(events).toHaveLength(2);
  expect(created.filter((image) => image === 'a:1').length).toBeLessThan(6);
});

it('no cache is made in the place of one whose deletion was refused', async () => {
  own = ['a', 'b', 'c'].map((name) =>
    ownCache(name, clock.now() - MINUTE, {
      createdAtMs: clock.now() - 2 * HOUR,
      expiresAtMs: name === 'a' ? clock.now() - 1 : undefined,
    }),
  );
  refuseDeletion = true;
  pods = [missing('z:1')];
  start();
  await settled();
  expect([deleted, created]).toEqual([['a'], []]);
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

describe('at the quota', () => {
  const old = (name: string, ago: number): OwnCache =>
    ownCache(name, clock.now() - ago, { createdAtMs: clock.now() - 2 * HOUR });
  const pinning = (id: string): WatchedPod =>
    readWatchedPod(
      podObject({ annotations: { 'k8s.aliyun.com/eci-imc-id': id }, spec: ON_NODE('pinned:1') }),
    );
  beforeEach(() => {
    own = ['a', 'b', 'c'].map((name, i) => old(name, (3 - i) * MINUTE));
    index = indexOf(...['a', 'b', 'c'].map((name) => cacheObject({ name, images: [`${name}:1`] })));
    index.confirm(clock.now());
  });

  it('the least recently used cache is marked, deleted after the wait, and only then another is made', async () => {
    pods = [missing('z:1')];
    start();
    await settled();
    expect(annotated).toEqual([['a', { 'imagecache-webhook.io/retiring': 'Quota 2026-11-25T12:00:00Z' }]]);
    await pass(115_000);
    expect([deleted, created]).toEqual([[], []]);
    await pass(10_000);
    expect([deleted, created]).toEqual([['a'], ['z:1']]);
    expect(events).toEqual(['marked Quota', 'deleted Quota', expect.stringMatching(/^created auto-/)]);
  });

  it('a cache that a pod starts from is neither marked nor deleted, even if there is no place for another', async () => {
    pods = [missing('z:1'), ...['a', 'b', 'c'].map((name) => pinning(`imc-${name}`))];
    start();
    await settled();
    await pass(5 * MINUTE);
    expect([
      annotated.filter(([, each]) => 'imagecache-webhook.io/retiring' in each),
      deleted,
      created,
    ]).toEqual([[], [], []]);
    expect(told).toContain('ImageCacheMissed');
  });

  it('a marked cache that a pod points to at the end of the wait is kept, and its mark is taken back', async () => {
    pods = [missing('z:1')];
    start();
    await settled();
    pods = [...pods, pinning('imc-a')];
    await pass(125_000);
    expect(events).toContain('unmarked a');
    expect(deleted).not.toContain('a');
  });

  it('the pods are looked at again before each deletion', async () => {
    own = own.map((each) => ({ ...each, retiring: { reason: 'Idle' as const, sinceMs: 0 } }));
    beforeDeletion = () => {
      pods = [pinning('imc-b'), pinning('imc-c')];
    };
    start();
    await settled();
    await pass(125_000);
    expect(deleted).toEqual(['a']);
  });

  it('a mark of an earlier leader, whose clock may differ, is waited for from when this leader sees it', async () => {
    own = own.map((each) => ({ ...each, retiring: { reason: 'Idle' as const, sinceMs: 0 } }));
    start();
    await settled();
    await pass(60_000);
    expect(deleted).toEqual([]);
  });

  it('nothing is deleted if the pods have become stale meanwhile', async () => {
    own = own.map((each) => ({ ...each, retiring: { reason: 'Idle' as const, sinceMs: 0 } }));
    const seen = clock.now();
    beforeDeletion = () => {
      confirmedAt = () => seen;
    };
    start();
    await settled();
    await pass(125_000);
    expect(deleted).toEqual(['a']);
  });
});

it('the use of a cache is recorded once pods have got it, and not what came before this leader', async () => {
  own = [ownCache('a', clock.now() - HOUR)];
  uses = new Map([
    ['imc-a', { pods: 99, lastAtMs: clock.now() - HOUR, namespaces: new Set(), sets: new Map() }],
  ]);
  start();
  await settled();
  uses = new Map([
    ['imc-a', { pods: 2, lastAtMs: clock.now(), namespaces: new Set(), sets: new Map([['a', clock.now()]]) }],
  ]);
  reconciler.wake();
  await pass(1000);
  expect(annotated).toEqual([
    [
      'a',
      {
        'imagecache-webhook.io/last-used': '2026-11-25T12:00:00Z',
        'imagecache-webhook.io/hits': '2',
        'imagecache-webhook.io/image-sets': expect.stringContaining('2026-11-25T12:00:00Z') as string,
      },
    ],
  ]);
});

it('misses that get no cache are told of once for each namespace, however many they are', async () => {
  pods = Array.from({ length: 300 }, (_, i) => missing(`app-${i}:1`));
  start();
  await settled();
  expect(created).toHaveLength(3);
  expect(told.filter((reason) => reason === 'ImageCacheMissed')).toHaveLength(3 + 1);
  reconciler.wake();
  await pass(5000);
  expect(told.filter((reason) => reason === 'ImageCacheMissed')).toHaveLength(3 + 1);
});

describe('the lives of pods', () => {
  const AUTO = configWith({ createOnMiss: { by: 'auto' } });
  const options = { ...OPTIONS, decision: AUTO, misses: { ...OPTIONS.misses, decision: AUTO } };
  const end = (seconds: number): void => lives.add(missing('a:1'), seconds * 1000, true, clock.now());
  const published = (): string[] => publications.map((text) => /"seconds":(\d+)/.exec(text)![1]!);

  it('are published once they have changed, and at most every half minute', async () => {
    start(options);
    await settled();
    end(60);
    reconciler.wake();
    await pass(20_000);
    expect(published()).toEqual([]);
    await pass(12_000);
    expect(published()).toEqual(['60']);
    end(600);
    reconciler.wake();
    await pass(20_000);
    expect(published()).toEqual(['60']);
    await pass(12_000);
    expect(published()).toEqual(['60', '330']);
  });

  it('are not published if ECI or the controller makes all caches', async () => {
    end(60);
    start();
    await settled();
    expect(publications).toEqual([]);
  });

  it('that the API server does not take are reported once, tried again, and keep nothing else from being done', async () => {
    let written: Written = { refused: 'configmaps is forbidden' };
    publish = () => Promise.resolve(written);
    end(60);
    pods = [missing('a:1')];
    start(options);
    await settled();
    await pass(65_000);
    expect(problems).toEqual(['the lives of pods cannot be published: configmaps is forbidden']);
    expect(publications.length).toBeGreaterThanOrEqual(2);
    written = 'done';
    publish = () => Promise.reject(new Error('no answer'));
    reconciler.wake();
    await pass(65_000);
    expect(problems.slice(1)).toEqual(['the lives of pods cannot be published: no answer']);
  });

  it('decide whether the controller makes a cache for a pod', async () => {
    pods = [missing('a:1')];
    start(options);
    await settled();
    expect(created).toEqual([]);
    for (let i = 0; i < 3; i++) end(60);
    await pass(61_000);
    expect(created).toEqual(['a:1']);
  });
});

describe('a pod that waits for its cache', () => {
  const WAIT = 'imagecache-webhook.io/wait-for-cache';
  const WAITING = configWith({ waitForCache: 'allow', createOnMiss: { by: 'controller' } });
  const options = { ...OPTIONS, decision: WAITING, misses: { ...OPTIONS.misses, decision: WAITING } };

  /** A pod as the webhook left it, which waits for its cache. */
  function wait(name: string, longest = '5m', decision = WAITING): void {
    const object = podObject({ images: ['a:1'], annotations: { [WAIT]: longest } });
    index.controllerLease.assume();
    const { annotations, labels } = decideFor(object, index, decision, clock.now());
    const creationTimestamp = new Date(clock.now()).toISOString();
    const metadata = {
      ...(object['metadata'] as Json),
      name,
      uid: name,
      annotations,
      labels,
      creationTimestamp,
    };
    const spec = { ...(object['spec'] as Json), schedulingGates: [{ name: WAIT }] };
    objects.set(name, { ...object, metadata, spec });
    pods = [...pods, readWatchedPod(objects.get(name)!)];
  }
  const made = (phase: string): void => {
    index.imageCaches.apply(readImageCache(readManifest(cacheObject({ name: 'x', images: ['a:1'], phase }))));
    reconciler.wake();
  };

  it('goes once its cache is Ready, and Events say that it waits, and how long it has waited', async () => {
    wait('a');
    start(options);
    await settled();
    expect([created, [...patched], told.includes('WaitingForImageCache')]).toEqual([['a:1'], [], true]);
    await pass(20_000);
    made('Ready');
    await pass(1000);
    expect(patched.get('a')).toMatchObject({ spec: { schedulingGates: [] } });
    expect(events.at(-1)).toMatch(/^waited 2\d(\.\d+)? Ready$/);
    expect(told.at(-1)).toBe('WaitedForImageCache');
  });

  it('keeps its cache with createOnMiss.by: auto, although pods of its template live too long for one', async () => {
    const auto = configWith({ waitForCache: 'allow', createOnMiss: { by: 'auto' } });
    const { pod } = missing('a:1').content!;
    const long = { seconds: 36_000, ended: 10, cpu: 2, memoryGib: 4, learnedAtMs: clock.now() };
    index.lives.set(new Map([[templateOf(pod), long]]));
    wait('a', '5m', auto);
    start({ ...options, decision: auto, misses: { ...options.misses, decision: auto } });
    await settled();
    reconciler.wake();
    await pass(10_000);
    expect([created, deleted, patched.size]).toEqual([['a:1'], [], 0]);
    made('Ready');
    await pass(2000);
    expect([events.filter((each) => each.startsWith('marked')), patched.size]).toEqual([[], 1]);
  });

  it('is the only one for which the controller makes a cache, if its template lives too long for one', async () => {
    const auto = configWith({ waitForCache: 'allow', createOnMiss: { by: 'auto' } });
    index.controllerLease.assume();
    const object = podObject({ images: ['a:1'], spec: ON_NODE('a:1'), annotations: { [WAIT]: '5m' } });
    const { annotations } = decideFor(object, index, { ...auto, waitForCache: 'never' }, clock.now());
    const creationTimestamp = new Date(clock.now()).toISOString();
    const metadata = { ...(object['metadata'] as Json), uid: 'a', annotations, creationTimestamp };
    pods = [readWatchedPod({ ...object, metadata })];
    start({ ...options, decision: auto, misses: { ...options.misses, decision: auto } });
    await settled();
    expect(created).toEqual([]);
  });

  it('goes when its time is up, although nothing else happens', async () => {
    wait('a', '30s');
    answer = () => Promise.resolve('outdated');
    start(options);
    await pass(29_000);
    expect(patched.size).toBe(0);
    await pass(2000);
    expect(events).toContainEqual(expect.stringMatching(/^waited 30(\.\d+)? TimeIsUp$/));
  });

  it('goes at once if the API server refuses its cache', async () => {
    wait('a');
    answer = () => Promise.resolve({ refused: 'no' });
    start(options);
    await pass(3000);
    expect(events).toContainEqual(expect.stringMatching(/^waited .* Failed$/));
  });

  it('is tried again if it cannot be changed, and the others go meanwhile', async () => {
    for (const name of ['a', 'b', 'c']) wait(name);
    answerPatch = (name) => Promise.resolve(name === 'b' ? { refused: 'no' } : 'done');
    start(options);
    await settled();
    made('Ready');
    await pass(2000);
    expect([...patched.keys()].toSorted()).toEqual(['a', 'c']);
    answerPatch = () => Promise.reject(new Error('no answer'));
    await pass(10_000);
    answerPatch = () => Promise.resolve('done');
    await pass(20_000);
    expect(problems).toEqual(['pod default/b waits for its cache, and cannot be let go: no']);
    expect([...patched.keys()].toSorted()).toEqual(['a', 'b', 'c']);
  });
});

it('other work gets a turn after every 500 decisions', async () => {
  pods = Array.from({ length: 1600 }, (_, i) => missing(`app-${i}:1`));
  let turns = 0;
  let isOver = false;
  const count = (): void => {
    turns += 1;
    if (!isOver) setImmediate(count);
  };
  start();
  setImmediate(count);
  await eventually(() => expect(created.length).toBeGreaterThan(0));
  isOver = true;
  expect(turns).toBeGreaterThanOrEqual(3);
});

it.each([1, 2])(
  'once the leadership is over, no further cache is made, and the run ends (%i misses)',
  async (misses) => {
    pods = ['a:1', 'b:1'].slice(0, misses).map(missing);
    answer = () => {
      stopping.abort();
      return Promise.resolve('done');
    };
    start();
    await running;
    expect(created).toHaveLength(1);
  },
);
