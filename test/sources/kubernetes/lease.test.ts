/** Elections with a Lease on a scripted API server, and a clock that moves only when a test advances it. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LeaderElection } from '../../../src/sources/kubernetes/lease.ts';
import { FakeClock } from '../../support/clock.ts';
import { eventually } from '../../support/eventually.ts';
import type { Json } from '../../support/objects.ts';
import { failure, ScriptedApi, type ApiAnswer, type ApiCall } from '../../support/scripted-api.ts';

const DURATION = 15_000;
const PATH = '/apis/coordination.k8s.io/v1/namespaces/kube-system/leases';

class JumpingClock extends FakeClock {
  jumped = 0;

  override elapsed(): number {
    return super.elapsed() + this.jumped;
  }
}

let api: ScriptedApi;
let clock: FakeClock;
/** The Lease on the server, which refuses a PUT with another resourceVersion, as a real API server does. */
let lease: Json | undefined;
let version = 1;
/** Answers instead of the server, unless the result is undefined. */
let instead: (call: ApiCall) => ApiAnswer | undefined;
const stops: (() => Promise<void>)[] = [];

function serve(call: ApiCall): ApiAnswer {
  const other = instead(call);
  if (other) return other;
  if (call.method === 'GET') return lease ? { status: 200, body: lease } : failure(404, 'not found');
  const written = call.body as { metadata: Json; spec: Json };
  if (call.method === 'POST' && lease) return failure(409, 'it exists');
  const former = lease?.['metadata'] as Json | undefined;
  if (call.method === 'PUT' && written.metadata['resourceVersion'] !== former?.['resourceVersion'])
    return failure(409, 'it has changed');
  lease = { ...written, metadata: { ...written.metadata, resourceVersion: `${++version}` } };
  return { status: 200, body: lease };
}

function specOf(): Json {
  return (lease?.['spec'] ?? {}) as Json;
}

/** Gives the Lease to another holder; an empty identity makes the Lease free. */
function heldBy(holderIdentity: string): void {
  lease = {
    metadata: { name: 'l', namespace: 'kube-system', resourceVersion: `${++version}` },
    spec: { holderIdentity, leaseDurationSeconds: 15, leaseTransitions: 3 },
  };
}

interface Replica {
  readonly isLeading: () => boolean;
  readonly steps: string[];
  readonly failures: string[];
  readonly stop: () => Promise<void>;
}

function start(identity: string): Replica {
  const stopping = new AbortController();
  const steps: string[] = [];
  const failures: string[] = [];
  let leading = false;
  const election = new LeaderElection(
    api.client(),
    { namespace: 'kube-system', name: 'l', identity, durationMs: DURATION },
    {
      onLead: async (signal) => {
        leading = true;
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
        leading = false;
      },
      onStep: (step) => steps.push(step),
      onFailure: (failed) => failures.push(failed),
    },
    clock,
  );
  const running = election.run(stopping.signal);
  const stop = async (): Promise<void> => {
    stopping.abort();
    await running;
  };
  stops.push(stop);
  return { isLeading: () => leading, steps, failures, stop };
}

/** Lets the replicas pause once, send a request, and receive the answer. */
async function round(): Promise<void> {
  const before = api.calls.length;
  await clock.advance(DURATION * (2 / 15) * 1.2);
  await eventually(() => expect(api.calls.length).toBeGreaterThan(before));
  await eventually(() => expect(clock.waits().length).toBeGreaterThan(0));
}

beforeEach(async () => {
  clock = new FakeClock();
  lease = undefined;
  instead = () => undefined;
  api = await ScriptedApi.start(serve);
});
afterEach(async () => {
  instead = () => undefined;
  await Promise.all(stops.splice(0).map((stop) => stop()));
  await api[Symbol.asyncDispose]();
});

