/** What the controller's pod stores keep, share and report. */
import { beforeEach, describe, expect, it } from 'vitest';
import { PodContents, PodStore } from '../../../src/sources/kubernetes/pod-store.ts';
import { podObject, type Json } from '../../support/objects.ts';

const DAY = 86_400_000;
const NOW = Date.parse('2026-11-30T12:00:00Z');
const MARKED = { 'imagecache-webhook.io/create-on-miss': '0'.repeat(32) };

let contents: PodContents;
let store: PodStore;
let changes: number;
let news: string[];
let gone: string[];
let lives: [string, number, boolean][];
let now: number;
beforeEach(() => {
  contents = new PodContents();
  [changes, news, gone, lives, now] = [0, [], [], [], NOW];
  store = new PodStore(contents, {
    onChange: () => (changes += 1),
    onNew: ({ subject }) => news.push(subject.name),
    onGone: ({ subject }) => gone.push(subject.name),
    onLife: ({ subject }, ...life) => lives.push([subject.name, ...life]),
    now: () => now,
  });
});

function pod(name: string, annotations: Record<string, string> = MARKED, change: Json = {}): Json {
  const object = podObject({ annotations, images: ['app:1'] });
  const metadata = {
    ...(object['metadata'] as Json),
    name,
    uid: name,
    creationTimestamp: '2026-11-30T11:00:00Z',
  };
  return { ...object, metadata, ...change };
}

const put = (name: string, annotations?: Record<string, string>, change?: Json): void =>
  store.apply(name, pod(name, annotations, change));

describe('the life of a pod', () => {
  const HOUR = 3_600_000;
  const running = { status: { phase: 'Running' } };

  it('ends when the pod has succeeded or failed, or is deleted, and once', () => {
    for (const name of ['a', 'b', 'c']) put(name, MARKED, running);
    put('a', MARKED, { status: { phase: 'Succeeded' } });
    put('b', MARKED, { status: { phase: 'Failed' } });
    now += 1000;
    store.delete('a');
    store.delete('c');
    expect(lives).toEqual([
      ['a', HOUR, true],
      ['b', HOUR, true],
      ['c', HOUR + 1000, true],
    ]);
  });

  it('ends when another pod has its name', () => {
    put('a', MARKED, running);
    store.apply(
      'a',
      pod('a', MARKED, { ...running, metadata: { ...(pod('a')['metadata'] as Json), uid: 'new' } }),
    );
    expect(lives).toEqual([['a', HOUR, true]]);
  });

  it('is followed for a day', () => {
    put('a', MARKED, running);
    now += DAY;
    put('a', MARKED, running);
    store.delete('a');
    expect(lives).toEqual([['a', DAY + HOUR, false]]);
  });

  it('is over once the pod has ended, also if it stays for more than a day', () => {
    put('a', MARKED, running);
    put('a', MARKED, { status: { phase: 'Succeeded' } });
    now += 2 * DAY;
    put('a', MARKED, { status: { phase: 'Succeeded' } });
    expect(lives).toEqual([['a', HOUR, true]]);
  });

  it('begins when its node took the pod, and not while it waited', () => {
    const startTime = '2026-11-30T11:59:00Z';
    put('a', MARKED, { status: { phase: 'Running', startTime } });
    store.delete('a');
    expect(lives).toEqual([['a', 60_000, true]]);
  });

  it('goes on, unseen, if the pods of a node are followed no longer', () => {
    put('a', MARKED, running);
    store.clear();
    expect(lives).toEqual([['a', HOUR, false]]);
  });

  it('of a pod that never started says nothing, nor does one whose end is over when the store begins', () => {
    put('a');
    store.delete('a');
    put('b', MARKED, { status: { phase: 'Succeeded' } });
    store.delete('b');
    expect(lives).toEqual([]);
  });

  it('of a pod that starts and ends between two looks counts', () => {
    put('a');
    put('a', MARKED, { status: { phase: 'Succeeded' } });
    expect(lives).toEqual([['a', HOUR, true]]);
  });
});

