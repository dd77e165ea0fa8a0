import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { WORKLOAD_KINDS } from '../../src/core/workload/kinds.ts';
import { admissionReview, type ReviewChange } from '../support/admission.ts';
import { buildTestApp } from '../support/app.ts';
import { cacheObject, indexOf, NOW, podObject, type Json } from '../support/objects.ts';

const K = 'k8s.aliyun.com/';
const index = indexOf(cacheObject({ name: 'web', images: ['app:1'] }));
const { app, metrics } = buildTestApp({ view: index, now: () => NOW });
afterAll(() => app.close());

interface Answer {
  readonly status: number;
  readonly response: Json;
}

async function ask(object: unknown, change: ReviewChange = {}): Promise<Answer> {
  const { statusCode, body } = await app.inject({
    method: 'POST',
    url: '/advise',
    headers: { 'content-type': 'application/json' },
    payload: JSON.stringify(
      admissionReview(object, {
        kind: { group: 'apps', version: 'v1', kind: 'Deployment' },
        resource: { group: 'apps', version: 'v1', resource: 'deployments' },
        ...change,
      }),
    ),
  });
  return { status: statusCode, response: (JSON.parse(body) as { response: Json }).response };
}

function deployment(annotations: Record<string, string>, metadata: Json = {}): Json {
  const pod = podObject({ annotations });
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web', ...metadata },
    spec: { template: { metadata: pod['metadata'], spec: pod['spec'] } },
  };
}

const UID = '705ab4f5-6393-11e8-b7cc-42010a800002';
const SILENT = { uid: UID, allowed: true };
const FAULTY = { [`${K}eci-auto-imc`]: 'maybe' };

