/** Measures the decision, as the server makes it, and the index alone; each size in a process of its own. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import type { ImageCache } from '../../src/core/image-cache.ts';
import { ClusterIndex } from '../../src/index/cluster-index.ts';
import { RecentDecisions } from '../../src/server/recent-decisions.ts';
import { DEFAULT_CONFIG } from '../support/default-config.ts';
import type { Json } from '../support/objects.ts';
import { median, type Row } from './measure.ts';
import { CREATED_FROM, describeCaches, describeImageSets, toImageCache } from './population.ts';

export interface SizeResult {
  readonly caches: number;
  /** Nanoseconds a decision: the mean of each round. */
  readonly newSet: readonly number[];
  readonly repeated: readonly number[];
  readonly addedPerSecond: number;
  readonly secondsToFill: number;
  readonly bytesPerCache: number;
  /** Microseconds. */
  readonly update: number;
  readonly remove: number;
}

const DECISIONS = 1000;
const CHANGES = 2000;
const NOW = CREATED_FROM + 365 * 86_400_000;

/** In this process. */
function measureSize(caches: number, rounds: number): SizeResult {
  globalThis.gc?.();
  const before = process.memoryUsage();
  const index = new ClusterIndex();
  let filling = 0;
  const batch: ImageCache[] = [];
  const fill = (finish: () => void): void => {
    const began = performance.now();
    for (const cache of batch) index.imageCaches.apply(cache);
    finish();
    filling += performance.now() - began;
    batch.length = 0;
  };
  for (const description of describeCaches(caches)) {
    batch.push(toImageCache(description));
    if (batch.length === 1000) fill(() => undefined);
  }
  fill(() => index.confirm(NOW));
  globalThis.gc?.();
  const after = process.memoryUsage();

  const sets = describeImageSets(caches);
  const somePods = (): Json[] => Array.from({ length: DECISIONS }, () => podOf(sets.next().value));
  const recent = new RecentDecisions(index, DEFAULT_CONFIG);
  const nanoseconds = (pods: readonly Json[]): number => {
    const began = performance.now();
    for (const pod of pods) recent.decide(pod, 'default', NOW);
    return ((performance.now() - began) / pods.length) * 1e6;
  };
  const same = Array.from({ length: 20 }, () => podOf(sets.next().value));
  const again = Array.from({ length: DECISIONS }, (_, i) => same[i % same.length]!);
  for (let i = 0; i < 3; i++) {
    nanoseconds(somePods());
    nanoseconds(again);
  }
  const newSet: number[] = [];
  const repeated: number[] = [];
  for (let i = 0; i < rounds; i++) {
    newSet.push(nanoseconds(somePods()));
    repeated.push(nanoseconds(again));
  }
  return {
    caches,
    newSet,
    repeated,
    addedPerSecond: caches / (filling / 1000),
    secondsToFill: filling / 1000,
    bytesPerCache: (after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers) / caches,
    ...measureChanges(index, caches),
  };
}

function measureChanges(index: ClusterIndex, caches: number): { update: number; remove: number } {
  const chosen = Array.from(describeCaches(caches), (each, i) => ({ each, i }))
    .filter(({ i }) => i % Math.max(1, Math.floor(caches / CHANGES)) === 0)
    .map(({ each }) => toImageCache(each));
  const time = (change: (cache: ImageCache) => unknown): number => {
    const began = performance.now();
    for (const cache of chosen) change(cache);
    return ((performance.now() - began) / chosen.length) * 1000;
  };
  const update = time((cache) => index.imageCaches.apply({ ...cache, phase: 'Updating' }));
  const remove = time((cache) => index.imageCaches.delete(cache.name));
  return { update, remove };
}

function podOf(images: readonly string[]): Json {
  const containers = images.map((image, i) => ({ name: `c${i}`, image }));
  return { metadata: { labels: { eci: 'true' } }, spec: { containers } };
}

export async function measureDeciding(rounds: number, sizes: readonly number[]): Promise<Row[]> {
  const results: SizeResult[] = [];
  for (const caches of sizes) {
    const child = fork(import.meta.filename, [`${caches}`, `${rounds}`], {
      execArgv: ['--expose-gc', '--max-old-space-size=8000'],
    });
    const [result] = (await once(child, 'message')) as [SizeResult];
    results.push(result);
  }
  const thousand = results.find(({ caches }) => caches === 1000);
  return results.flatMap((result): Row[] => {
    const { caches } = result;
    const what = (name: string): string => `${caches.toLocaleString('en')} caches: ${name}`;
    const against = (key: 'newSet' | 'repeated'): { ratio?: number } =>
      thousand ? { ratio: median(result[key]) / median(thousand[key]) } : {};
    return [
      {
        section: 'decision',
        what: what('new image set'),
        figure: median(result.newSet),
        unit: 'ns',
        ...against('newSet'),
        ...(caches === 1e6 && { goal: { atMost: 3 } }),
      },
      {
        section: 'decision',
        what: what('repeated'),
        figure: median(result.repeated),
        unit: 'ns',
        ...against('repeated'),
        ...(caches === 1e6 && { goal: { atMost: 1.5 } }),
      },
      {
        section: 'index',
        what: what('filling'),
        figure: result.secondsToFill,
        unit: 's',
        note: `${result.addedPerSecond.toFixed(0)} caches a second`,
        ...(caches === 1e5 && { goal: { atMost: 1 } }),
      },
      {
        section: 'index',
        what: what('memory'),
        figure: result.bytesPerCache,
        unit: 'bytes a cache',
        ...(caches >= 1e5 && { goal: { atMost: 1000 } }),
      },
      {
        section: 'index',
        what: what('update'),
        figure: result.update,
        unit: 'µs',
        note: `delete ${result.remove.toFixed(1)} µs`,
      },
    ];
  });
}

if (process.send && process.argv[1] === import.meta.filename) {
  const [caches = 0, rounds = 0] = process.argv.slice(2).map(Number);
  process.send(measureSize(caches, rounds), () => process.exit());
}
