/** The polling of ECI's API: the real SDK against the stand-in, under a clock that the test moves. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { RpcError } from '../../../src/core/simulation/rpc.ts';
import { ClusterIndex } from '../../../src/index/cluster-index.ts';
import { readEntry } from '../../../src/sources/kinds/index-entry.ts';
import { readManifest } from '../../../src/sources/kinds/manifest.ts';
import { RegionApi } from '../../../src/sources/region/region-api.ts';
import { RegionSource } from '../../../src/sources/region/region-source.ts';
import { FakeClock } from '../../support/clock.ts';
import { eventually } from '../../support/eventually.ts';
import { cacheObject, decideFor, NOW, podObject } from '../../support/objects.ts';
import {
  CREATION_TIME,
  makeCache,
  playRegion,
  REGION,
  useKey,
  type PlayedRegion,
} from '../../support/region.ts';

const MINUTE = 60_000;

let played: PlayedRegion;
let clock: FakeClock;
let index: ClusterIndex;
let source: RegionSource;
let problems: string[];
let polls: string[];

beforeEach(async () => {
  useKey();
  played = await playRegion();
  clock = new FakeClock();
  index = new ClusterIndex();
  problems = [];
  polls = [];
  source = new RegionSource(
    () => played.connect(),
    index.regionCaches,
    { region: REGION, pollIntervalMs: MINUTE, maxStalenessMs: 5 * MINUTE, hasUsage: true },
    {
      onProblem: (problem) => problems.push(problem),
      onProgress: (step) => problems.push(step),
      onChange: () => undefined,
      onPoll: (code) => polls.push(code),
    },
    clock,
  );
});
afterEach(async () => {
  await source.stop();
  vi.unstubAllEnvs();
});

/** Advances until one more poll has ended. */
async function nextPoll(milliseconds: number): Promise<void> {
  const before = polls.length;
  await clock.advance(milliseconds);
  await eventually(() => expect(polls.length).toBe(before + 1));
}

function failing(code: string, times = 100): void {
  for (let i = 0; i < times; i++) played.faults.push(new RpcError(400, code, 'x'));
}

describe('the caches of the region', () => {
  it('are in the index after the first list, and follow each later one', async () => {
    const id = makeCache(played, 'one', ['a:1']);
    await source.start();
    expect(index.cacheById(id)).toMatchObject({ knownFrom: 'api', phase: 'Ready' });
    const other = makeCache(played, 'two', ['b:1']);
    played.region.delete(id);
    await nextPoll(MINUTE);
    expect(index.cacheById(id)).toBeUndefined();
    expect(index.cacheById(other)).toBeDefined();
    expect(source.status()).toMatchObject([{ state: 'watching', objects: 1 }]);
  });

  it('stay as they were while calls fail, and are forgotten once the last list is too old', async () => {
    const id = makeCache(played, 'one', ['a:1']);
    await source.start();
    failing('Throttling.User');
    await nextPoll(MINUTE);
    expect(index.cacheById(id)).toBeDefined();
    expect(source.status()).toMatchObject([{ state: 'retrying' }]);
    await nextPoll(2 * MINUTE);
    await clock.advance(2 * MINUTE - 1);
    expect(index.cacheById(id)).toBeDefined();
    await clock.advance(1);
    expect(index.cacheById(id)).toBeUndefined();
    expect(source.usage()).toBeUndefined();
    expect(problems.some((problem) => problem.includes('too old'))).toBe(true);
  });

  it('come back with the next list that succeeds', async () => {
    const id = makeCache(played, 'one', ['a:1']);
    failing('InvalidSecurityToken.Expired', 1);
    await source.start();
    expect(index.cacheById(id)).toBeUndefined();
    expect(source.problems()[0]).toMatch(/session token/);
    await nextPoll(2 * MINUTE);
    expect(index.cacheById(id)).toBeDefined();
    expect(source.problems()).toEqual([]);
    expect(source.usage()?.manual).toEqual({ used: 1, most: 500 });
  });
});