describe('the content of pods', () => {
  it('is held once for equal pods, and until the last of them is gone', () => {
    for (let i = 0; i < 1000; i++) put(`p${i}`);
    expect(contents.size).toBe(1);
    const [first, second] = [...store.values()];
    expect(first!.content).toBe(second!.content);
    for (let i = 0; i < 999; i++) store.delete(`p${i}`);
    expect(contents.size).toBe(1);
    store.delete('p999');
    expect(contents.size).toBe(0);
  });

  it('is let go if a pod changes, and if nothing watches the pods any more', () => {
    put('p');
    put('p', { ...MARKED, 'k8s.aliyun.com/eci-auto-imc': 'true' });
    expect(contents.size).toBe(1);
    store.clear();
    expect([contents.size, store.size()]).toEqual([0, 0]);
  });

  it('is kept up to a limit of its namespace, and pods of another namespace are kept meanwhile', () => {
    const told: string[] = [];
    const limited = new PodContents((what) => told.push(what));
    const different = new PodStore(limited, { onChange: () => undefined, now: () => NOW });
    const registries = (i: number): Record<string, string> => ({
      ...MARKED,
      'k8s.aliyun.com/insecure-registry': `${i}${'x'.repeat(20_000)}`,
    });
    const putIn = (name: string, namespace: string, i: number): void => {
      const object = pod(name, registries(i));
      different.apply(name, { ...object, metadata: { ...(object['metadata'] as Json), namespace } });
    };
    for (let i = 0; i < 400; i++) putIn(`p${i}`, 'greedy', i);
    putIn('other', 'modest', 1);
    const kept = (namespace: string): number =>
      [...different.values()].filter(({ content, subject }) => content && subject.namespace === namespace)
        .length;
    expect(kept('greedy')).toBeLessThan(220);
    expect(kept('greedy')).toBeGreaterThan(180);
    expect(kept('modest')).toBe(1);
    expect([...different.values()]).toHaveLength(401);
    expect(told).toEqual(['namespace greedy has too many different pods to look at all of them']);
    different.clear();
    putIn('later', 'greedy', 1);
    expect(kept('greedy')).toBe(1);
  });
});

describe('a pod that matters to nobody', () => {
  it.each<[string, Record<string, string>, Json]>([
    ['it has neither a marker nor a cache', {}, {}],
    ['it has no containers', MARKED, { spec: {} }],
    [
      'it ended more than a day ago',
      MARKED,
      {
        metadata: {
          name: 'p',
          annotations: MARKED,
          creationTimestamp: new Date(NOW - DAY - 1).toISOString(),
        },
        status: { phase: 'Succeeded' },
      },
    ],
  ])('is not held, because %s', (_title, annotations, change) => {
    put('p', annotations, change);
    expect([...store.values()]).toEqual([]);
    expect([...store.keys()]).toEqual(['p']);
    expect(changes).toBe(0);
  });
});

describe('a change of a pod', () => {
  it('is reported only if it matters to the controller', () => {
    put('p');
    expect(changes).toBe(1);
    put('p', MARKED, { status: { phase: 'Pending', conditions: [{}] } });
    put('p', { ...MARKED, 'example.com/heartbeat': '1' });
    expect(changes).toBe(1);
    put('p', MARKED, { status: { phase: 'Running' } });
    expect(changes).toBe(2);
    put('p', { ...MARKED, 'k8s.aliyun.com/eci-imc-id': 'imc-a' });
    expect(changes).toBe(3);
    store.delete('p');
    expect(changes).toBe(4);
  });

  it('to another pod of the same name is one that comes', () => {
    put('p');
    put('p');
    const again = pod('p');
    store.apply('p', { ...again, metadata: { ...(again['metadata'] as Json), uid: 'other' } });
    store.delete('p');
    expect([news, gone]).toEqual([['p', 'p'], ['p']]);
  });
});
