/** One request to an API server that answers as each test says. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ApiError, type ApiClient } from '../../../src/sources/kubernetes/api-client.ts';
import { eventually } from '../../support/eventually.ts';
import { failure, ScriptedApi } from '../../support/scripted-api.ts';

const { signal } = new AbortController();

let api: ScriptedApi;
let client: ApiClient;
beforeEach(async () => {
  api = await ScriptedApi.start(() => ({ status: 200, body: { a: 1 } }));
  client = api.client();
});
afterEach(() => api[Symbol.asyncDispose]());

async function faultOf(path = '/x'): Promise<unknown> {
  return client.json({ path, signal }).then(
    () => undefined,
    (error: unknown) => error,
  );
}

describe('a request', () => {
  it('is sent with the token and the query, without undefined values of the query', async () => {
    const query = { limit: '5', continue: undefined };
    expect(await client.json({ path: '/x', query, signal })).toEqual({ a: 1 });
    expect(api.calls).toMatchObject([
      { method: 'GET', path: '/x', query: { limit: '5' }, authorization: 'Bearer first', body: undefined },
    ]);
  });

  it.each([
    ['POST', undefined, 'application/json'],
    ['PATCH', 'merge-patch+json', 'application/merge-patch+json'],
    ['DELETE', undefined, 'application/json'],
  ] as const)('%s carries its body', async (method, contentType, expected) => {
    await client.json({ path: '/x', method, body: { b: 2 }, signal, ...(contentType && { contentType }) });
    expect(api.calls).toMatchObject([{ method, contentType: expected, body: { b: 2 } }]);
  });
});

describe('an answer that is no success', () => {
  it('is an ApiError with the message of its Status', async () => {
    api.answer = () => failure(409, 'it has changed');
    expect(await faultOf()).toMatchObject({ status: 409, message: 'HTTP 409: it has changed' });
  });

  it('is an ApiError with the shortened text, if the answer is not from the API server', async () => {
    api.answer = () => ({ status: 502, body: `<html>${'x'.repeat(5000)}` });
    const fault = (await faultOf()) as ApiError;
    expect(fault).toBeInstanceOf(ApiError);
    expect(fault.message).toMatch(/^HTTP 502: <html>x+\.\.\.$/);
    expect(fault.message.length).toBeLessThan(250);
  });

  it.each([
    ['7', 7000],
    ['soon', undefined],
  ])('has the wait in milliseconds if Retry-After is a number: %s', async (value, milliseconds) => {
    api.answer = () => failure(429, 'slow down', { 'retry-after': value });
    expect(await faultOf()).toMatchObject({ retryAfter: milliseconds });
  });
});

describe('the credentials', () => {
  it.each([
    ['the API server refuses them (401)', 401, 'Bearer second'],
    ['the API server accepts them and refuses the request (403)', 403, 'Bearer first'],
    ['the API server fails (500)', 500, 'Bearer first'],
  ])('are read again after a 401, and not after other errors: %s', async (_title, status, expected) => {
    api.answer = () => failure(status, 'no');
    await faultOf();
    api.token = 'second';
    await faultOf();
    expect(api.calls.at(-1)?.authorization).toBe(expected);
  });

  it('are read again if no answer comes, because the CA or the address may have changed', async () => {
    api.answer = () => 'silent';
    await expect(client.json({ path: '/x', timeout: 50, signal })).rejects.toThrow('no answer within 50 ms');
    api.token = 'second';
    api.answer = () => ({ status: 200 });
    await client.json({ path: '/x', signal });
    expect(api.calls.at(-1)?.authorization).toBe('Bearer second');
  });
});

it('a request that its caller aborts does not fail with the message of the deadline', async () => {
  api.answer = () => 'silent';
  const giving = new AbortController();
  const asked = client.json({ path: '/x', signal: giving.signal });
  giving.abort();
  await expect(asked).rejects.not.toThrow('no answer within');
});

it('a stream is returned once its headers have come, and then the deadline no longer applies', async () => {
  api.answer = () => 'watch';
  const answer = await client.stream({ path: '/x', timeout: 1000, signal });
  const watch = await api.watch(1);
  watch.write('first');
  watch.end();
  let text = '';
  for await (const chunk of answer) text += String(chunk);
  expect(text).toBe('first');
});

it('at most twenty calls are under way at the same time, and watches do not take their connections', async () => {
  api.answer = ({ query }) => (query['watch'] === 'true' ? 'watch' : 'silent');
  const stopping = new AbortController();
  const until = { signal: stopping.signal };
  const watches = await Promise.all(
    Array.from({ length: 100 }, () => client.stream({ path: '/w', query: { watch: 'true' }, ...until })),
  );
  const calls = Array.from({ length: 300 }, () =>
    client.json({ path: '/c', ...until }).catch(() => undefined),
  );
  const underWay = (): number => api.calls.filter(({ path }) => path === '/c').length;
  await eventually(() => expect(underWay()).toBe(20));
  stopping.abort();
  await Promise.all(calls);
  expect(underWay()).toBe(20);
  for (const watch of watches) watch.destroy();
});
