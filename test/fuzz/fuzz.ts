/**
 * Sends mutants of real reviews to the webhook and checks every answer. No answer may be a 5xx, follow from an
 * exception, take too long, or have a patch that does not apply or changes more than the webhook may change.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { FastifyInstance } from 'fastify';
import { DECISION, OWN_PREFIX, REQUEST_KEYS } from '../../src/core/annotations.ts';
import { decideOnJson } from '../../src/core/decision/decide.ts';
import type { DecisionOptions } from '../../src/core/decision/options.ts';
import { readText } from '../../src/core/kubernetes/json.ts';
import { encodeResponse } from '../../src/webhook/admission-review.ts';
import { patchFor } from '../../src/webhook/json-patch.ts';
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
/**
 * The most time from a parsed review to the bytes of its response: a multiple of the JSON.parse of that review, plus
 * some milliseconds. The fastest of several attempts counts, because a pause of the machine does not repeat.
 */
const ALLOWED = { timesParse: 2, milliseconds: 2 };
const ATTEMPTS = 10;
/** After this many inputs, one more is sent with megabytes of one field. */
const LARGE_EVERY = 250;
/** Characters; the patched pod of a longer input is not mutated again. */
const MAX_GROWN = 100_000;
/** Shares of the inputs: mutants of the pod that was patched last, and texts with random bytes. */
const REINVOKED = 0.2;
const GARBLED = 0.05;
/**
 * Milliseconds since 1970. The time follows from the number of the input, so that a seed gives the same run on every
 * machine; for a tenth of the inputs the index is stale.
 */
const BEGINS = Date.parse('2026-11-25T00:00:00Z');
const STALE_AFTER = 2 * DEFAULT_CONFIG.maxStalenessMs;
/** A Binding to the virtual node of the examples. */
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
  /** The slowest answer as a share of the allowed time. */
  readonly slowest: number;
}

export interface FuzzAnswer {
  readonly status: number;
  readonly text: string;
  /** The review with the patched object; undefined if the answer has no patch. */
  readonly patched: Json | undefined;
}

interface Target {
  readonly app: FastifyInstance;
  readonly metrics: Metrics;
  /** Makes the bytes of the response from a parsed review, as the server does. */
  readonly answer: (request: Json) => string;
  /** Annotations and labels that profile effects may add. */
  readonly effects: ReadonlySet<string>;
}

export interface FuzzOptions {
  /** Called after every ten thousand inputs. */
  readonly onProgress?: (done: number) => void;
  readonly onAnswer?: (answer: FuzzAnswer) => void;
  /** The default is enforce, with which the webhook writes the most. */
  readonly pullPolicy?: DecisionOptions['pullPolicy'];
}

/** @throws Error at the first wrong answer, with the name of a file that has the input */
export async function fuzz(
  count: number,
  seed: number,
  { onProgress, onAnswer, pullPolicy = 'enforce' }: FuzzOptions = {},
): Promise<FuzzReport> {
  let now = BEGINS;
  const target = await build(() => now, pullPolicy);
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
      const { status, text: answer, share, after } = await examine(target, body);
      onAnswer?.({ status, text: answer, patched: after });
      if (i % LARGE_EVERY === 0) slowest = Math.max(slowest, await examineLarge(target, mutant, i));
      byStatus.set(status, (byStatus.get(status) ?? 0) + 1);
      slowest = Math.max(slowest, share);
      // The patched pod may come again, as after a sidecar injector.
      previous = body.length < MAX_GROWN ? after : undefined;
      if (after) patched++;
    } catch (error) {
      mkdirSync('coverage', { recursive: true });
      const file = join('coverage', `fuzz-${seed}-${i}.json`);
      writeFileSync(file, body);
      throw new Error(`input ${i} of seed ${seed}, kept in ${file}`, { cause: error });
    }
    if (i % 10_000 === 0) onProgress?.(i);
  }
  await target.app.close();
  return { inputs: count, byStatus, patched, slowest };
}