describe('a replica', () => {
  it('creates the Lease if there is none, and leads', async () => {
    const one = start('one');
    await eventually(() => expect(one.isLeading()).toBe(true));
    expect(api.calls.map(({ method, path }) => `${method} ${path}`)).toEqual([
      `GET ${PATH}/l`,
      `POST ${PATH}`,
    ]);
    expect(specOf()).toMatchObject({ holderIdentity: 'one', leaseDurationSeconds: 15, leaseTransitions: 0 });
  });

  it('renews the Lease well within its duration, and keeps its acquireTime', async () => {
    const one = start('one');
    await eventually(() => expect(one.isLeading()).toBe(true));
    const { acquireTime, renewTime } = specOf();
    await round();
    await eventually(() => expect(specOf()['renewTime']).not.toBe(renewTime));
    expect(specOf()).toMatchObject({ acquireTime, leaseTransitions: 0 });
    expect(clock.elapsed()).toBeLessThan(DURATION / 3);
  });

  it('takes a free Lease at once', async () => {
    heldBy('');
    const one = start('one');
    await eventually(() => expect(one.isLeading()).toBe(true));
    expect(specOf()).toMatchObject({ holderIdentity: 'one', leaseTransitions: 4 });
  });

  it('never takes a Lease that another renews, and takes a Lease that was unchanged for its duration', async () => {
    heldBy('other');
    const one = start('one');
    for (let i = 0; i < 12; i++) {
      await round();
      heldBy('other');
    }
    expect(one.isLeading()).toBe(false);
    await round();
    const lastSeen = clock.elapsed();
    while (clock.elapsed() - lastSeen < DURATION - 3000) {
      await round();
      expect(one.isLeading()).toBe(false);
    }
    for (let i = 0; i < 3; i++) await round();
    await eventually(() => expect(one.isLeading()).toBe(true));
    expect(clock.elapsed() - lastSeen).toBeLessThan(DURATION * 1.5);
  });

  it('ignores the times in the Lease, because the clocks of replicas differ', async () => {
    heldBy('other');
    (lease!['spec'] as Json)['renewTime'] = '1999-01-01T00:00:00.000000Z';
    const one = start('one');
    await round();
    await round();
    expect(one.isLeading()).toBe(false);
  });

  it('stops leading before another may begin if it cannot renew the Lease, and reports that', async () => {
    const one = start('one');
    await eventually(() => expect(one.isLeading()).toBe(true));
    instead = () => failure(500, 'etcd is down');
    const lostAt = clock.elapsed();
    while (one.isLeading()) await round();
    expect(clock.elapsed() - lostAt).toBeLessThan(DURATION);
    expect(clock.elapsed() - lostAt).toBeGreaterThan(DURATION / 2);
    expect(one.failures).toEqual(['Lease l: HTTP 500: etcd is down']);
    await eventually(() =>
      expect(one.steps).toContainEqual('no longer leading: Lease l could not be renewed'),
    );
  });

  it('stops leading in time also if its renewal never gets an answer', async () => {
    const one = start('one');
    await eventually(() => expect(one.isLeading()).toBe(true));
    const renewedAt = clock.elapsed();
    instead = () => 'silent';
    // Step by step, so that the moment is seen.
    while (one.isLeading() && clock.elapsed() - renewedAt < 2 * DURATION) await clock.advance(100);
    expect(clock.elapsed() - renewedAt).toBeLessThanOrEqual((DURATION * 2) / 3 + 100);
  });

  it('counts from when it asked for the Lease, and not from when the answer came', async () => {
    const jumping = new JumpingClock();
    clock = jumping;
    // Nine seconds pass while the answer is under way.
    instead = ({ method }) => {
      if (method === 'POST') jumping.jumped = 9000;
      return undefined;
    };
    const one = start('one');
    await eventually(() => expect(one.isLeading()).toBe(true));
    instead = () => 'silent';
    while (one.isLeading() && clock.elapsed() < 2 * DURATION) await clock.advance(100);
    expect(clock.elapsed()).toBeLessThanOrEqual((DURATION * 2) / 3 + 100);
  });

  it('stops leading at once if another has taken the Lease', async () => {
    const one = start('one');
    await eventually(() => expect(one.isLeading()).toBe(true));
    heldBy('other');
    await round();
    await eventually(() => expect(one.isLeading()).toBe(false));
  });

  it('releases its own Lease when it is stopped, and no other', async () => {
    const one = start('one');
    await eventually(() => expect(one.isLeading()).toBe(true));
    await one.stop();
    expect(specOf()).toMatchObject({ holderIdentity: '', leaseDurationSeconds: 1 });
    heldBy('other');
    const two = start('two');
    await round();
    await two.stop();
    expect(specOf()).toMatchObject({ holderIdentity: 'other' });
  });
});

it('of two replicas that find the Lease free at the same time one leads, and neither reports a failure', async () => {
  heldBy('');
  const both = [start('one'), start('two')];
  await eventually(() => expect(both.filter((each) => each.isLeading())).toHaveLength(1));
  await round();
  expect(both.filter((each) => each.isLeading())).toHaveLength(1);
  expect(both.flatMap(({ failures }) => failures)).toEqual([]);
});
