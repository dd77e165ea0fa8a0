/** One request to an API server that answers as each test says. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ApiError, type ApiClient } from '../../../src/sources/kubernetes/api-client.ts';
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
  it('is sent with its query, of which undefined values are left out, and with the token', async () => {
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

  it('is one with the text itself, shortened, if something on the way has answered', async () => {
    api.answer = () => ({ status: 502, body: `<html>${'x'.repeat(5000)}` });
    const fault = (await faultOf()) as ApiError;
    expect(fault).toBeInstanceOf(ApiError);
    expect(fault.message).toMatch(/^HTTP 502: <html>x+\.\.\.$/);
    expect(fault.message.length).toBeLessThan(250);
  });

  it.each([
    ['7', 7000],
    ['soon', undefined],
  ])('says how long to wait: Retry-After %s', async (value, milliseconds) => {
    api.answer = () => failure(429, 'slow down', { 'retry-after': value });
    expect(await faultOf()).toMatchObject({ retryAfter: milliseconds });
  });
});

describe('the credentials', () => {
  it.each([
    ['were refused (401)', 401, 'Bearer second'],
    ['were good, and something else was wrong (403)', 403, 'Bearer first'],
    ['were good, and the server is not well (500)', 500, 'Bearer first'],
  ])('are read again only if they %s', async (_title, status, expected) => {
    api.answer = () => failure(status, 'no');
    await faultOf();
    api.token = 'second';
    await faultOf();
    expect(api.calls.at(-1)?.authorization).toBe(expected);
  });

  it('are read again after no answer at all, as the CA or the address may be another', async () => {
    api.answer = () => 'silent';
    await expect(client.json({ path: '/x', timeout: 50, signal })).rejects.toThrow('no answer within 50 ms');
    api.token = 'second';
    api.answer = () => ({ status: 200 });
    await client.json({ path: '/x', signal });
    expect(api.calls.at(-1)?.authorization).toBe('Bearer second');
  });
});

it('a caller who gives up ends the request with his own reason, not with the deadline', async () => {
  api.answer = () => 'silent';
  const giving = new AbortController();
  const asked = client.json({ path: '/x', signal: giving.signal });
  giving.abort();
  await expect(asked).rejects.not.toThrow('no answer within');
});

it('a stream is handed over once its head is here, and the deadline no longer counts', async () => {
  api.answer = () => 'watch';
  const answer = await client.stream({ path: '/x', timeout: 1000, signal });
  const watch = await api.watch(1);
  watch.write('first');
  watch.end();
  let text = '';
  for await (const chunk of answer) text += String(chunk);
  expect(text).toBe('first');
});
