/** Measures POST /mutate over TLS, the built webhook against the floor. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { putLoad, WARM_UP_REQUESTS, warmUp, type LoadResult } from './load.ts';
import { mean, median, takeTurns, type Row } from './measure.ts';
import {
  residentBytes,
  startFloor,
  startScriptedApiServer,
  startWebhookProcess,
  type ScriptedApiServer,
} from './processes.ts';
import type { Script } from './scripted-api-server.ts';
import { makeReviews, SELECTORS, type Scenario } from './reviews.ts';

const CACHES = 10_000;
/** Reviews of each scenario; there are enough new image sets that none comes again while its answer is remembered. */
const REVIEWS = 4000;
const NEW_IMAGE_SETS = 20_000;
/** About as many reviews as a connection sends in a turn; the next turn begins after them. */
const A_TURN = 100;
/** Combines the results of one contestant's turns in a round. */
const SUMMARY: Readonly<Record<keyof LoadResult, (values: readonly number[]) => number>> = {
  perSecond: mean,
  processorMicroseconds: mean,
  p50: median,
  p99: median,
};
const GOALS = { throughput: { atLeast: 0.85 }, p99: { atMost: 1.3 } };
/** Changes to ImageCaches while the load runs: more than a region with 500 caches sees. */
const CHANGES_PER_SECOND = 10;
const MIB = 2 ** 20;

const SCENARIOS: readonly { readonly scenario: Scenario; readonly hasGoal: boolean }[] = [
  { scenario: 'hit', hasGoal: true },
  { scenario: 'miss', hasGoal: true },
  { scenario: 'out of scope', hasGoal: true },
  { scenario: 'selectors', hasGoal: true },
  { scenario: 'new image set', hasGoal: false },
];

export async function measureServing(rounds: number, turns: number): Promise<Row[]> {
  using plain = await startScriptedApiServer(CACHES, 0);
  using profiled = await startScriptedApiServer(CACHES, SELECTORS);
  const rows: Row[] = [];
  for (const { scenario, hasGoal } of SCENARIOS) {
    const reviews = makeReviews(scenario, CACHES, scenario === 'new image set' ? NEW_IMAGE_SETS : REVIEWS);
    const api = scenario === 'selectors' ? profiled : plain;
    const [compared] = await takeTurns(rounds, [() => compareOnce(api, reviews, turns)]);
    const compare = (
      key: keyof LoadResult,
      when: keyof Contestant = 'warm',
    ): { figure: number; ratio: number } => {
      const of = (contestant: Contestant): number => SUMMARY[key](contestant[when].map((each) => each[key]));
      return {
        figure: median(compared!.map(({ ours }) => of(ours))),
        ratio: median(compared!.map(({ ours, floor }) => of(ours) / of(floor))),
      };
    };
    const what = (name: string): { section: string; what: string } => ({
      section: 'serving',
      what: `${scenario}: ${name}`,
    });
    rows.push(
      {
        ...what('throughput'),
        ...compare('perSecond'),
        unit: '/s',
        ...(hasGoal && { goal: GOALS.throughput }),
      },
      { ...what('p50'), ...compare('p50'), unit: 'ms' },
      { ...what('p99'), ...compare('p99'), unit: 'ms', ...(hasGoal && { goal: GOALS.p99 }) },
      { ...what('processor time'), ...compare('processorMicroseconds'), unit: 'µs' },
      {
        ...what(`throughput of the first ${WARM_UP_REQUESTS.toLocaleString('en')}`),
        ...compare('perSecond', 'cold'),
        unit: '/s',
      },
    );
  }
  return rows;
}

interface Contestant {
  /** The results of its first requests, while V8 compiles and no answer is remembered. */
  readonly cold: readonly LoadResult[];
  readonly warm: readonly LoadResult[];
}

/**
 * Measures the floor and the webhook in new processes each round, because processes of one program differ by a twelfth
 * for their whole lives. They take turns of half a second, because the speed of the machine changes within longer
 * times.
 */
async function compareOnce(
  api: ScriptedApiServer,
  reviews: readonly string[],
  turns: number,
): Promise<{ floor: Contestant; ours: Contestant }> {
  using floor = await startFloor();
  using webhook = await startWebhookProcess(api);
  api.run({ changesPerSecond: CHANGES_PER_SECOND });
  const both = [floor, webhook];
  const cold = await takeTurns(
    1,
    both.map((server) => () => warmUp(server, reviews)),
  );
  const warm = await takeTurns(
    turns,
    both.map((server) => (turn) => putLoad(server, reviews, { seconds: 0.5, skip: turn * A_TURN })),
  );
  api.run({ changesPerSecond: 0 });
  return { floor: { cold: cold[0]!, warm: warm[0]! }, ours: { cold: cold[1]!, warm: warm[1]! } };
}

