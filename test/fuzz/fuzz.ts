/**
 * Sends the webhook mutants of real reviews and looks at every answer: no 5xx, no fault of ours let through, none that
 * takes long, and no patch that does not apply or that touches what is not ours.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { FastifyInstance } from 'fastify';
import inject from 'light-my-request';
import { OWN_PREFIX, REQUEST_KEYS } from '../../src/core/annotations.ts';
import { readPod } from '../../src/core/pod.ts';
import type { Metrics } from '../../src/webhook/metrics.ts';
import { loadIndex, readPods } from '../../src/runtime/offline.ts';
import { randomFrom } from '../bench/population.ts';
import { admissionReview, asSubmitted } from '../support/admission.ts';
import { buildTestApp } from '../support/app.ts';
import { DEFAULT_CONFIG } from '../support/default-config.ts';
import { podObject, type Json } from '../support/objects.ts';
import { applied, operationsOf } from '../support/patch.ts';
import { Mutator } from './mutation.ts';

const EXAMPLES = 'test/examples';
/** Milliseconds, of the fastest of some attempts: what is slow is slow each time, and a pause of the machine is not. */
const SLOW = 50;
const ATTEMPTS = 4;
/** Characters beyond which a mutant has no descendants. */
const MAX_GROWN = 100_000;
/** Shares of the inputs: patched ones that come again, and such as are no JSON any more. */
const REINVOKED = 0.2;
const GARBLED = 0.05;
/**
 * Milliseconds since 1970. The clock goes by the inputs, so that a seed is the same run on every machine: a tenth of them
 * come when nothing has been heard of the cluster for too long.
 */
const BEGINS = Date.parse('2026-11-25T00:00:00Z');
const STALE_AFTER = 2 * DEFAULT_CONFIG.maxStalenessMs;
/** To the virtual node of the examples. */
const BINDING = {
  apiVersion: 'v1',
  kind: 'Binding',
  metadata: { name: 'web', namespace: 'default', uid: '0f6d0ad4-0c5f-4a0e-8f0c-000000000001' },
  target: { kind: 'Node', name: 'virtual-kubelet' },
};
const WARNINGS = { most: 6, longest: 256 };

export interface FuzzReport {
  readonly inputs: number;
  readonly byStatus: ReadonlyMap<number, number>;
  readonly patched: number;
  /** Milliseconds. */
  readonly slowest: number;
}

export interface FuzzAnswer {
  readonly status: number;
  readonly text: string;
  /** The review with its object as patched; undefined if nothing was. */
  readonly patched: Json | undefined;
}

interface Target {
  readonly app: FastifyInstance;
  readonly metrics: Metrics;
  /** Annotations and labels that profile effects may add. */
  readonly effects: ReadonlySet<string>;
}

/**
 * @param onProgress told after every ten thousand
 * @param onAnswer told of each answer
 * @throws with the input in a file, at the first answer that should not be
 */
export async function fuzz(
  count: number,
  seed: number,
  onProgress: (done: number) => void,
  onAnswer: (answer: FuzzAnswer) => void = () => undefined,
): Promise<FuzzReport> {
  let now = BEGINS;
  const target = await build(() => now);
  const seeds = realReviews();
  const mutator = new Mutator(randomFrom(seed));
  const byStatus = new Map<number, number>();
  let patched = 0;
  let slowest = 0;
  let previous: Json | undefined;
  for (let i = 1; i <= count; i++) {
    now = i % 10_000 < 9000 ? BEGINS : BEGINS + STALE_AFTER;
    const chance = (i * 0.618_033_988_75) % 1;
    const from = previous && chance < REINVOKED ? previous : mutator.pick(seeds);
    const mutant = mutator.mutate(from, seeds);
    const text = JSON.stringify(mutant);
    const body = chance > 1 - GARBLED ? mutator.garble(text) : text;
    try {
      const { status, text: answer, took, after } = await examine(target, body);
      onAnswer({ status, text: answer, patched: after });
      byStatus.set(status, (byStatus.get(status) ?? 0) + 1);
      slowest = Math.max(slowest, took);
      // What was patched comes again, as after a sidecar injector.
      previous = body.length < MAX_GROWN ? after : undefined;
      if (after) patched++;
    } catch (error) {
      mkdirSync('coverage', { recursive: true });
      const file = join('coverage', `fuzz-${seed}-${i}.json`);
      writeFileSync(file, body);
      throw new Error(`input ${i} of seed ${seed}, kept in ${file}`, { cause: error });
    }
    if (i % 10_000 === 0) onProgress(i);
  }
  await target.app.close();
  return { inputs: count, byStatus, patched, slowest };
}

