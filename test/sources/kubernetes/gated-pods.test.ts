/** How each replica of the webhook lets pods go that wait too long for their cache. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { GatedPods } from '../../../src/sources/kubernetes/gated-pods.ts';
import { FakeClock } from '../../support/clock.ts';
import { eventually } from '../../support/eventually.ts';
import { podObject, type Json } from '../../support/objects.ts';
import { ScriptedApi, type ApiAnswer } from '../../support/scripted-api.ts';

const WAIT = 'imagecache-webhook.io/wait-for-cache';

let api: ScriptedApi;
let clock: FakeClock;
let stop: AbortController;
let lifted: string[];
let failures: string[];
let answer: ApiAnswer;
beforeEach(async () => {
  [lifted, failures, clock, stop] = [[], [], new FakeClock(), new AbortController()];
  answer = { status: 200, body: { kind: 'Pod' } };
  api = await ScriptedApi.start(() => answer);
});
afterEach(async () => {
  stop.abort();
  await api[Symbol.asyncDispose]();
});

function follow(
  isDraining = false,
  patchOf: () => Json | undefined = () => ({ spec: { schedulingGates: [] } }),
): GatedPods {
  const events = {
    onFailure: (message: string) => failures.push(message),
    onStep: () => undefined,
    onConfirmed: () => undefined,
    onLifted: (key: string) => lifted.push(key),
  };
  const options = { isDraining, maxStalenessMs: 60_000, patchOf };
  return new GatedPods(api.client(), options, events, stop.signal, clock);
}

function waiting(name: string, wait = '1m', gates = [WAIT]): Json {
  const pod = podObject({ annotations: { [WAIT]: wait } });
  const creationTimestamp = new Date(clock.now()).toISOString();
  return {
    ...pod,
    metadata: { ...(pod['metadata'] as Json), name, creationTimestamp },
    spec: { ...(pod['spec'] as Json), schedulingGates: gates.map((gate) => ({ name: gate })) },
  };
}
const put = (pods: GatedPods, pod: Json): void =>
  pods.store.apply(`default/${(pod['metadata'] as { name: string }).name}`, pod);
const sent = (): string[] => api.calls.map(({ method, path }) => `${method} ${path}`);

describe('a pod that waits', () => {
  it('is let go ten seconds after its time, and not before', async () => {
    put(follow(), waiting('a'));
    await clock.advance(69_000);
    expect(sent()).toEqual([]);
    await clock.advance(2000);
    await eventually(() => expect(lifted).toEqual(['default/a']));
    const path = '/api/v1/namespaces/default/pods/a';
    expect(sent()).toEqual([`GET ${path}`, `PATCH ${path}`]);
    expect(api.calls[1]).toMatchObject({
      contentType: 'application/merge-patch+json',
      body: { spec: { schedulingGates: [] } },
    });
  });

  it.each(['forever', '9h'])(
    'is let go after ten minutes if its annotation was changed to %s',
    async (wait) => {
      put(follow(), waiting('a', wait));
      await clock.advance(609_000);
      expect(sent()).toEqual([]);
      await clock.advance(3000);
      await eventually(() => expect(lifted).toEqual(['default/a']));
    },
  );

  it('is let go at once while waiting is being switched off', async () => {
    put(follow(true), waiting('a', '10m'));
    await clock.advance(1000);
    await eventually(() => expect(lifted).toEqual(['default/a']));
  });

  it('is left alone once its gate is gone, or the pod itself', async () => {
    const pods = follow(true);
    put(pods, waiting('a'));
    put(pods, waiting('a', '1m', ['example.com/x']));
    put(pods, waiting('b'));
    pods.store.delete('default/b');
    await clock.advance(120_000);
    expect(sent()).toEqual([]);
  });

  it.each([404, 409])('is no problem if somebody was faster: %i', async (status) => {
    put(follow(true), waiting('a'));
    answer = { status, body: {} };
    await clock.advance(1000);
    await eventually(() => expect(sent()).toHaveLength(1));
    expect([lifted, failures]).toEqual([[], []]);
  });

  it('is tried again every few seconds if the API server refuses, which is reported once', async () => {
    put(follow(true), waiting('a'));
    answer = { status: 403, body: { message: 'pods "a" is forbidden' } };
    for (let tries = 1; tries <= 3; tries++) {
      await clock.advance(6000);
      await eventually(() => expect(sent().length).toBeGreaterThanOrEqual(tries));
    }
    expect(failures).toEqual([expect.stringContaining('default/a cannot be let go: HTTP 403')]);
    answer = { status: 200, body: { kind: 'Pod' } };
    await clock.advance(6000);
    await eventually(() => expect(lifted).toEqual(['default/a']));
  });

  it('is no news if nothing had to be done, because somebody was faster', async () => {
    put(
      follow(true, () => undefined),
      waiting('a'),
    );
    await clock.advance(1000);
    await eventually(() => expect(sent()).toHaveLength(1));
    await clock.advance(1000);
    expect([sent().length, lifted]).toEqual([1, []]);
  });

  it('does not wait for others that are always refused, and goes as fast as the API server answers', async () => {
    const pods = follow(true);
    const isBad = (path: string): boolean => path.includes('/bad');
    api.answer = ({ path }) =>
      isBad(path) ? { status: 403, body: {} } : { status: 200, body: { kind: 'Pod' } };
    for (let i = 0; i < 50; i++) put(pods, waiting(`bad${i}`));
    for (let i = 0; i < 100; i++) put(pods, waiting(`good${i}`));
    await clock.advance(1000);
    await eventually(() => expect(lifted).toHaveLength(100));
  });

  it('is one of ten that are let go at the same time', async () => {
    const pods = follow(true);
    for (let i = 0; i < 100; i++) put(pods, waiting(`p${i}`));
    answer = 'silent';
    await clock.advance(3000);
    await eventually(() => expect(sent()).toHaveLength(10));
    await clock.advance(1000);
    expect(sent()).toHaveLength(10);
  });
});
