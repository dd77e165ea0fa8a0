/** How Events reach the API server: few at a time, and never in the way of anything else. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EventRecorder } from '../../../src/sources/kubernetes/event-recorder.ts';
import { FakeClock } from '../../support/clock.ts';
import { eventually } from '../../support/eventually.ts';
import { failure, ScriptedApi } from '../../support/scripted-api.ts';

let api: ScriptedApi;
let clock: FakeClock;
let stopping: AbortController;
let failures: string[];
let recorder: EventRecorder;
beforeEach(async () => {
  api = await ScriptedApi.start(() => ({ status: 201 }));
  clock = new FakeClock();
  stopping = new AbortController();
  failures = [];
  recorder = new EventRecorder(api.client(), 'tests', stopping.signal, (each) => failures.push(each), clock);
});
afterEach(async () => {
  stopping.abort();
  await api[Symbol.asyncDispose]();
});

const about = { apiVersion: 'v1', kind: 'Pod', namespace: 'team', name: 'p', uid: 'u' };
function record(count: number): void {
  for (let i = 0; i < count; i++) recorder.record(about, 'Normal', 'Tested', `message ${i}`);
}

it('an Event names its object, its component, its reason and its message', async () => {
  record(1);
  await eventually(() => expect(api.calls).toHaveLength(1));
  expect(api.calls[0]).toMatchObject({
    method: 'POST',
    path: '/api/v1/namespaces/team/events',
    body: {
      involvedObject: about,
      type: 'Normal',
      reason: 'Tested',
      message: 'message 0',
      source: { component: 'tests' },
      firstTimestamp: '2026-11-25T12:00:00Z',
    },
  });
});

describe('many Events at once', () => {
  it('are written fifty at once, and then two a second', async () => {
    record(60);
    await eventually(() => expect(api.calls).toHaveLength(50));
    await clock.advance(499);
    expect(api.calls).toHaveLength(50);
    for (let i = 0; i < 5; i++) await clock.advance(500);
    await eventually(() => expect(api.calls.length).toBeGreaterThanOrEqual(54));
    expect(api.calls.length).toBeLessThanOrEqual(56);
  });

  it('are sent by no more than two requests at the same time', async () => {
    api.answer = () => 'silent';
    record(400);
    await eventually(() => expect(api.calls).toHaveLength(2));
    await clock.advance(5000);
    expect(api.calls).toHaveLength(2);
  });

  it('are lost beyond a limit, and how many is said once', async () => {
    record(3000);
    for (let i = 0; i < 600; i++) await clock.advance(500);
    await eventually(async () => {
      await clock.advance(500);
      expect(failures).toHaveLength(1);
    });
    const written = api.calls.length;
    expect(written).toBeLessThanOrEqual(502);
    expect(failures[0]).toBe(
      `${3000 - written} Events were not written, because there were too many at once`,
    );
  });
});

it('an Event that the API server refuses is reported; one that it has already is not', async () => {
  api.answer = () => failure(409, 'it exists');
  record(1);
  await eventually(() => expect(api.calls).toHaveLength(1));
  api.answer = () => failure(403, 'by policy');
  record(1);
  await eventually(() => expect(failures).toHaveLength(1));
  expect(failures[0]).toContain('an Event on Pod team/p could not be written');
});
