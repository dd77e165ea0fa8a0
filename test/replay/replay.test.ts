/** What a replay counts, with cases that can be counted by hand. */
import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { SNAPSHOT_PRICE } from '../../src/core/decision/break-even.ts';
import type { Outcome } from '../../src/replay/account.ts';
import { compressedBytes } from '../../src/replay/images.ts';
import { replay, type World } from '../../src/replay/replay.ts';
import { syntheticTrace } from '../../src/replay/synthetic-trace.ts';
import { readTrace, type Trace } from '../../src/replay/trace.ts';
import { VirtualClock } from '../../src/replay/virtual-clock.ts';
import { reconcilerOptions } from '../../src/runtime/reconciler-options.ts';
import { DEFAULT_CONFIG } from '../support/default-config.ts';

const WORLD: World = {
  seed: 1,
  newTagEvery: Infinity,
  sidecars: ['registry.example/proxy:1'],
  prices: { ...DEFAULT_CONFIG.prices, snapshotGibMonth: SNAPSHOT_PRICE },
  creationTime: 180_000,
  bytesPerSecond: 1e6,
  templatesAhead: undefined,
  knownSizes: true,
};
const HOUR = 3600;

/** @param pods each the key, the second of its creation, and that of its deletion */
function traceOf(...pods: readonly (readonly [string, number, number])[]): Trace {
  return readTrace('test', `key,created,deleted\n${pods.map((pod) => pod.join()).join('\n')}`);
}

function outcome(
  trace: Trace,
  settings: Readonly<Record<string, string>> = {},
  world = WORLD,
): Promise<Outcome> {
  const all = new Map(Object.entries({ 'createOnMiss.by': 'controller', ...settings }));
  return replay(trace, reconcilerOptions(loadConfig(undefined, all, {})), world);
}

const counts = ({ pods, warm, partly, cold, failed, made }: Outcome): object => ({
  pods,
  warm,
  partly,
  cold,
  failed,
  made,
});

describe('with createOnMiss.by: auto', () => {
  /** A pod each ten minutes that lives for `life` seconds, of a template with small images. */
  const podsOf = (key: string, life: number, count = 40): (readonly [string, number, number])[] =>
    Array.from({ length: count }, (_, i) => [key, i * 600, i * 600 + life]);
  const auto = { 'createOnMiss.by': 'auto' };

  it('ECI makes the cache until three pods have ended, and then the controller, if pods live shortly', async () => {
    const short = await outcome(traceOf(...podsOf('a', 30)), auto, { ...WORLD, knownSizes: false });
    expect(short).toMatchObject({ warm: 38, cold: 2, automaticMade: 1, made: 1 });
    // A new tag is a new miss, of a template that is known by now.
    const world = { ...WORLD, knownSizes: false, newTagEvery: 7200 };
    expect(await outcome(traceOf(...podsOf('a', 30)), auto, world)).toMatchObject({
      automaticMade: 1,
      made: 4,
    });
  });

  it('ECI makes all caches for pods that live long, and they cost nothing', async () => {
    const world = { ...WORLD, knownSizes: false, newTagEvery: 7200 };
    const long = await outcome(traceOf(...podsOf('a', 3600)), auto, world);
    expect(long).toMatchObject({ automaticMade: 4, made: 0, diskGibHours: 0 });
  });
});

describe('with the controller', () => {
  it('a pod misses, its cache takes three minutes, and the pods after that are warm', async () => {
    const trace = traceOf(['a', 0, HOUR], ['a', 100, HOUR], ['a', 190, HOUR], ['a', 200, HOUR]);
    expect(counts(await outcome(trace))).toEqual({
      pods: 4,
      warm: 2,
      partly: 0,
      cold: 2,
      failed: 0,
      made: 1,
    });
  });

  it('a cache that holds the sidecar alone makes a pod partly warm, and a complete one is made', async () => {
    const trace = traceOf(['a', 0, HOUR], ['b', 200, HOUR], ['b', 400, HOUR]);
    expect(counts(await outcome(trace))).toMatchObject({ warm: 1, partly: 1, cold: 1, made: 2 });
    const noMatch = await outcome(trace, { 'createOnMiss.when': 'no-match' });
    expect(counts(noMatch)).toMatchObject({ warm: 0, partly: 2, cold: 1, made: 1 });
  });

  it('a new tag is a new cache', async () => {
    const trace = traceOf(['a', 0, HOUR], ['a', 1000, 2 * HOUR], ['a', 5000, 3 * HOUR]);
    const made = await outcome(trace, {}, { ...WORLD, newTagEvery: 2000 });
    expect(counts(made)).toMatchObject({ warm: 1, made: 2 });
  });

  it('the money is that of the prices: disks as long as pods live, the making, and the seconds saved', async () => {
    const { diskGibHours, cost, worth, secondsSaved } = await outcome(
      traceOf(['a', 0, HOUR], ['a', 200, 200 + 2 * HOUR]),
    );
    const bytes = ['registry.example/app/a:v1', 'registry.example/proxy:1'].map((image) =>
      compressedBytes(image, 1),
    );
    expect(diskGibHours).toBeCloseTo(20 * 2);
    expect(cost.disks).toBeCloseTo(40 * 0.0021);
    expect(secondsSaved).toBeCloseTo((bytes[0]! + bytes[1]!) / 1e6);
    const aSecond = 2 * 0.000_049 + 4 * 0.000_006_13;
    expect(worth).toBeCloseTo(secondsSaved * aSecond);
    expect(cost.making).toBeCloseTo(180 * aSecond + 20 * 0.05 * 0.0021);
  });

  it('a cache is larger if the sizes of its images are not known', async () => {
    const trace = traceOf(['a', 0, HOUR], ['a', 200, 200 + HOUR]);
    expect((await outcome(trace, {}, { ...WORLD, knownSizes: false })).diskGibHours).toBeCloseTo(30);
  });

  it('with pre-warming and templates ahead, the first pod of a template is warm, once the sidecar is known', async () => {
    const trace = traceOf(['a', 1000, HOUR], ['b', 2000, HOUR], ['a', 5000, 2 * HOUR]);
    const world = { ...WORLD, templatesAhead: 600_000, newTagEvery: 2500 };
    const cold = await outcome(trace, {}, world);
    expect(counts(cold)).toMatchObject({ warm: 0 });
    const ahead = await outcome(trace, { prewarm: 'true' }, world);
    expect(counts(ahead)).toMatchObject({ warm: 2, partly: 1 });
  });

  it('there are never more caches than the quota, and no pod points to one that has gone', async () => {
    const trace = syntheticTrace(1, { pods: 600, templates: 40, days: 4 });
    for (const packing of ['true', 'false']) {
      const { mostKept, failed, made } = await outcome(trace, {
        'controller.quota': '10',
        'controller.packing': packing,
      });
      expect(mostKept).toBeLessThanOrEqual(10);
      expect(failed).toBe(0);
      expect(made).toBeGreaterThan(20);
    }
  });

  it('packs keep more pods warm with fewer caches made', async () => {
    const trace = syntheticTrace(1, { pods: 600, templates: 40, days: 4 });
    const [packed, plain] = await Promise.all(
      ['true', 'false'].map((packing) =>
        outcome(trace, { 'controller.quota': '12', 'controller.packing': packing }),
      ),
    );
    expect(packed!.packs).toBeGreaterThan(0);
    expect(packed!.made).toBeLessThan(plain!.made);
    expect(packed!.warm).toBeGreaterThan(plain!.warm);
  });
});

