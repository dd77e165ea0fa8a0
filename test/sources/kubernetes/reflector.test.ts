/** The reflector against a scripted API server, with a clock that moves only when a test advances it. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { JsonObject } from '../../../src/core/kubernetes/json.ts';
import type { Resource, Store } from '../../../src/sources/kubernetes/list-all.ts';
import { Reflector } from '../../../src/sources/kubernetes/reflector.ts';
import { timingFor } from '../../../src/sources/kubernetes/reflector-timing.ts';
import { FakeClock } from '../../support/clock.ts';
import { eventually } from '../../support/eventually.ts';
import type { Json } from '../../support/objects.ts';
import { failure, listOf, ScriptedApi, type ApiAnswer, type ApiCall } from '../../support/scripted-api.ts';

const MAX_STALENESS = 60_000;
const { watchFor, silence, absentRecheck } = timingFor(MAX_STALENESS);
const THINGS: Resource = {
  kind: 'Thing',
  paths: ['/apis/x/v1/things', '/apis/x/v1beta1/things'],
  labelSelector: 'a=b',
  mayBeAbsent: true,
};

function thing(name: string, resourceVersion = '1'): Json {
  return { metadata: { name, resourceVersion } };
}

class Things implements Store {
  readonly held = new Map<string, JsonObject>();
  readonly served: boolean[] = [];
  apply(key: string, object: JsonObject): void {
    this.held.set(key, object);
  }
  delete(key: string): void {
    this.held.delete(key);
  }
  keys(): Iterable<string> {
    return this.held.keys();
  }
  size(): number {
    return this.held.size;
  }
  setServed(served: boolean): void {
    this.served.push(served);
  }
}

let api: ScriptedApi;
let clock: FakeClock;
let store: Things;
let reflector: Reflector;
let stopping: AbortController;
let running: Promise<void>;
const failures: string[] = [];
const steps: string[] = [];
/** The answers to lists and to watches. */
let list: (call: ApiCall) => ApiAnswer;
let watch: (call: ApiCall) => ApiAnswer;

beforeEach(async () => {
  list = () => listOf('10', [thing('a')]);
  watch = () => 'watch';
  failures.length = 0;
  steps.length = 0;
  clock = new FakeClock();
  store = new Things();
  stopping = new AbortController();
  api = await ScriptedApi.start((call) => (call.query['watch'] === 'true' ? watch(call) : list(call)));
});
afterEach(async () => {
  stopping.abort();
  await running;
  await api[Symbol.asyncDispose]();
});

function start(resource = THINGS): void {
  const events = {
    onFailure: (message: string) => failures.push(message),
    onStep: (message: string) => steps.push(message),
    onConfirmed: () => undefined,
  };
  reflector = new Reflector(resource, api.client(), store, timingFor(MAX_STALENESS), events, clock);
  running = reflector.run(stopping.signal);
}

function names(): string[] {
  return [...store.held.keys()].toSorted();
}

/**
 * Waits until the reflector pauses after a failure, and ends the pause. The reflector has one timer in a pause, and two
 * during a watch.
 */
async function nextAttempt(): Promise<void> {
  await eventually(() => expect(clock.waits()).toHaveLength(1));
  await clock.advance(clock.waits()[0]!);
}

const lists = (): ApiCall[] => api.calls.filter(({ query }) => query['watch'] !== 'true');

it('a kind is listed page by page with its selector, and watched from the version of the first page', async () => {
  list = ({ query }) =>
    query['continue'] === 'next' ? listOf('11', [thing('b')]) : listOf('10', [thing('a')], 'next');
  start();
  const { call } = await api.watch(1);
  expect(names()).toEqual(['a', 'b']);
  expect(lists().map(({ query }) => query['labelSelector'])).toEqual(['a=b', 'a=b']);
  expect(call.query).toMatchObject({
    resourceVersion: '10',
    labelSelector: 'a=b',
    allowWatchBookmarks: 'true',
    timeoutSeconds: `${watchFor / 1000}`,
  });
  expect(reflector.confirmedAtMs).toBe(clock.now());
  expect(steps).toEqual(['Thing: 2 listed in 0 ms']);
});