describe('POST /advise', () => {
  it('allows each workload, with warnings about its pods', async () => {
    expect(await ask(deployment(FAULTY))).toEqual({
      status: 200,
      response: {
        ...SILENT,
        warnings: [
          `spec.template.metadata.annotations[${K}eci-auto-imc]: "maybe" is ignored; write "true" or "false"`,
        ],
      },
    });
  });

  it.each<[string, unknown, ReviewChange]>([
    ['if there is nothing to say', deployment({}), {}],
    [
      'about an update that changes neither pods nor annotations',
      deployment(FAULTY),
      {
        operation: 'UPDATE',
        oldObject: { ...deployment(FAULTY), status: { replicas: 1 } },
      },
    ],
    [
      'about what another object made',
      deployment(FAULTY, {
        ownerReferences: [{ apiVersion: 'example.com/v1', kind: 'App', controller: true }],
      }),
      {},
    ],
    ['about a deletion', null, { operation: 'DELETE', oldObject: deployment(FAULTY) }],
    ['about a workload without its template', { apiVersion: 'apps/v1', kind: 'Deployment', spec: {} }, {}],
    ['about a kind that it does not know', { apiVersion: 'v1', kind: 'Secret' }, {}],
    ['about an object that is none', 7, {}],
    ['about an object without a kind', {}, {}],
  ])('is silent %s', async (_name, object, change) => {
    expect(await ask(object, change)).toEqual({ status: 200, response: SILENT });
  });

  it('gives advice at an update that changes the pods, or after one that could not be read', async () => {
    for (const oldObject of [deployment({}), { apiVersion: 'apps/v1', kind: 'Deployment' }]) {
      const { response } = await ask(deployment(FAULTY), { operation: 'UPDATE', oldObject });
      expect(response['warnings']).toHaveLength(1);
    }
  });

  it('gives five warnings at most, each of at most 256 characters, the worst first', async () => {
    const annotations = {
      [`${K}eci-imc-id`]: 'imc-web',
      [`${K}eci-image-snapshot-id`]: 'imc-other',
      [`${K}eci-auto-imc`]: 'true',
      [`${K}eci-image-cache`]: 'false',
      [`${K}imc-perfect-match`]: 'true',
      [`${K}imc-match-count-request`]: 'x'.repeat(300),
    };
    const { response } = await ask(deployment(annotations));
    const warnings = response['warnings'] as string[];
    expect(warnings).toHaveLength(5);
    expect(warnings[0]).toContain('is ignored; write a positive integer');
    expect(new Set(warnings).size).toBe(5);
    for (const warning of warnings) expect(warning.length).toBeLessThanOrEqual(256);
  });

  it('gives one warning for each rule, which counts the others and keeps what to write', async () => {
    const workflow = {
      apiVersion: 'argoproj.io/v1alpha1',
      kind: 'Workflow',
      metadata: { name: 'w' },
      spec: {
        podMetadata: {
          labels: { 'alibabacloud.com/eci': 'true' },
          annotations: { [`${K}imc-perfect-match`]: 'true', [`${K}imc-match-count-request`]: '1' },
        },
        templates: Array.from({ length: 8 }, (_template, i) => ({
          name: `t${i}`,
          container: { image: `registry.example/${'long/'.repeat(30)}app` },
        })),
      },
    };
    const { response } = await ask(workflow);
    expect(response['warnings']).toEqual([
      expect.stringMatching(
        /imagePullPolicy: Always.*; write IfNotPresent, and a tag that does not move \(and 7 more such fields\)$/,
      ),
      expect.stringContaining('remove one of the two'),
    ]);
  });

  it('costs a known time and memory, however a workflow multiplies what it holds', async () => {
    const entries = Object.fromEntries(Array.from({ length: 3000 }, (_entry, i) => [`key-${i}`, 'v']));
    const many = <T>(count: number, make: (i: number) => T): T[] =>
      Array.from({ length: count }, (_t, i) => make(i));
    const container = { image: '{{workflow.parameters.p0}}' };
    const specs = [
      { podMetadata: { annotations: entries }, templates: many(3000, (i) => ({ name: `t${i}`, container })) },
      {
        arguments: { parameters: many(10_000, (i) => ({ name: `p${i}`, value: 'x' })) },
        templates: many(10_000, (i) => ({ name: `t${i}`, container })),
      },
      {
        arguments: { parameters: [{ name: 'p0', value: 'x'.repeat(100_000) }] },
        templates: many(3000, (i) => ({ name: `t${i}`, container })),
      },
    ];
    for (const spec of specs) {
      const workflow = {
        apiVersion: 'argoproj.io/v1alpha1',
        kind: 'Workflow',
        metadata: { name: 'w' },
        spec,
      };
      const changed = { ...workflow, spec: { ...spec, entrypoint: 'x' } };
      const text = JSON.stringify({ workflow, changed });
      const parsing = await fastest(() => JSON.parse(text) as unknown);
      const answering = await fastest(() => ask(changed, { operation: 'UPDATE', oldObject: workflow }));
      // Most of it is making and parsing the review.
      expect(answering / parsing).toBeLessThan(30);
    }
  });

  it('allows whatever stands where a workload keeps its pods, without a fault of its own', async () => {
    const keys = fc.constantFrom(
      'template',
      'spec',
      'metadata',
      'annotations',
      'labels',
      'containers',
      'image',
      'templates',
      'container',
      'headGroupSpec',
      'driver',
      'replicatedJobs',
      'pytorchReplicaSpecs',
      'jobTemplate',
      'workflowSpec',
      '__proto__',
      `${K}eci-auto-imc`,
    );
    const { value } = fc.letrec((tie) => ({
      value: fc.oneof(
        { depthSize: 'medium' },
        fc.constantFrom(null, true, 1, '', 'true', 'app:latest', '{{x}}'),
        fc.array(tie('value'), { maxLength: 3 }),
        fc.dictionary(keys, tie('value'), { maxKeys: 5 }),
      ),
    }));
    const kinds = fc.constantFrom(...WORKLOAD_KINDS);
    await fc.assert(
      fc.asyncProperty(kinds, value, value, value, async ({ apiVersion, kind }, spec, metadata, old) => {
        const object = { apiVersion, kind, metadata, spec };
        const change = { operation: 'UPDATE', oldObject: { ...object, spec: old } };
        for (const { status, response } of [await ask(object), await ask(object, change)])
          expect([status, response['allowed']]).toEqual([200, true]);
      }),
      { numRuns: 300 },
    );
    expect(await metrics.registry.metrics()).toContain('imagecache_webhook_internal_errors_total 0');
  });

  it('counts advice by rule, and not that of a dry run', async () => {
    const before = await counted();
    await ask(deployment(FAULTY), { dryRun: true });
    expect(await counted()).toBe(before);
    await ask(deployment(FAULTY));
    expect(await counted()).toBe(before + 1);
  });

  it('refuses other methods and bodies as /mutate does', async () => {
    expect((await app.inject({ method: 'GET', url: '/advise' })).statusCode).toBe(405);
    const post = { method: 'POST', url: '/advise' } as const;
    expect((await app.inject({ ...post, payload: 'x' })).statusCode).toBe(415);
    const headers = { 'content-type': 'application/json' };
    expect((await app.inject({ ...post, headers, payload: 'x' })).statusCode).toBe(400);
  });

  it('leaves /mutate alone, whose answers and times count apart', async () => {
    await ask(deployment(FAULTY));
    const text = await metrics.registry.metrics();
    expect(text).toMatch(/imagecache_webhook_advice_request_seconds_count\{status="200"\} [1-9]/);
    expect(text).not.toMatch(/imagecache_webhook_request_seconds_count\{status="200"\} [1-9]/);
  });
});

/** Milliseconds of the fastest of three runs. */
async function fastest(run: () => unknown): Promise<number> {
  let best = Infinity;
  for (let i = 0; i < 3; i++) {
    const started = performance.now();
    await run();
    best = Math.min(best, performance.now() - started);
  }
  return best;
}

async function counted(): Promise<number> {
  const text = await metrics.registry.metrics();
  return Number(/imagecache_webhook_advice_total\{rule="malformed-annotation"\} (\d+)/.exec(text)?.[1] ?? 0);
}