/** @param now milliseconds since 1970 */
async function build(now: () => number): Promise<Target> {
  const config = { ...DEFAULT_CONFIG, source: `files:${EXAMPLES}/cluster`, bindTime: true };
  const view = await loadIndex(config, (problem) => process.stderr.write(`${problem}\n`), now);
  const pod = readPod(podObject({ images: ['nginx:1.14.2'] }), 'default');
  const { app, metrics } = buildTestApp({
    view,
    decision: config,
    now,
    findUnboundPod: () => Promise.resolve({ pod, from: 'watch' }),
  });
  await app.ready();
  const { annotationKeys, labelKeys } = view.profile();
  return { app, metrics, effects: new Set([...annotationKeys, ...labelKeys]) };
}

function realReviews(): Json[] {
  const pods = readdirSync(join(EXAMPLES, 'pods')).flatMap(
    (file) => readPods(file, readFileSync(join(EXAMPLES, 'pods', file), 'utf8')).pods,
  );
  return [
    JSON.parse(readFileSync(join(EXAMPLES, 'admission-review.json'), 'utf8')) as Json,
    ...pods.map(({ pod }) => admissionReview(asSubmitted(pod as Json, 'default'))),
    admissionReview(BINDING, { kind: { group: '', version: 'v1', kind: 'Binding' }, subResource: 'binding' }),
  ];
}

interface Examined {
  readonly status: number;
  readonly text: string;
  readonly took: number;
  /** The review with its object as patched; undefined where nothing was. */
  readonly after: Json | undefined;
}

async function examine(target: Target, body: string | Buffer): Promise<Examined> {
  let took = Infinity;
  let answer = await send(target.app, body);
  for (let attempt = 0; attempt < ATTEMPTS && took > SLOW; attempt++) {
    if (attempt > 0) answer = await send(target.app, body);
    took = Math.min(took, answer.took);
  }
  if (took > SLOW) throw new Error(`answered after ${took} ms`);
  if (![200, 400].includes(answer.status)) throw new Error(`HTTP ${answer.status}: ${answer.text}`);
  const reply = JSON.parse(answer.text) as Json;
  const faults = await target.metrics.internalErrors.get();
  if (faults.values.some(({ value }) => value > 0)) throw new Error('the webhook failed and let it through');
  const { text } = answer;
  if (answer.status === 400) return { status: 400, text, took, after: undefined };

  const review = JSON.parse(body.toString()) as { request: { uid: string; object: Json } };
  const response = reply['response'] as {
    uid: string;
    allowed: boolean;
    patch?: string;
    warnings?: readonly string[];
  };
  if (response.uid !== review.request.uid)
    throw new Error(`the uid ${review.request.uid} came back as another`);
  const warnings = response.warnings ?? [];
  if (warnings.length > WARNINGS.most || warnings.some((each) => each.length > WARNINGS.longest))
    throw new Error(`warnings too many or too long: ${JSON.stringify(warnings)}`);
  const operations = operationsOf(response);
  if (operations.length === 0) return { status: 200, text, took, after: undefined };
  if (!response.allowed) throw new Error('a denial has a patch');
  const { object } = review.request;
  const patched = applied(object, operations, false);
  if (!isDeepStrictEqual(withoutOurs(patched, target.effects), withoutOurs(object, target.effects)))
    throw new Error(`the patch touches what is not ours: ${JSON.stringify(operations)}`);
  // With sorted keys: the next mutants must not depend on the order of the operations.
  const after = { ...review, request: { ...review.request, object: withSortedKeys(patched) } };
  return { status: 200, text, took, after };
}

function withSortedKeys(value: Json): Json {
  const sorted = JSON.stringify(value, (_key, each: unknown) =>
    typeof each === 'object' && each !== null && !Array.isArray(each)
      ? Object.fromEntries(Object.entries(each).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : each,
  );
  return JSON.parse(sorted) as Json;
}

async function send(
  app: FastifyInstance,
  body: string | Buffer,
): Promise<{ status: number; text: string; took: number }> {
  const began = performance.now();
  // Not app.inject, which begins behind the fast path.
  const { statusCode, payload } = await inject(
    (request, response) => app.server.emit('request', request, response),
    { method: 'POST', url: '/mutate', headers: { 'content-type': 'application/json' }, body },
  );
  return { status: statusCode, text: payload, took: performance.now() - began };
}

/** An object without the annotations and labels that the webhook may write; empty maps are as good as none. */
function withoutOurs(object: Json, effects: ReadonlySet<string>): unknown {
  const metadata = { ...(object['metadata'] as Json | undefined) };
  for (const field of ['annotations', 'labels']) {
    const entries = Object.entries((metadata[field] ?? {}) as Json).filter(
      ([key]) => !key.startsWith(OWN_PREFIX) && !REQUEST_KEYS.includes(key) && !effects.has(key),
    );
    metadata[field] = entries;
  }
  return { ...object, metadata };
}