describe('with ECI alone', () => {
  const eci = { 'createOnMiss.by': 'eci' };

  it('ECI makes caches by itself, whose use costs nothing', async () => {
    const result = await outcome(traceOf(['a', 0, HOUR], ['a', 100, HOUR], ['a', 200, HOUR]), eci);
    expect(result).toMatchObject({ warm: 1, made: 0, automaticMade: 1, diskGibHours: 0 });
  });

  it('at its quota of 25 the least recently used automatic cache goes', async () => {
    const keys = Array.from({ length: 26 }, (_, i) => `k${i}`);
    const first = keys.map((key, i): [string, number, number] => [key, i * 200, 9 * HOUR]);
    const again = ['k0', 'k25'].map((key, i): [string, number, number] => [key, 6000 + i * 10, 9 * HOUR]);
    const alone = { ...WORLD, sidecars: [] };
    expect(await outcome(traceOf(...first, ...again), eci, alone)).toMatchObject({
      warm: 1,
      automaticMade: 27,
    });
  });

  it('an automatic cache that nobody used goes after seven days, a used one 30 days after its last use', async () => {
    const day = 24 * HOUR;
    const unused = traceOf(['a', 0, 1], ['a', 8 * day, 8 * day + 1]);
    expect(await outcome(unused, eci)).toMatchObject({ warm: 0, automaticMade: 2 });
    const used = traceOf(['a', 0, 1], ['a', day, day + 1], ['a', 30 * day, 30 * day + 1]);
    expect(await outcome(used, eci)).toMatchObject({ warm: 2, automaticMade: 1 });
  });
});

it('a replay gives the same figures each time', async () => {
  const trace = syntheticTrace(7, { pods: 300, templates: 30, days: 3 });
  const settings = { 'controller.quota': '12' };
  expect(await outcome(trace, settings)).toEqual(await outcome(trace, settings));
});

describe('the virtual clock', () => {
  it('runs timers in the order of their times, and those of one time in the order in which they were set', async () => {
    const clock = new VirtualClock(0, () => undefined);
    const ran: string[] = [];
    const say =
      (text: string): (() => void) =>
      () =>
        ran.push(`${text} ${clock.now()}`);
    for (const [after, name] of [
      [30, 'c'],
      [10, 'a'],
      [20, 'b'],
      [10, 'a2'],
    ] as const)
      clock.after(after, say(name));
    const cancelled = clock.after(15, say('never'));
    cancelled.cancel();
    const restarted = clock.after(5, say('later'));
    await clock.moveTo(4);
    restarted.restart();
    await clock.moveTo(25);
    expect(ran).toEqual(['later 9', 'a 10', 'a2 10', 'b 20']);
    expect(clock.now()).toBe(25);
  });

  it('lets what a timer wakes go on before the next timer, and repeats what is to be repeated', async () => {
    const clock = new VirtualClock(0, () => undefined);
    const ran: number[] = [];
    const { signal } = new AbortController();
    void (async () => {
      for (let i = 0; i < 3; i++) {
        await clock.sleep(10, signal);
        ran.push(clock.now());
      }
    })();
    const every = clock.every(7, () => ran.push(-clock.now()));
    await clock.moveTo(22);
    every.cancel();
    await clock.moveTo(40);
    expect(ran).toEqual([-7, 10, -14, 20, -21, 30]);
  });

  it('ends a sleep as soon as its signal is aborted', async () => {
    const clock = new VirtualClock(0, () => undefined);
    const abort = new AbortController();
    const slept = clock.sleep(1000, abort.signal);
    abort.abort();
    await slept;
    expect(clock.now()).toBe(0);
  });
});
