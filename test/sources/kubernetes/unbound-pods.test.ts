/** The pods without a node: which are kept, and how many requests those that are not kept cost. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { UnboundPods } from '../../../src/sources/kubernetes/unbound-pods.ts';
import { FakeClock } from '../../support/clock.ts';
import { eventually } from '../../support/eventually.ts';
import { podObject, type Json } from '../../support/objects.ts';
import { listOf, ScriptedApi } from '../../support/scripted-api.ts';

let api: ScriptedApi;
let clock: FakeClock;
let pods: UnboundPods;
let listed: Json[];
const stopping: AbortController[] = [];
beforeEach(async () => {
  listed = [];
  api = await ScriptedApi.start(({ path, query }) => {
    if (path !== '/api/v1/pods') return { status: 200, body: podObject() };
    return query['watch'] === 'true' ? 'watch' : listOf('1', listed);
  });
  clock = new FakeClock();
  const stop = new AbortController();
  stopping.push(stop);
  const events = { onFailure: () => undefined, onStep: () => undefined, onConfirmed: () => undefined };
  pods = new UnboundPods(api.client(), events, stop.signal, 60_000, clock);
});
afterEach(async () => {
  for (const stop of stopping.splice(0)) stop.abort();
  await api[Symbol.asyncDispose]();
});

function named(name: string, annotations: Record<string, string> = {}): Json {
  const object = podObject({ annotations });
  return { ...object, metadata: { ...(object['metadata'] as Json), name, namespace: 'team', uid: name } };
}

async function start(...objects: readonly Json[]): Promise<void> {
  listed = [...objects];
  void pods.reflector.run(stopping.at(-1)!.signal);
  await eventually(() => expect(pods.reflector.confirmedAtMs).toBeDefined());
}

const find = (name: string, isForStranger = false): Promise<string> =>
  pods.find({ namespace: 'team', name, uid: undefined, isForStranger }).then(
    ({ from }) => from,
    (error: Error) => error.message,
  );
const gets = (): number => api.calls.filter(({ path }) => path.startsWith('/api/v1/namespaces/')).length;

it('a pod that the watch has costs no request', async () => {
  await start(named('p'));
  expect(await find('p')).toBe('watch');
  expect(gets()).toBe(0);
});

describe('a pod that is too large to be kept', () => {
  it('is asked for when it is bound', async () => {
    await start(named('large', { 'example.com/notes': 'x'.repeat(20_000) }));
    expect(await find('large')).toBe('get');
  });

  it('is one beyond the limit of its namespace, until others are gone; other namespaces are kept', async () => {
    const notes = { 'example.com/notes': 'x'.repeat(15_000) };
    const other = named('other');
    await start(...Array.from({ length: 1200 }, (_, i) => named(`p${i}`, notes)), {
      ...other,
      metadata: { ...(other['metadata'] as Json), namespace: 'modest' },
    });
    expect(await find('p0')).toBe('watch');
    expect(await find('p1199')).toBe('get');
    const modest = await pods.find({
      namespace: 'modest',
      name: 'other',
      uid: undefined,
      isForStranger: false,
    });
    expect(modest.from).toBe('watch');
    for (let i = 0; i < 300; i++) pods.store.delete(`team/p${i}`);
    pods.store.apply('team/p1199', named('p1199', notes));
    expect(await find('p1199')).toBe('watch');
  });
});

describe('pods that are not known', () => {
  it('are asked for at most four times in a second for strangers, who leave the rest to API servers', async () => {
    await start();
    const strangers = await Promise.all(Array.from({ length: 100 }, (_, i) => find(`s${i}`, true)));
    expect(strangers.filter((each) => each === 'get')).toHaveLength(4);
    expect(await find('real')).toBe('get');
  });

  it('are asked for by at most sixteen requests at once', async () => {
    await start();
    api.answer = () => 'silent';
    const all = Array.from({ length: 300 }, (_, i) => find(`stranger-${i}`));
    await eventually(() => expect(gets()).toBe(16));
    // 64 more wait for a second.
    expect(await all[299]).toBe('too many other pods are being asked for');
    for (let i = 0; i < 22; i++) await clock.advance(50);
    expect(await all[20]).toBe('too many other pods are being asked for');
    expect(gets()).toBe(16);
    stopping.at(-1)!.abort();
    await Promise.all(all);
  });

  it('are asked for at most twenty times in a second', async () => {
    await start();
    const all = Array.from({ length: 60 }, (_, i) => find(`stranger-${i}`));
    await eventually(async () => {
      await clock.advance(50);
      expect(gets()).toBe(20);
    });
    expect(clock.elapsed()).toBeLessThan(950);
    await clock.advance(900 - clock.elapsed());
    expect(gets()).toBe(20);
    for (let i = 0; i < 6; i++) await clock.advance(50);
    await eventually(() => expect(gets()).toBeGreaterThan(30));
    expect(gets()).toBeLessThanOrEqual(40);
    stopping.at(-1)!.abort();
    await Promise.all(all);
  });
});