describe('a cache that turns Failed between a poll and a decision', () => {
  const chosen = (): string | undefined =>
    decideFor(podObject({ images: ['a:1'] }), index, { sharing: { mode: 'cluster' } }).decision.cacheId;

  it('is not chosen if it has an object, whatever the last list says', async () => {
    const id = makeCache(played, 'one', ['a:1']);
    index.confirm(NOW);
    await source.start();
    expect(chosen()).toBe(id);
    const change = (phase: string): void =>
      readEntry(readManifest(cacheObject({ name: 'web', id, images: ['a:1'], phase }))).apply(index);
    change('Ready');
    expect(chosen()).toBe(id);
    change('Failed');
    expect(chosen()).toBeUndefined();
  });

  it('is not chosen from the next list on, if the API alone knows it', async () => {
    const id = makeCache(played, 'one', ['a:1']);
    index.confirm(NOW);
    await source.start();
    played.region.update(id, { images: ['broken:1'] }, undefined, played.clock.now);
    expect(chosen()).toBe(id);
    played.clock.now += 2 * CREATION_TIME;
    await nextPoll(MINUTE);
    expect(chosen()).toBeUndefined();
  });
});

it('waits twice as long after each failure, and at most eight times as long', async () => {
  failing('Throttling.User', 1000);
  await source.start();
  for (const minutes of [2, 4, 8, 8, 8]) {
    const before = polls.length;
    // oxlint-disable-next-line no-await-in-loop -- one wait after the other
    await clock.advance(minutes * MINUTE - 1);
    expect(polls.length).toBe(before);
    // oxlint-disable-next-line no-await-in-loop
    await nextPoll(1);
  }
  expect(polls).toEqual(Array.from({ length: 6 }, () => 'Throttling.User'));
  // The same problem again is no news.
  expect(problems).toHaveLength(1);
});

it.each([
  [0, 54_000],
  [1, 66_000],
])('waits the interval give or take a tenth: random %d, %d ms', async (chance, milliseconds) => {
  clock.chance = chance;
  await source.start();
  await clock.advance(milliseconds - 1);
  expect(polls).toEqual(['OK']);
  await nextPoll(1);
});

it('keeps the list although the quotas may not be read, and says so', async () => {
  const id = makeCache(played, 'one', ['a:1']);
  const counted = played.calls.push.bind(played.calls);
  played.calls.push = (action: string) => {
    if (action === 'ListUsage') played.faults.unshift(new RpcError(403, 'Forbidden.RAM', 'x'));
    return counted(action);
  };
  await source.start();
  expect(index.cacheById(id)).toBeDefined();
  expect(source.usage()).toBeUndefined();
  expect(source.problems()[0]).toMatch(/eci:ListUsage/);
  await clock.advance(MINUTE);
  await eventually(() => expect(polls).toHaveLength(4));
  expect(problems).toHaveLength(1);
});

it('gives a list up that does not come to its end while the one before counts', async () => {
  const { promise: forever } = Promise.withResolvers<never>();
  source = new RegionSource(
    () => new RegionApi(() => forever, REGION),
    index.regionCaches,
    { region: REGION, pollIntervalMs: MINUTE, maxStalenessMs: 5 * MINUTE, hasUsage: true },
    { onProblem: (problem) => problems.push(problem), onProgress: ignore, onChange: ignore, onPoll: ignore },
    clock,
  );
  const started = source.start();
  await clock.advance(2.5 * MINUTE);
  await started;
  expect(problems).toEqual([expect.stringContaining('cannot be reached (Timeout)')]);
});

it('stops although a call is under way that is not answered', async () => {
  const { promise: forever } = Promise.withResolvers<never>();
  const hanging = new RegionSource(
    () => new RegionApi(() => forever, REGION),
    index.regionCaches,
    { region: REGION, pollIntervalMs: MINUTE, maxStalenessMs: 5 * MINUTE, hasUsage: true },
    { onProblem: ignore, onProgress: ignore, onChange: ignore, onPoll: ignore },
    clock,
  );
  void hanging.start();
  await expect(hanging.stop()).resolves.toBeUndefined();
});

function ignore(): void {
  // What it tells is of no interest here.
}
