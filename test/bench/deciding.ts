/** Measures the decision, as the server makes it, and the index alone; each size in a process of its own, by turns. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { isDeepStrictEqual } from 'node:util';
import type { ImageCache } from '../../src/core/image-cache.ts';
import { ClusterIndex } from '../../src/index/cluster-index.ts';
import { decide } from '../../src/core/decision/decide.ts';
import { readPod } from '../../src/core/pod.ts';
import { encodeResponse } from '../../src/webhook/admission-review.ts';
import { DecisionCache, type Decided } from '../../src/webhook/decision-cache.ts';
import { patchFor } from '../../src/webhook/json-patch.ts';
import { askIndex } from '../oracle/asking.ts';
import { oracle, type OracleOptions } from '../oracle/oracle.ts';
import { DEFAULT_CONFIG } from '../support/default-config.ts';
import type { Json } from '../support/objects.ts';
import { median, takeTurns, type Row } from './measure.ts';
import { CREATED_FROM, describeCaches, describeImageSets, toImageCache } from './population.ts';
import { makeReviews } from './reviews.ts';

/** What it took to fill an index. */
interface Filled {
  readonly secondsToFill: number;
  readonly bytesPerCache: number;
}

/** Mean nanoseconds of a round. */
interface Round {
  /** A decision for an image set that no pod had before. */
  readonly newSet: number;
  readonly repeated: number;
  /** `JSON.parse` of a review, which every webhook has to do: the other figures are compared with it. */
  readonly parse: number;
}

/** Microseconds. */
interface Changes {
  readonly update: number;
  readonly remove: number;
}

/** How many answers were compared with the oracle's, and how many differ. */
interface Checked {
  readonly asked: number;
  readonly differing: number;
}

/** The most that a new image set may take, as a multiple of parsing a review, by the number of caches. */
const MOST_OF_PARSE = new Map([
  [10_000, 10],
  [100_000, 100],
]);
const DECISIONS = 1000;
/** More than the others, because a repeated decision takes a hundredth of the time. */
const REPEATED_DECISIONS = 50_000;
const CHANGES = 2000;
const NOW = CREATED_FROM + 365 * 86_400_000;
/** Caches that the oracle examines for all pods of a size; the number of pods follows, within the limits below. */
const LOOKED_THROUGH = 1e6;
const LEAST_ASKED = 5;
const MOST_ASKED = 200;
/** How many candidates are compared in their order. */
const LOOKED_AT = 50;
const ORACLE_OPTIONS: OracleOptions = {
  minimumMatch: DEFAULT_CONFIG.minimumMatch,
  partialHits: DEFAULT_CONFIG.partialHits,
  by: DEFAULT_CONFIG.createOnMiss.by,
  expiryMargin: DEFAULT_CONFIG.expiryMarginMs,
  region: '',
  notReady: DEFAULT_CONFIG.pin.notReady,
  unknown: DEFAULT_CONFIG.pin.unknown,
  sizes: {},
  now: NOW,
};

/** Measures an index in this process. */
class Measured {
  readonly index = new ClusterIndex();
  readonly filled: Filled;
  readonly #caches: number;
  readonly #cache = new DecisionCache<string>(this.index, DEFAULT_CONFIG);
  readonly #sets: Generator<string[], never>;
  readonly #again: readonly Json[];
  readonly #reviews: readonly string[];