it('events are applied, and after the end of a watch the next watch begins at the last version', async () => {
  start();
  const first = await api.watch(1);
  first.send('ADDED', thing('b', '12'));
  first.send('DELETED', thing('a', '13'));
  first.send('BOOKMARK', { metadata: { resourceVersion: '20' } });
  await eventually(() => expect(names()).toEqual(['b']));
  await clock.advance(watchFor);
  first.end();
  const second = await api.watch(2);
  expect(second.call.query['resourceVersion']).toBe('20');
  expect(lists()).toHaveLength(1);
  expect(failures).toEqual([]);
});

it('an object that a later list no longer has is deleted', async () => {
  start();
  (await api.watch(1)).send('ERROR', { code: 410, message: 'too old' });
  list = () => listOf('30', [thing('c')]);
  await eventually(() => expect(failures).toEqual(['Thing: too old']));
  await clock.advance(10_000);
  await eventually(() => expect(names()).toEqual(['c']));
});

describe('the state is confirmed', () => {
  it.each<[string, (send: Awaited<ReturnType<ScriptedApi['watch']>>) => void]>([
    ['by an event', ({ send }) => send('MODIFIED', thing('a', '12'))],
    ['by a bookmark', ({ send }) => send('BOOKMARK', { metadata: { resourceVersion: '12' } })],
  ])('%s', async (_title, act) => {
    start();
    const open = await api.watch(1);
    await clock.advance(5000);
    act(open);
    await eventually(() => expect(reflector.confirmedAtMs).toBe(clock.now()));
  });

  it('by a watch that the server ends after its full time, and not by a watch that ends early', async () => {
    start();
    const listedAt = clock.now();
    await api.watch(1);
    // By now the watch would have delivered what was missed; the API server confirms the state with that.
    await clock.advance(1000);
    expect(reflector.confirmedAtMs).toBe(listedAt);
    await clock.advance(watchFor / 2);
    api.watches[0]!.end();
    await api.watch(2);
    const secondAt = clock.now();
    await clock.advance(1000);
    await eventually(() => expect(reflector.confirmedAtMs).toBe(secondAt));
    await clock.advance(watchFor - 1000);
    api.watches[1]!.end();
    await api.watch(3);
    await eventually(() => expect(reflector.confirmedAtMs).toBe(secondAt + watchFor));
  });

  it('not by an open connection: a silent watch is cut, and after the second the kind is listed again', async () => {
    start();
    await api.watch(1);
    await clock.advance(1000);
    const confirmedAt = reflector.confirmedAtMs;
    await clock.advance(silence - 1000);
    await eventually(() => expect(failures).toEqual([`Thing: the watch was silent for ${silence} ms`]));
    await nextAttempt();
    await api.watch(2);
    await eventually(() => expect(clock.waits()).toContain(silence));
    await clock.advance(silence);
    expect(reflector.confirmedAtMs).toBe(confirmedAt);
    expect(lists()).toHaveLength(1);
    await nextAttempt();
    await api.watch(3);
    expect(lists()).toHaveLength(2);
    expect(reflector.confirmedAtMs).toBeGreaterThan(confirmedAt!);
  });

  it('not by a watch that follows a silent watch, until an event comes', async () => {
    start();
    const first = await api.watch(1);
    first.send('BOOKMARK', { metadata: { resourceVersion: '12' } });
    await clock.advance(silence + 1000);
    await eventually(() => expect(failures).toHaveLength(1));
    await clock.advance(10_000);
    const listed = await api.watch(2);
    const at = reflector.confirmedAtMs;
    await clock.advance(2000);
    // The watch is accepted and silent, as the watch before was, so it confirms nothing.
    expect(reflector.confirmedAtMs).toBe(at);
    listed.send('BOOKMARK', { metadata: { resourceVersion: '13' } });
    await eventually(() => expect(reflector.confirmedAtMs).toBe(clock.now()));
  });
});