/** @param now milliseconds since 1970 */
async function build(now: () => number, pullPolicy: DecisionOptions['pullPolicy']): Promise<Target> {
  const config = {
    ...DEFAULT_CONFIG,
    source: `files:${EXAMPLES}/cluster`,
    bindTime: true,
    pullPolicy,
  };
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
  const answer = ({ object, namespace }: Json): string => {
    const { seen, decision } = decideOnJson(object, readText(namespace), view, config, now());
    return encodeResponse(decision, patchFor(seen, decision));
  };
  return { app, metrics, answer, effects: new Set([...annotationKeys, ...labelKeys]) };
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
  readonly share: number;
  /** The review with the patched object; undefined if there is no patch. */
  readonly after: Json | undefined;
}

async function examine(target: Target, body: string | Buffer): Promise<Examined> {
  const answer = await send(target.app, body);
  if (![200, 400].includes(answer.status)) throw new Error(`HTTP ${answer.status}: ${answer.text}`);
  const reply = JSON.parse(answer.text) as Json;
  const faults = await target.metrics.internalErrors.get();
  if (faults.values.some(({ value }) => value > 0)) throw new Error('the webhook failed and let it through');
  const { text } = answer;
  if (answer.status === 400) return { status: 400, text, share: 0, after: undefined };
  const share = shareOfAllowed(target, body.toString());
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
  if (operations.length === 0) return { status: 200, text, share, after: undefined };
  if (!response.allowed) throw new Error('a denial has a patch');
  const { object } = review.request;
  const patched = applied(object, operations, false);
  if (!isDeepStrictEqual(withoutOurs(patched, target.effects), withoutOurs(object, target.effects)))
    throw new Error(`the patch touches what is not ours: ${JSON.stringify(operations)}`);
  for (const field of ['annotations', 'labels'])
    for (const key of target.effects) {
      const before = metadataText(object, field, key);
      if (before !== undefined && !REQUEST_KEYS.includes(key) && metadataText(patched, field, key) !== before)
        throw new Error(`the patch changes ${field} ${key}, which the pod has`);
    }
  // With sorted keys: the next mutants must not depend on the order of the operations.
  const after = { ...review, request: { ...review.request, object: withSortedKeys(patched) } };
  return { status: 200, text, share, after };
}

function metadataText(object: Json, field: string, key: string): unknown {
  return ((object['metadata'] as Json | undefined)?.[field] as Json | undefined)?.[key];
}

function withSortedKeys(value: Json): Json {
  const sorted = JSON.stringify(value, (_key, each: unknown) =>
    typeof each === 'object' && each !== null && !Array.isArray(each)
      ? Object.fromEntries(Object.entries(each).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : each,
  );
  return JSON.parse(sorted) as Json;
}

async function send(app: FastifyInstance, body: string | Buffer): Promise<{ status: number; text: string }> {
  const headers = { 'content-type': 'application/json' };
  const { statusCode, payload } = await app.inject({ method: 'POST', url: '/mutate', headers, body });
  return { status: statusCode, text: payload };
}

/** @throws Error if every attempt takes longer than allowed */
function shareOfAllowed({ answer }: Target, text: string): number {
  let [parse, took] = [Infinity, Infinity];
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const began = performance.now();
    const { request } = JSON.parse(text) as { request: Json };
    const parsed = performance.now();
    answer(request);
    parse = Math.min(parse, parsed - began);
    took = Math.min(took, performance.now() - parsed);
    const allowed = ALLOWED.timesParse * parse + ALLOWED.milliseconds;
    if (took <= allowed) return took / allowed;
  }
  throw new Error(`${text.length} characters took ${took} ms, and ${parse} ms to parse`);
}

