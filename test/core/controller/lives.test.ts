/** What the controller learns of how long pods live. */
import { beforeEach, describe, expect, it } from 'vitest';
import { Lives } from '../../../src/core/controller/lives.ts';
import { MOST_TEMPLATES, type PodLife, type PodLives } from '../../../src/core/decision/pod-life.ts';
import { readWatchedPod, type WatchedPod } from '../../../src/core/controller/watched-pod.ts';
import { NOW, podObject } from '../../support/objects.ts';

const HOUR = 3_600_000;
const SIZE = { cpu: 2, memoryGib: 4 };
const DAY = 86_400_000;
const TODAY = { learnedAtMs: Math.floor(NOW / DAY) * DAY };

let lives: Lives;
beforeEach(() => (lives = new Lives()));

/** A pod that started some time ago. */
function pod(template = 'a/1', ago = 0, change: Partial<WatchedPod> = {}): WatchedPod {
  const read = readWatchedPod(podObject());
  return { ...read, template, hasStarted: true, startedAtMs: NOW - ago, ...change };
}
const end = (template: string, seconds: number, times = 1): void => {
  for (let i = 0; i < times; i++) lives.add(pod(template), seconds * 1000, true, NOW);
};
const expected = (
  running: readonly WatchedPod[] = [],
  published: PodLives = new Map(),
): Record<string, PodLife> => Object.fromEntries(lives.expected(running, published, NOW));

describe('the expected life', () => {
  it('is the mean of those that ended, to two digits', () => {
    end('a/1', 60, 2);
    end('a/1', 75);
    end('b/1', 1234);
    expect(expected()).toEqual({
      'a/1': { seconds: 65, ended: 3, ...SIZE, ...TODAY },
      'b/1': { seconds: 1200, ended: 1, ...SIZE, ...TODAY },
    });
  });

  it('is unknown while no pod of the template has ended', () => {
    lives.add(pod(), 24 * HOUR, false, NOW);
    expect(expected([pod('a/1', HOUR)])).toEqual({});
  });

  it('counts the pods that still run, so that a single early end says little', () => {
    end('a/1', 60);
    const running = Array.from({ length: 99 }, () => pod('a/1', 60_000));
    expect(expected(running)['a/1']).toMatchObject({ seconds: 6000, ended: 1 });
  });

  it('counts a day of those that are no longer followed, and no end', () => {
    end('a/1', 60, 3);
    lives.add(pod(), 24 * HOUR, false, NOW);
    expect(expected()['a/1']).toMatchObject({ seconds: 29_000, ended: 3 });
  });

  it.each<[string, Partial<WatchedPod>]>([
    ['has not started', { hasStarted: false }],
    ['has ended, and still exists', { hasEnded: true }],
  ])('leaves out a pod that %s', (_title, change) => {
    end('a/1', 60);
    expect(expected([pod('a/1', HOUR, change)])['a/1']!.seconds).toBe(60);
  });

  it('follows a template that changes', () => {
    end('a/1', 3600, 40);
    end('a/1', 60, 100);
    expect(expected()['a/1']!.seconds).toBeLessThan(300);
  });

  it('has the size of the pod that ended last', () => {
    end('a/1', 60);
    lives.add(pod('a/1', 0, { size: { cpu: 8, memoryGib: 16 } }), 60_000, true, NOW);
    expect(expected()['a/1']).toMatchObject({ cpu: 8, memoryGib: 16 });
  });
});

describe('what was published before', () => {
  const known = (life: Partial<PodLife> = {}): PodLives =>
    new Map([['a/1', { seconds: 500, ended: 3, ...SIZE, ...TODAY, ...life }]]);

  it('is the beginning of what a new controller learns', () => {
    expect(expected([], known())).toEqual(Object.fromEntries(known()));
    end('a/1', 100);
    expect(expected([], known())['a/1']).toMatchObject({ seconds: 400, ended: 4 });
    end('a/1', 100, 5);
    expect(expected([], known())['a/1']).toMatchObject({ seconds: 230, ended: 9 });
  });

  it('is kept against fewer ends that this replica has seen meanwhile, and not against more', () => {
    end('a/1', 60, 2);
    expect(expected([], known())['a/1']).toMatchObject({ seconds: 500, ended: 3 });
    lives = new Lives();
    end('a/1', 60, 4);
    expect(expected([], known())['a/1']).toMatchObject({ seconds: 60, ended: 4 });
  });

  it('grows with pods that run now and do not end', () => {
    expect(expected([pod('a/1', HOUR)], known())['a/1']).toMatchObject({ seconds: 1700, ended: 3 });
    expect(expected([pod('a/1', 2 * HOUR)], known())['a/1']).toMatchObject({ seconds: 2900, ended: 3 });
  });

  it('is the very same if nothing is new, or the life is about the same', () => {
    const published = known();
    expect(lives.expected([], published, NOW)).toBe(published);
    expect(lives.expected([pod('a/1', 200_000)], published, NOW)).toBe(published);
    expect(lives.expected([pod('a/1', 400_000)], published, NOW)).not.toBe(published);
  });

  it('is forgotten thirty days after the last end', () => {
    const old = known({ learnedAtMs: NOW - 30 * DAY });
    expect(lives.expected([], old, NOW).size).toBe(1);
    expect(lives.expected([], old, NOW + 1).size).toBe(0);
  });
});

describe('what is remembered', () => {
  it('is limited, and of one namespace to a tenth of it: the template that changed longest ago goes', () => {
    end('quiet/1', 60);
    for (let i = 0; i < 300; i++) end(`loud/${i}`, 60);
    expect(Object.keys(expected())).toHaveLength(201);
    expect(expected()).toHaveProperty(['quiet/1']);
    expect(expected()).not.toHaveProperty(['loud/99']);
    expect(expected()).toHaveProperty(['loud/100']);
    for (let i = 0; i < MOST_TEMPLATES; i++) end(`n${i}/1`, 60);
    expect(Object.keys(expected())).toHaveLength(MOST_TEMPLATES);
    expect(expected()).not.toHaveProperty(['quiet/1']);
  });

  it('is limited in the same way by what is published, however often one namespace has others', () => {
    end('quiet/1', 60);
    let published: PodLives = new Map();
    for (let round = 0; round < 12; round++) {
      for (let i = 0; i < 200; i++) end(`loud/${round}-${i}`, 60);
      published = lives.expected([], published, NOW);
    }
    expect(published.size).toBe(201);
    expect(published.has('quiet/1')).toBe(true);
  });
});
