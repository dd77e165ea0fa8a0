/** The vendor's SDK against the stand-in, over HTTP: lists, the matcher, and every way in which a call fails. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { RpcError } from '../../../src/core/simulation/rpc.ts';
import { connectRegionApi, RegionApi } from '../../../src/sources/region/region-api.ts';
import { KEY, makeCache, playRegion, REGION, useKey } from '../../support/region.ts';

beforeEach(() => useKey());
afterEach(() => vi.unstubAllEnvs());

describe('the list of caches', () => {
  it.each([500, 5000])('of a region with %d caches is complete, page by page', async (count) => {
    const played = await playRegion({ quotas: { manual: count, automatic: 25 } });
    const ids = new Set(Array.from({ length: count }, (_, i) => makeCache(played, `c${i}`, [`app:${i}`])));
    const api = played.connect();
    const listed = await api.caches();
    expect(new Set(listed.map((cache) => cache['ImageCacheId']))).toEqual(ids);
    expect(played.calls).toHaveLength(Math.ceil(count / 50));
  });

  it('is nothing at all if a page in the middle fails', async () => {
    const played = await playRegion();
    for (let i = 0; i < 120; i++) makeCache(played, `c${i}`, [`app:${i}`]);
    const api = played.connect();
    const failing = api.caches();
    const counted = played.calls.push.bind(played.calls);
    played.calls.push = (action: string) => {
      if (played.calls.length === 1) played.faults.push(new RpcError(503, 'ServiceUnavailable', 'later'));
      return counted(action);
    };
    await expect(failing).rejects.toThrow('ServiceUnavailable');
    expect(played.calls.length).toBe(2);
  });

  it('skips nothing and repeats nothing if a cache comes and another goes between two pages', async () => {
    const played = await playRegion();
    const ids = Array.from({ length: 120 }, (_, i) => makeCache(played, `c${i}`, [`app:${i}`]));
    const api = played.connect();
    const counted = played.calls.push.bind(played.calls);
    played.calls.push = (action: string) => {
      if (played.calls.length === 1) {
        played.region.delete(ids[3]!);
        makeCache(played, 'new', ['new:1']);
      }
      return counted(action);
    };
    const listed = await api.caches();
    const seen = listed.map((cache) => cache['ImageCacheId']);
    expect(new Set(seen).size).toBe(seen.length);
    for (const id of ids.filter((each) => each !== ids[3])) expect(seen).toContain(id);
  });

  it.each<
    [string, readonly (readonly [readonly string[], string | undefined])[], readonly string[] | string]
  >([
    [
      'with a short page and an empty one',
      [
        [['a'], '1'],
        [[], '2'],
        [['b', 'c'], undefined],
      ],
      ['a', 'b', 'c'],
    ],
    [
      'of which two pages hold the same cache',
      [
        [['a', 'b'], '1'],
        [['b', 'c'], undefined],
      ],
      ['a', 'b', 'c'],
    ],
    [
      'that names the same page again and again',
      [
        [['a'], '1'],
        [['a'], '1'],
      ],
      'came twice',
    ],
  ])('%s', async (_title, pages, expected) => {
    let page = 0;
    const api = new RegionApi(() => {
      const [ids = [], token] = pages[page++] ?? [];
      return Promise.resolve({ ImageCaches: ids.map((id) => ({ ImageCacheId: id })), NextToken: token });
    }, REGION);
    const listed = api.caches().then((caches) => caches.map((cache) => cache['ImageCacheId']));
    if (typeof expected === 'string') await expect(listed).rejects.toThrow(expected);
    else await expect(listed).resolves.toEqual(expected);
  });

  it('of more than ten thousand caches is not used', async () => {
    let id = 0;
    const many = (): object[] => Array.from({ length: 3000 }, () => ({ ImageCacheId: `imc-${id++}` }));
    const api = new RegionApi(() => Promise.resolve({ ImageCaches: many(), NextToken: `${id}` }), REGION);
    await expect(api.caches()).rejects.toThrow('more than 10,000');
    expect(id).toBe(12_000);
  });
});

describe("ECI's matcher", () => {
  it('answers with the best cache first, and heeds the degree that is asked for', async () => {
    const played = await playRegion();
    const partial = makeCache(played, 'partial', ['a:1']);
    const complete = makeCache(played, 'complete', ['docker.io/library/a:1', 'b:2']);
    const api = played.connect();
    const ask = async (perfect: boolean, count?: number): Promise<unknown[]> => {
      const found = await api.match({ images: ['a:1', 'b:2'], perfect, count });
      return found.map((cache) => cache['ImageCacheId']);
    };
    expect(await ask(false)).toEqual([complete, partial]);
    expect(await ask(true)).toEqual([complete]);
    expect(await ask(false, 2)).toEqual([complete]);
  });

  it('takes a hundred long images', async () => {
    const played = await playRegion();
    const images = Array.from({ length: 100 }, (_, i) => `registry.example/${'team/'.repeat(30)}app:${i}`);
    const api = played.connect();
    expect(await api.match({ images, perfect: false, count: undefined })).toEqual([]);
  });
});

it('the usage has the quotas and what is used of them', async () => {
  const played = await playRegion({ quotas: { manual: 7, automatic: 3 } });
  makeCache(played, 'one', ['a:1']);
  const usage = await played.connect().usage();
  expect(usage).toEqual({ manual: { used: 1, most: 7 }, automatic: { used: 0, most: 3 } });
});

describe('a call that fails says why, and holds no credential', () => {
  it.each<[string, () => Partial<Record<'id' | 'secret', string>>, (clock: { now: number }) => void, RegExp]>(
    [
      [
        'with another secret',
        () => ({ secret: 'wrong-secret' }),
        () => undefined,
        /access key is not valid.*Signature/,
      ],
      [
        'with another key',
        () => ({ id: 'wrong-id' }),
        () => undefined,
        /access key is not valid.*InvalidAccessKeyId/,
      ],
      [
        'if the clocks differ by an hour',
        () => ({}),
        (clock) => (clock.now += 3_600_000),
        /clock of this machine differs.*InvalidTimeStamp/,
      ],
    ],
  )('%s', async (_title, key, change, expected) => {
    const { id = KEY.id, secret = KEY.secret } = key();
    useKey(id, secret);
    const played = await playRegion();
    change(played.clock);
    const message = await messageOf(played.connect().caches());
    expect(message).toMatch(expected);
    expect(message).not.toContain(id);
    expect(message).not.toContain(secret);
  });

  it.each<[string, RpcError, RegExp]>([
    ['throttled', new RpcError(400, 'Throttling.User', 'x'), /too many calls.*Throttling\.User/],
    [
      'with an expired token',
      new RpcError(400, 'InvalidSecurityToken.Expired', 'x'),
      /session token.*expired/,
    ],
    [
      'without the right',
      new RpcError(403, 'Forbidden.RAM', 'x'),
      /RAM policy does not allow eci:DescribeImageCaches/,
    ],
    [
      'by a broken server',
      new RpcError(500, 'InternalError', `leak ${KEY.secret}`),
      /answered InternalError"/,
    ],
    ['by a server with a strange code', new RpcError(502, `<html>${KEY.secret}`, 'x'), /answered Unknown"/],
  ])('%s', async (_title, fault, expected) => {
    const played = await playRegion();
    played.faults.push(fault);
    const message = await messageOf(played.connect().caches());
    expect(message).toMatch(expected);
    expect(message).not.toContain(KEY.secret);
  });

  it('if nobody answers', async () => {
    const api = connectRegionApi({ region: REGION, endpoint: 'http://127.0.0.1:1' });
    expect(await messageOf(api.caches())).toMatch(/cannot be reached \(ECONNREFUSED\)/);
  });

  it('without credentials', async () => {
    vi.unstubAllEnvs();
    vi.stubEnv('HOME', '/nonexistent');
    const played = await playRegion();
    expect(await messageOf(played.connect().caches())).toMatch(/no credentials were found/);
    expect(played.calls).toEqual([]);
  });
});

async function messageOf(failing: Promise<unknown>): Promise<string> {
  try {
    await failing;
  } catch (error) {
    return JSON.stringify([String(error), error]);
  }
  return 'it did not fail';
}