/**
 * Measures how much the 99th percentile grows while all caches are listed anew. Each round has new processes, and turns
 * of four seconds, in which a list comes to its end.
 */
export async function measureChurn(rounds: number, turns: number): Promise<Row[]> {
  const p99 = async (caches: number, script: Script): Promise<{ figure: number; ratio: number }> => {
    using api = await startScriptedApiServer(caches, 0);
    const reviews = makeReviews('hit', caches, REVIEWS);
    const [compared] = await takeTurns(rounds, [() => disturb(api, script, reviews, turns)]);
    return {
      figure: median(compared!.map(({ busy }) => busy)),
      ratio: median(compared!.map(({ busy, quiet }) => busy / quiet)),
    };
  };
  return [
    {
      section: 'churn',
      what: 'p99 while 100,000 caches are listed',
      ...(await p99(100_000, { relist: true })),
      unit: 'ms',
      goal: { atMost: 3 },
    },
  ];
}

/** @returns the 99th percentiles of a new webhook, in milliseconds */
async function disturb(
  api: ScriptedApiServer,
  script: Script,
  reviews: readonly string[],
  turns: number,
): Promise<{ quiet: number; busy: number }> {
  using webhook = await startWebhookProcess(api);
  const inQuiet = (): Promise<LoadResult> => putLoad(webhook, reviews, { seconds: 4 });
  const disturbed = async (): Promise<LoadResult> => {
    const result = await putLoad(webhook, reviews, { seconds: 4, meanwhile: () => api.run(script) });
    api.run({ changesPerSecond: 0 });
    return result;
  };
  await warmUp(webhook, reviews);
  await disturbed();
  const [quiet, busy] = await takeTurns(turns, [inQuiet, disturbed]);
  return { quiet: median(quiet!.map(({ p99 }) => p99)), busy: median(busy!.map(({ p99 }) => p99)) };
}

/** Measures how much more a tick costs after full garbage collections, with our workaround and without. */
export async function measureTicks(rounds: number): Promise<Row[]> {
  const growth = async (workaround: 'kept' | 'plain'): Promise<number> => {
    const script = join(import.meta.dirname, 'tick-cost.ts');
    const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', script, workaround]);
    return Number(stdout);
  };
  const [kept, plain] = await takeTurns(rounds, [() => growth('kept'), () => growth('plain')]);
  const row = (what: string, values: readonly number[]): Row => ({
    section: 'ticks',
    what,
    figure: median(values),
    unit: 'times',
  });
  return [
    { ...row('cost of a tick after full collections, with the workaround', kept!), goal: { atMost: 2 } },
    // Once this figure is below 2, Node or V8 is fixed, and src/runtime/next-tick-workaround.ts can be removed.
    row('the same without it', plain!),
  ];
}

/** Measures how long a process takes to be ready, and whether its memory grows with the requests that it serves. */
export async function measureLife(rounds: number, requests: number): Promise<Row[]> {
  using api = await startScriptedApiServer(CACHES, 0);
  const starts: number[] = [];
  for (let i = 0; i < rounds; i++) {
    using webhook = await startWebhookProcess(api);
    starts.push(webhook.readyAfter);
  }
  using webhook = await startWebhookProcess(api);
  const reviews = makeReviews('hit', CACHES, REVIEWS);
  const memoryAfter = new Map<number, number>();
  let served = 0;
  for (const milestone of [requests / 100, requests / 10, requests]) {
    await putLoad(webhook, reviews, { requests: milestone - served });
    served = milestone;
    memoryAfter.set(milestone, residentBytes(webhook.pid));
  }
  const last = memoryAfter.get(requests)!;
  memoryAfter.delete(requests);
  const count = (number: number): string => number.toLocaleString('en');
  return [
    { section: 'life', what: 'start to ready, 10,000 caches', figure: median(starts), unit: 'ms' },
    ...Array.from(memoryAfter, ([milestone, bytes]) => ({
      section: 'life',
      what: `memory after ${count(requests)} requests, against after ${count(milestone)}`,
      figure: last / MIB,
      unit: 'MiB',
      ratio: last / bytes,
      goal: { atMost: 1.1 },
    })),
  ];
}