  constructor(caches: number) {
    this.#caches = caches;
    this.filled = this.#fill();
    this.#sets = describeImageSets(caches);
    const same = Array.from({ length: 20 }, () => podOf(this.#sets.next().value));
    this.#again = Array.from({ length: REPEATED_DECISIONS }, (_, i) => same[i % same.length]!);
    this.#reviews = makeReviews('hit', caches, DECISIONS);
    for (let i = 0; i < 3; i++) this.round();
  }

  round(): Round {
    const pods = Array.from({ length: DECISIONS }, () => podOf(this.#sets.next().value));
    return {
      newSet: this.#nanoseconds(pods),
      repeated: this.#nanoseconds(this.#again),
      parse: nanosecondsToParse(this.#reviews),
    };
  }

  check(): Checked {
    const plain = {
      architecture: 'amd64',
      system: 'linux',
      phase: 'Ready',
      expires: null,
      deleting: false,
      region: null,
    };
    const caches = Array.from(describeCaches(this.#caches), ({ createdAt, ...each }) => ({
      ...each,
      ...plain,
      created: createdAt,
    }));
    const asked = Math.max(LEAST_ASKED, Math.min(MOST_ASKED, LOOKED_THROUGH / this.#caches));
    let differing = 0;
    for (let i = 0; i < asked; i++) {
      const pod = {
        images: this.#sets.next().value,
        perfect: i % 5 === 1,
        count: i % 5 === 2 ? 2 : null,
        extraGiB: 0,
        requestedGiB: 0,
        architectures: [],
        system: null,
        pin: null,
      };
      const given = askIndex(this.index, pod, ORACLE_OPTIONS, LOOKED_AT);
      const wanted = oracle(pod, caches, ORACLE_OPTIONS);
      // All caches that are refused here are refused for their degree, and so come last.
      if (!isDeepStrictEqual(given, { ...wanted, order: wanted.order.slice(0, LOOKED_AT) })) differing++;
    }
    return { asked, differing };
  }

  changes(): Changes {
    return measureChanges(this.index, this.#caches);
  }

  #nanoseconds(pods: readonly Json[]): number {
    const began = performance.now();
    for (const pod of pods) this.#answer(pod);
    return ((performance.now() - began) / pods.length) * 1e6;
  }

  /** Answers a pod as the server does. */
  #answer(object: Json): void {
    const pod = readPod(object, 'default');
    const decideAnew = (): Decided<string> => {
      const decision = decide(pod, this.index, DEFAULT_CONFIG, NOW);
      return { decision, answer: encodeResponse(decision, patchFor(pod, decision)) };
    };
    this.#cache.remembered(pod, NOW, decideAnew, true);
  }

  #fill(): Filled {
    globalThis.gc?.();
    const before = process.memoryUsage();
    let milliseconds = 0;
    const batch: ImageCache[] = [];
    const fill = (finish: () => void): void => {
      const began = performance.now();
      for (const cache of batch) this.index.imageCaches.apply(cache);
      finish();
      milliseconds += performance.now() - began;
      batch.length = 0;
    };
    for (const description of describeCaches(this.#caches)) {
      batch.push(toImageCache(description));
      if (batch.length === 1000) fill(() => undefined);
    }
    fill(() => this.index.confirm(NOW));
    globalThis.gc?.();
    // Another thread frees the memory of typed arrays, and the second collection waits for it.
    globalThis.gc?.();
    const after = process.memoryUsage();
    const bytes = after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers;
    return {
      secondsToFill: milliseconds / 1000,
      bytesPerCache: bytes / this.#caches,
    };
  }
}

function nanosecondsToParse(reviews: readonly string[]): number {
  const began = performance.now();
  for (const review of reviews) JSON.parse(review);
  return ((performance.now() - began) / reviews.length) * 1e6;
}

function measureChanges(index: ClusterIndex, caches: number): Changes {
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

interface SizeResult extends Filled, Checked, Changes {
  readonly caches: number;
  readonly newSet: readonly number[];
  readonly repeated: readonly number[];
  readonly parse: readonly number[];
}

function startMeasuring(caches: number): {
  readonly ask: <T>(question: Question) => Promise<T>;
} & Disposable {
  const child = fork(import.meta.filename, [`${caches}`], {
    execArgv: ['--expose-gc', '--max-old-space-size=8000'],
  });
  return {
    ask: async <T>(question: Question): Promise<T> => {
      child.send(question);
      const [answer] = (await once(child, 'message')) as [T];
      return answer;
    },
    [Symbol.dispose]: () => child.kill(),
  };
}

/** Fills an index several times, each in a new process, because a process fills its index only once. */
async function fillOthers(count: number, caches: number): Promise<readonly Filled[]> {
  const [filled] = await takeTurns(count, [
    async () => {
      using measuring = startMeasuring(caches);
      return await measuring.ask<Filled>('fill');
    },
  ]);
  return filled!;
}

/** Measures all sizes by turns, because the speed of the machine changes during the measurement. */
export async function measureDeciding(rounds: number, sizes: readonly number[]): Promise<Row[]> {
  using running = new DisposableStack();
  const processes = sizes.map((caches) => ({ caches, ask: running.use(startMeasuring(caches)).ask }));
  const filled: Filled[][] = [];
  for (const { caches, ask } of processes) {
    const others = await fillOthers(rounds - 1, caches);
    filled.push([await ask<Filled>('fill'), ...others]);
  }
  const taken = await takeTurns(
    rounds,
    processes.map(
      ({ ask }) =>
        () =>
          ask<Round>('round'),
    ),
  );
  const results: SizeResult[] = [];
  for (const [i, { caches, ask }] of processes.entries()) {
    results.push({
      caches,
      secondsToFill: median(filled[i]!.map(({ secondsToFill }) => secondsToFill)),
      bytesPerCache: median(filled[i]!.map(({ bytesPerCache }) => bytesPerCache)),
      ...(await ask<Checked>('check')),
      ...(await ask<Changes>('changes')),
      newSet: taken[i]!.map(({ newSet }) => newSet),
      repeated: taken[i]!.map(({ repeated }) => repeated),
      parse: taken[i]!.map(({ parse }) => parse),
    });
  }
  return results.flatMap((result): Row[] => {
    const { caches } = result;
    const what = (name: string): string => `${caches.toLocaleString('en')} caches: ${name}`;
    const decision = (key: 'newSet' | 'repeated', name: string): Row => ({
      section: 'decision',
      what: what(name),
      figure: median(result[key]),
      unit: 'ns',
      ratio: median(result[key].map((nanoseconds, i) => nanoseconds / result.parse[i]!)),
      note: 'against JSON.parse of a review',
    });
    const mostOfParse = MOST_OF_PARSE.get(caches);
    return [
      {
        ...decision('newSet', 'new image set'),
        ...(mostOfParse !== undefined && { goal: { atMost: mostOfParse } }),
      },
      decision('repeated', 'repeated'),
      {
        section: 'decision',
        what: what('answers that differ from the oracle'),
        figure: result.differing,
        unit: `of ${result.asked}`,
        goal: { atMost: 0 },
      },
      {
        section: 'index',
        what: what('filling'),
        figure: result.secondsToFill,
        unit: 's',
        note: `${(caches / result.secondsToFill).toFixed(0)} caches a second`,
      },
      {
        section: 'index',
        what: what('memory'),
        figure: result.bytesPerCache,
        unit: 'bytes a cache',
        ...(caches === 1e5 && { goal: { atMost: 2000 } }),
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

type Question = 'fill' | 'round' | 'check' | 'changes';

if (process.send && process.argv[1] === import.meta.filename) {
  let measured: Measured | undefined;
  process.on('message', (question: Question) => {
    measured ??= new Measured(Number(process.argv[2]));
    const { filled } = measured;
    const answers = {
      fill: () => filled,
      round: () => measured?.round(),
      check: () => measured?.check(),
      changes: () => measured?.changes(),
    };
    process.send?.(answers[question]());
  });
  process.on('disconnect', () => process.exit());
}
