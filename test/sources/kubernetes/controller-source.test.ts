/** What the controller makes of the API server's answers to its writes. */
import { afterEach, describe, expect, it } from 'vitest';
import { SYSTEM_CLOCK } from '../../../src/clock.ts';
import { ControllerSource } from '../../../src/sources/kubernetes/controller-source.ts';
import { failure, ScriptedApi, type ApiAnswer } from '../../support/scripted-api.ts';
import { cacheObject } from '../../support/objects.ts';

let api: ScriptedApi | undefined;
afterEach(() => api?.[Symbol.asyncDispose]());

async function sourceWith(answer: ApiAnswer): Promise<ControllerSource> {
  api = await ScriptedApi.start(() => answer);
  const ignore = (): void => undefined;
  return new ControllerSource(
    api.client(),
    { onChange: ignore, onFailure: ignore, onStep: ignore },
    { maxStalenessMs: 60_000, prewarm: false },
    SYSTEM_CLOCK,
  );
}

describe('an ImageCache that the controller creates', () => {
  it.each<[string, ApiAnswer, unknown]>([
    ['is created', { status: 201, body: {} }, 'created'],
    ['exists already', failure(409, 'it exists'), 'exists'],
    ['is invalid', failure(422, 'no image'), { refused: expect.stringContaining('no image') }],
    ['is refused by a policy', failure(403, 'by policy'), { refused: expect.stringContaining('by policy') }],
    ['is too large for the API server', failure(413, 'large'), { refused: expect.stringContaining('large') }],
    [
      'is too large for etcd',
      failure(500, 'etcdserver: request is too large'),
      { refused: expect.stringContaining('too large') },
    ],
  ])('%s: the controller goes on with the others', async (_title, answer, expected) => {
    const source = await sourceWith(answer);
    expect(await source.create(cacheObject({ name: 'x' }))).toEqual(expected);
  });

  it.each([401, 429, 500, 503])(
    'stops the work if the API server answers %i, which is no refusal',
    async (status) => {
      const source = await sourceWith(failure(status, 'try later'));
      await expect(source.create(cacheObject({ name: 'x' }))).rejects.toThrow('try later');
    },
  );
});