/** Sends megabytes of one field, as a tenant may; the fields take turns. @returns as shareOfAllowed */
async function examineLarge(target: Target, mutant: Json, i: number): Promise<number> {
  const many = <T>(count: number, make: (number: number) => T): T[] =>
    Array.from({ length: count }, (_, n) => make(n));
  const texts = (): Json => Object.fromEntries(many(40_000, (n) => [`k${n}`, 'v'.repeat(50)]));
  const object = ((mutant['request'] ?? {}) as Json)['object'] as Json | undefined;
  const metadata = (object?.['metadata'] ?? {}) as Json;
  const spec = (object?.['spec'] ?? {}) as Json;
  const kinds: (() => Json)[] = [
    () => ({ metadata: { ...metadata, labels: { ...texts(), eci: 'true' } }, spec }),
    () => ({ metadata: { ...metadata, annotations: texts(), labels: { eci: 'true' } }, spec }),
    () => ({ metadata: { labels: { eci: 'true' }, annotations: { [DECISION]: 'x'.repeat(3e6) } }, spec }),
    () => ({
      metadata: { labels: { eci: 'true' } },
      spec: { containers: many(40_000, (n) => ({ name: `c${n}`, image: `a:${n}` })) },
    }),
    () => ({
      metadata: { labels: { eci: 'true' } },
      spec: { containers: many(40_000, (n) => ({ name: `c${n}`, image: `INVALID ${n}` })) },
    }),
    () => ({
      metadata: { labels: { eci: 'true' } },
      spec: { containers: many(40_000, (n) => ({ name: `c${n}`, image: `a:${n % 90}` })) },
    }),
    // Names that are long, or that regular expressions might go back and forth in.
    () => ({
      metadata: { labels: { eci: 'true' } },
      spec: {
        containers: many(90, (n) => ({
          name: `c${n}`,
          image: HOSTILE_NAMES[n % HOSTILE_NAMES.length]!.repeat(10_000),
        })),
      },
    }),
    () => ({
      metadata: { labels: { eci: 'true' } },
      spec: {
        containers: many(40_000, (n) => ({
          name: `c${n}`,
          image: 'registry.cn-shanghai.aliyuncs.com/eci_open/nginx:1.14.2',
          imagePullPolicy: 'Always',
        })),
      },
    }),
    () => ({
      metadata: {},
      spec: {
        containers: [{ name: 'c', image: 'spark:3.5.1' }],
        affinity: affinityOf(
          many(30_000, (n) => ({ key: 'kubernetes.io/arch', operator: 'In', values: [`a${n}`] })),
        ),
      },
    }),
    () => ({
      metadata: { labels: { eci: 'true' } },
      spec: {
        containers: many(40_000, (n) => ({
          name: `c${n}`,
          image: 'spark:3.5.1',
          resources: { requests: { 'ephemeral-storage': `0.${n}Gi` } },
        })),
        volumes: many(20_000, (n) => ({ name: `v${n}`, image: { reference: `a:${n}` } })),
      },
    }),
    () => ({
      metadata: {
        labels: { eci: 'true' },
        annotations: {
          [DECISION]: FORGED_RECORD,
          ...Object.fromEntries(REQUEST_KEYS.map((key) => [key, '€'.repeat(200_000)])),
        },
      },
      spec,
    }),
  ];
  const large = kinds[(i / LARGE_EVERY) % kinds.length]!();
  const { share } = await examine(target, JSON.stringify(admissionReview(large)));
  return share;
}

/** Each is repeated to tens of thousands of characters. */
const HOSTILE_NAMES = ['a/', 'a-', 'a.', 'a__', 'a:', 'a@', 'sha256:', 'é', '%2e%2e/', ' ', 'A', '-', '.'];

/** Claims that the webhook wrote all annotations of the request, each so long that only its digest is recorded. */
const FORGED_RECORD = JSON.stringify({
  request: {},
  wrote: { annotations: Object.fromEntries(REQUEST_KEYS.map((key) => [key, { fnv1a: '0' }])) },
});

function affinityOf(requirements: readonly Json[]): Json {
  const nodeSelectorTerms = requirements.map((requirement) => ({ matchExpressions: [requirement] }));
  return { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } } };
}

/** An object without the annotations, labels and pull policies that the webhook may write. */
function withoutOurs(object: Json, effects: ReadonlySet<string>): unknown {
  const metadata = { ...(object['metadata'] as Json | undefined) };
  for (const field of ['annotations', 'labels']) {
    const entries = Object.entries((metadata[field] ?? {}) as Json).filter(
      ([key]) => !key.startsWith(OWN_PREFIX) && !REQUEST_KEYS.includes(key) && !effects.has(key),
    );
    metadata[field] = entries;
  }
  return JSON.parse(
    JSON.stringify({ ...object, metadata }, (key, value: unknown) =>
      key === 'imagePullPolicy' ? undefined : value,
    ),
  );
}
