/**
 * Replays a month of pods and measures what packs and createOnMiss.by: auto are worth: the share of pods that start warm,
 * the caches made, their cost, and the time. The figures follow from the trace and the seed; only the time depends on the machine.
 */
import { existsSync, readFileSync } from 'node:fs';
import { loadConfig } from '../../src/config/load.ts';
import { SNAPSHOT_PRICE } from '../../src/core/decision/break-even.ts';
import type { Outcome } from '../../src/replay/account.ts';
import { replay } from '../../src/replay/replay.ts';
import { DEFAULT_SYNTHETIC, syntheticTrace } from '../../src/replay/synthetic-trace.ts';
import { readTrace, type Trace } from '../../src/replay/trace.ts';
import { reconcilerOptions } from '../../src/runtime/reconciler-options.ts';
import type { Row } from './measure.ts';
import { DEFAULT_CONFIG } from '../support/default-config.ts';

const REAL = '../shared/data/pod-creations-dlrm.csv';
const THREE_DAYS = 3 * 86_400;
const TEN_MINUTES = 600_000;
/** A tenth of the templates. */
const QUOTA = '28';
const NO_LIMIT = '1000000';

interface Measured extends Outcome {
  readonly seconds: number;
}

async function run(
  trace: Trace,
  newTagEvery: number,
  quota: string,
  { templatesAhead, by = 'controller' }: { templatesAhead?: number; by?: string } = {},
): Promise<Measured> {
  const settings = new Map([
    ['createOnMiss.by', by],
    ['controller.quota', quota],
    ['controller.tenantCreationsPerHour', NO_LIMIT],
    ['controller.creationsPerHour', NO_LIMIT],
    ['prewarm', String(templatesAhead !== undefined)],
  ]);
  const began = performance.now();
  const outcome = await replay(trace, reconcilerOptions(loadConfig(undefined, settings, {})), {
    seed: 1,
    newTagEvery,
    sidecars: ['registry.example/mesh/proxy:1'],
    prices: { ...DEFAULT_CONFIG.prices, snapshotGibMonth: SNAPSHOT_PRICE },
    creationTime: 180_000,
    bytesPerSecond: 7.7e6,
    templatesAhead,
    knownSizes: true,
  });
  return { ...outcome, seconds: (performance.now() - began) / 1000 };
}

/** Once, because the figures are the same each time. */
export async function measureReplay(): Promise<Row[]> {
  const isReal = existsSync(REAL);
  const trace = isReal ? readTrace(REAL, readFileSync(REAL, 'utf8')) : syntheticTrace(1, DEFAULT_SYNTHETIC);
  const name = isReal ? 'real trace' : 'synthetic trace';
  const rows: Row[] = [];
  for (const [what, every, least, mostMade] of [
    ['one tag', Infinity, 0.985, 450],
    ['a new tag every 3 days', THREE_DAYS, 0.98, 1600],
  ] as const) {
    const bound = await run(trace, every, NO_LIMIT);
    const packed = await run(trace, every, QUOTA);
    const row = (text: string, figure: number, unit: string, goal?: Row['goal']): Row => ({
      section: 'replay',
      what: `${name}, ${what}: ${text}`,
      figure,
      unit,
      ...(goal && { goal }),
    });
    rows.push(
      row('warm without a quota, the bound', bound.warm / bound.pods, 'of all pods'),
      row(`warm with ${QUOTA} places, of the bound`, packed.warm / bound.warm, '', { atLeast: least }),
      row(`caches made with ${QUOTA} places`, packed.made, '', isReal ? { atMost: mostMade } : undefined),
      row('pods that pointed to a cache that was not Ready', packed.failed, '', { atMost: 0 }),
      row('time of the policy', packed.seconds, 's', { atMost: 20 }),
    );
  }
  const ahead = await run(trace, THREE_DAYS, NO_LIMIT, { templatesAhead: TEN_MINUTES });
  rows.push({
    section: 'replay',
    what: `${name}, a new tag every 3 days, templates 10 min ahead: warm without a quota`,
    figure: ahead.warm / ahead.pods,
    unit: 'of all pods',
    goal: { atLeast: 0.95 },
  });
  const eci = await run(trace, Infinity, NO_LIMIT, { by: 'eci' });
  const auto = await run(trace, Infinity, NO_LIMIT, { by: 'auto' });
  const { making, keeping, disks } = auto.cost;
  const ofAuto = (text: string, figure: number, unit: string, goal: Row['goal']): Row => ({
    section: 'replay',
    what: `${name}, one tag, createOnMiss.by: auto: ${text}`,
    figure,
    unit,
    ...(goal && { goal }),
  });
  rows.push(
    ofAuto("warm, of ECI's", auto.warm / eci.warm, '', { atLeast: 1 }),
    ofAuto('cost, of what is saved', (making + keeping + disks) / auto.worth, '', { atMost: 1.05 }),
    ofAuto('time of the policy', auto.seconds, 's', { atMost: 20 }),
  );
  return rows;
}
