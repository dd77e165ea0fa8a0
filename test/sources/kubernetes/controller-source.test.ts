/** What the controller makes of the API server's answers to its writes. */
import { afterEach, describe, expect, it } from 'vitest';
import { SYSTEM_CLOCK } from '../../../src/clock.ts';
import { ControllerSource } from '../../../src/sources/kubernetes/controller-source.ts';
import { failure, ScriptedApi, type ApiAnswer } from '../../support/scripted-api.ts';
import { cacheObject } from '../../support/objects.ts';
import { ownCache } from '../../support/own-cache.ts';

const { signal } = new AbortController();
let api: ScriptedApi | undefined;
afterEach(() => api?.[Symbol.asyncDispose]());

async function sourceWith(answer: ApiAnswer): Promise<ControllerSource> {
  api = await ScriptedApi.start(() => answer);
  return sourceOf(api);
}

function sourceOf(scripted: ScriptedApi): ControllerSource {
  const ignore = (): void => undefined;
  return new ControllerSource(
    scripted.client(),
    {
      onChange: ignore,
      onFailure: ignore,
      onStep: ignore,
      onPlaced: ignore,
      onPull: ignore,
      onScope: ignore,
    },
    {
      maxStalenessMs: 60_000,
      prewarm: false,
      podLives: undefined,
      webhookConfiguration: 'x',
      hasDigests: false,
    },
    SYSTEM_CLOCK,
  );
}

describe('an ImageCache that the controller creates', () => {
  it.each<[string, ApiAnswer, unknown]>([
    ['is created', { status: 201, body: {} }, 'done'],
    ['exists already', failure(409, 'it exists'), 'outdated'],
    ['is invalid', failure(422, 'no image'), { refused: expect.stringContaining('no image') }],
    ['is refused by a policy', failure(403, 'by policy'), { refused: expect.stringContaining('by policy') }],
    ['is too large for the API server', failure(413, 'large'), { refused: expect.stringContaining('large') }],
    [
      'is too large for etcd',
      failure(500, 'etcdserver: request is too large'),
      { refused: expect.stringContaining('too large') },
    ],
    [
      'fails in another webhook',
      failure(500, 'failed calling webhook'),
      { refused: expect.stringContaining('failed calling webhook') },
    ],
  ])('%s: the controller goes on with the others', async (_title, answer, expected) => {
    const source = await sourceWith(answer);
    expect(await source.create(cacheObject({ name: 'x' }), signal)).toEqual(expected);
  });

  it.each([401, 429, 502, 503, 504])(
    'stops the work if the API server answers %i, which is no refusal',
    async (status) => {
      const source = await sourceWith(failure(status, 'try later'));
      await expect(source.create(cacheObject({ name: 'x' }), signal)).rejects.toThrow('try later');
    },
  );
});

describe('a cache that the controller changes or deletes', () => {
  const cache = ownCache('auto-x', 0, { uid: 'u1', resourceVersion: '7' });

  it('must be the object that was read, in the state that was read', async () => {
    const requests: unknown[] = [];
    api = await ScriptedApi.start((request) => {
      requests.push([request.method, request.path, request.body]);
      return { status: 200, body: {} };
    });
    const source = sourceOf(api);
    expect(await source.annotate(cache, { a: 'b', c: null }, signal)).toBe('done');
    expect(await source.delete(cache, signal)).toBe('done');
    const path = '/apis/eci.alibabacloud.com/v1/imagecaches/auto-x';
    expect(requests).toEqual([
      ['PATCH', path, { metadata: { uid: 'u1', resourceVersion: '7', annotations: { a: 'b', c: null } } }],
      ['DELETE', path, { preconditions: { uid: 'u1', resourceVersion: '7' } }],
    ]);
  });

  it.each([404, 409])('is left alone if the API server answers %i', async (status) => {
    const source = await sourceWith(failure(status, 'changed'));
    expect(await source.annotate(cache, {}, signal)).toBe('outdated');
    expect(await source.delete(cache, signal)).toBe('outdated');
  });
});