describe('a fault', () => {
  it('leads to a longer pause each time, is reported once, and its end is reported too', async () => {
    list = () => failure(500, 'etcd is down');
    start();
    await eventually(() => expect(clock.waits()).toEqual([150]));
    await clock.advance(150);
    await eventually(() => expect(clock.waits()).toEqual([300]));
    await clock.advance(300);
    await eventually(() => expect(clock.waits()).toEqual([600]));
    expect(failures).toEqual(['Thing: HTTP 500: etcd is down']);
    expect(reflector.problem).toBe('Thing: HTTP 500: etcd is down');
    list = () => listOf('10', []);
    await clock.advance(600);
    await eventually(() => expect(steps).toContainEqual('Thing: up to date again after 1.1 s'));
    expect(reflector.problem).toBeUndefined();
  });

  it('with Retry-After leads to a pause of at least that time', async () => {
    list = () => failure(429, 'slow down', { 'retry-after': '7' });
    start();
    await eventually(() => expect(clock.waits()).toEqual([7050]));
  });

  it('in the bytes of a watch is followed by a list, because another watch would bring the same bytes', async () => {
    start();
    (await api.watch(1)).write('no event\n');
    await eventually(() => expect(failures).toEqual([expect.stringContaining('an event is not JSON')]));
    await clock.advance(1000);
    await api.watch(2);
    expect(lists()).toHaveLength(2);
  });

  it('of watches that are closed as soon as they are accepted leads to a list after the second', async () => {
    start();
    for (let i = 1; i <= 2; i++) {
      (await api.watch(i)).end();
      await nextAttempt();
    }
    await api.watch(3);
    expect(lists()).toHaveLength(2);
    expect(failures).toEqual(['Thing: the watch was closed at once']);
  });

  it.each([401, 403, 429, 500])(
    'of HTTP %i on a watch leads to another watch, not to a list',
    async (status) => {
      watch = () => failure(status, 'no');
      start();
      await eventually(() => expect(failures).toEqual([`Thing: HTTP ${status}: no`]));
      watch = () => 'watch';
      await clock.advance(10_000);
      await api.watch(1);
      expect(lists()).toHaveLength(1);
    },
  );
});

describe('a kind that the cluster may lack', () => {
  it('is found under another version, and watched there', async () => {
    list = ({ path }) => (path.includes('v1beta1') ? listOf('10', [thing('a')]) : failure(404, 'not found'));
    start();
    expect((await api.watch(1)).call.path).toBe('/apis/x/v1beta1/things');
    expect(store.served).toEqual([true]);
  });

  it('may disappear without a problem: its objects are deleted, and the kind is requested again', async () => {
    start();
    (await api.watch(1)).send('ERROR', { code: 410, message: 'gone' });
    list = () => failure(404, 'not found');
    await eventually(() => expect(failures).toHaveLength(1));
    await eventually(async () => {
      await clock.advance(100);
      expect(reflector.state).toBe('absent');
    });
    expect(names()).toEqual([]);
    expect(store.served).toEqual([true, false]);
    expect(reflector.problem).toBeUndefined();
    list = () => listOf('40', [thing('z')]);
    await clock.advance(absentRecheck * 1.25);
    await eventually(() => expect(names()).toEqual(['z']));
    expect(store.served).toEqual([true, false, true]);
  });

  it('is a problem if it is missing and mayBeAbsent is false', async () => {
    list = () => failure(404, 'not found');
    start({ ...THINGS, mayBeAbsent: false });
    await eventually(() => expect(failures).toEqual(['Thing: HTTP 404: not found']));
    expect(reflector.state).toBe('retrying');
  });
});
