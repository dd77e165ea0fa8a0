/**
 * How a cache for many pods gets its snapshot copies: the controller's rounds, and ECI's API as the stand-in answers it to the
 * vendor's SDK.
 */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Cluster } from '../../src/controller/cluster.ts';
import { Copies, type CopyingRegion } from '../../src/controller/copies.ts';
import type { Miss } from '../../src/core/controller/misses.ts';
import { NO_REGION } from '../../src/core/controller/region-facts.ts';
import { withAnnotations } from '../../src/core/kubernetes/object.ts';
import { RpcError } from '../../src/core/simulation/rpc.ts';
import { ClusterIndex } from '../../src/index/cluster-index.ts';
import { manifestOf } from '../../src/sources/kinds/manifest.ts';
import { readImageCache } from '../../src/sources/kinds/image-cache.ts';
import { readOwnCache } from '../../src/sources/kinds/own-cache.ts';
import { RegionSource } from '../../src/sources/region/region-source.ts';
import { FakeClock } from '../support/clock.ts';
import { cacheObject, type Json } from '../support/objects.ts';
import { playRegion, REGION, useKey, type PlayedRegion } from '../support/region.ts';

const NAME = `auto-${'0'.repeat(32)}`;
const COPIES = 'imagecache-webhook.io/copies';
const { signal } = new AbortController();

let played: PlayedRegion;
let clock: FakeClock;
let source: RegionSource;
let facts: CopyingRegion;
let object: Json;
let problems: string[];
let copies: Copies;

beforeEach(async () => {
  useKey();
  played = await playRegion();
  clock = new FakeClock(played.clock.now);
  object = madeByController('Creating');
  problems = [];
  const index = new ClusterIndex();
  source = new RegionSource(
    () => played.connect(),
    index.regionCaches,
    { region: REGION, pollIntervalMs: 60_000, maxStalenessMs: 300_000, hasUsage: true },
    { onProblem: ignore, onProgress: ignore, onChange: ignore, onPoll: ignore },
    clock,
  );
  facts = {
    ...NO_REGION,
    readAtMs: () => source.confirmedAtMs(),
    copy: (id, count) => source.copy(id, count),
    listed: (id) => {
      const entry = index.regionCaches.get(id);
      return entry && { lastMatchedAtMs: undefined, phase: entry.cache.phase };
    },
  };
  copies = copiesWith(facts);
});
afterEach(async () => {
  await source.stop();
  vi.unstubAllEnvs();
});

function ignore(): void {
  // What it tells is of no interest here.
}

function madeByController(phase: string): Json {
  const labels = { 'imagecache-webhook.io/made-by': 'controller' };
  const made = cacheObject({ name: NAME, images: ['big:1'], phase, labels });
  return { ...made, metadata: { ...(made['metadata'] as Json), labels, uid: 'u' } };
}

function copiesWith(region: CopyingRegion, isOn = true): Copies {
  const cluster: Pick<Cluster, 'ownCaches' | 'annotate'> = {
    ownCaches: () => [readOwnCache(manifestOf('eci.alibabacloud.com/ImageCache', object))],
    annotate: (_cache, annotations) => {
      object = withAnnotations(object, annotations);
      return Promise.resolve('done');
    },
  };
  return new Copies(cluster as Cluster, region, isOn, (problem) => problems.push(problem), clock);
}

/** One round of the controller. @param pods that miss the cache */
function round(pods = 2500): Promise<number> {
  played.region.setCluster([object], {});
  const miss = { pods: new Map([['shop', pods]]) } as unknown as Miss;
  return copies.carryOut(new Map([[NAME, miss]]), () => true, signal);
}

/** Says that ECI has got so far. */
function become(phase: string): void {
  object = { ...object, status: { ...(object['status'] as Json), phase } };
}

/** The number in the annotation, and the phase that the webhook sees. */
function seen(): string {
  const manifest = manifestOf('eci.alibabacloud.com/ImageCache', object);
  const { annotations } = object['metadata'] as { annotations?: Record<string, string> };
  return `${annotations?.[COPIES]?.split(' ')[0] ?? 'none'} ${readImageCache(manifest).phase}`;
}

describe('a cache for 2,500 pods', () => {
  it('is held back while it is made, gets three snapshots, and goes once the region has it Ready again', async () => {
    await round();
    expect(seen()).toBe('3 Creating');
    become('Ready');
    // Nobody is given it, although ECI says that it is Ready.
    expect(seen()).toBe('3 Updating');
    await round();
    const id = `imc-${NAME}`;
    expect(played.region.copiesOf(id)).toBe(3);
    become('Updating');
    await round();
    become('Ready');
    await round();
    expect(seen()).toBe('3 Updating');
    expect(played.calls.filter((call) => call === 'UpdateImageCache')).toHaveLength(1);
    played.region.takeUpdate(object);
    played.region.setCluster([object], {});
    await clock.advance(21_000);
    await source.start();
    await round();
    expect(seen()).toBe('none Ready');
    expect(problems).toEqual([]);
  });

  it('goes without copies if ECI refuses them, and says so', async () => {
    await round();
    become('Ready');
    played.faults.push(new RpcError(403, 'Forbidden.RAM', 'x'));
    await round();
    expect(seen()).toBe('none Ready');
    expect(problems).toEqual([expect.stringMatching(/gets no snapshot copies: .*eci:UpdateImageCache/)]);
  });

  it('goes after half an hour if ECI never says that it is Ready', async () => {
    await round();
    become('Ready');
    await round();
    await clock.advance(1_799_000);
    await round();
    expect(seen()).toBe('3 Updating');
    await clock.advance(2000);
    await round();
    expect(seen()).toBe('none Ready');
  });

  it('is made anew if the update fails', async () => {
    await round();
    become('Ready');
    await round();
    become('UpdateFailed');
    await round();
    expect(seen()).toBe('none UpdateFailed');
  });

  it('is not asked about twice by the next leader', async () => {
    await round();
    become('Ready');
    await round();
    copies = copiesWith(facts);
    await round();
    expect(played.calls).toEqual(['UpdateImageCache']);
    expect(seen()).toBe('3 Updating');
  });

  it.each<[string, () => Copies]>([
    ['the API is not asked', () => copiesWith(NO_REGION)],
    ['copies are switched off', () => copiesWith(facts, false)],
  ])('that was held back by an earlier leader goes if %s', async (_title, next) => {
    await round();
    become('Ready');
    copies = next();
    await round();
    expect(seen()).toBe('none Ready');
    expect(played.calls).toEqual([]);
  });
});

it.each([
  [1000, 'Creating'],
  [2500, 'Ready'],
  [2500, 'Failed'],
])('a cache for %d pods that is %s is not held back', async (pods, phase) => {
  become(phase);
  await round(pods);
  expect(seen()).toBe(`none ${phase}`);
});

it('a million pods lead to twenty snapshots', async () => {
  await round(1_000_000);
  expect(seen()).toBe('20 Creating');
});
