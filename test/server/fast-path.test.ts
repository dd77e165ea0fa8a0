/** The fast path answers as Fastify does: each request is sent on both ways, over real TLS, and the answers are compared. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { admissionReview } from '../support/admission.ts';
import { buildTestApp } from '../support/app.ts';
import { DEFAULT_CONFIG } from '../support/default-config.ts';
import { sendHttps, type HttpsAnswer } from '../support/https.ts';
import { podObject } from '../support/objects.ts';
import { CA } from '../support/webhook.ts';

const BINDING = {
  apiVersion: 'v1',
  kind: 'Binding',
  metadata: { name: 'web', namespace: 'default' },
  target: { kind: 'Node', name: 'virtual-kubelet' },
};
const GOOD = JSON.stringify(admissionReview(podObject()));

let draining = false;
let seenByFastify = 0;
const { app, metrics } = buildTestApp({
  config: { ...DEFAULT_CONFIG, bindTime: true },
  draining: () => draining,
});
app.addHook('onRequest', (_request, _reply, done) => {
  seenByFastify++;
  done();
});
let address = '';
beforeAll(async () => {
  address = await app.listen({ host: '127.0.0.1', port: 0 });
});
afterAll(() => app.close());
beforeEach(() => {
  draining = false;
  seenByFastify = 0;
});

function post(body: string, contentType: string, path = '/mutate'): Promise<HttpsAnswer> {
  const options = { method: 'POST', ca: CA, agent: false as const };
  return sendHttps(`${address}${path}`, { ...options, headers: { 'content-type': contentType } }, body);
}

const ORDINARY = 'application/json';
/** Means the same, and is not looked at by the fast path. */
const UNUSUAL = 'application/json; charset=utf-8';

function comparable({ status, headers, body }: HttpsAnswer): unknown {
  const { date: _, ...others } = headers;
  return { status, headers: others, body };
}

describe.each([
  ['a pod', GOOD],
  ['a pod that cannot be read', JSON.stringify(admissionReview({ spec: 7 }))],
  [
    'a pod, in v1beta1',
    JSON.stringify(admissionReview(podObject(), { apiVersion: 'admission.k8s.io/v1beta1' })),
  ],
  ['a dry run', JSON.stringify(admissionReview(podObject(), { dryRun: true }))],
  [
    'a binding, which takes a turn of the event loop',
    JSON.stringify(admissionReview(BINDING, { subResource: 'binding' })),
  ],
  ['an update', JSON.stringify(admissionReview(podObject(), { operation: 'UPDATE' }))],
])('%s', (_what, review) => {
  it('is answered on the fast path, and as Fastify answers it', async () => {
    const fast = await post(review, ORDINARY);
    expect(seenByFastify).toBe(0);
    const slow = await post(review, UNUSUAL);
    expect(seenByFastify).toBe(1);
    expect(fast.status).toBe(200);
    expect(comparable(fast)).toEqual(comparable(slow));
  });
});

describe.each([
  ['nothing', ''],
  ['text', 'hello'],
  ['half a review', GOOD.slice(0, 700)],
  ['a list', '[]'],
  ['a review without a request', '{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1"}'],
])('%s', (_what, body) => {
  it('is handed on to Fastify with all that was read of it, and refused', async () => {
    const handedOn = await post(body, ORDINARY);
    const slow = await post(body, UNUSUAL);
    expect(seenByFastify).toBe(2);
    expect(handedOn.status).toBe(400);
    expect(comparable(handedOn)).toEqual(comparable(slow));
  });
});

it('the time that the API server waits may stand in the query, as it always does', async () => {
  expect((await post(GOOD, ORDINARY, '/mutate?timeout=10s')).status).toBe(200);
  expect(seenByFastify).toBe(0);
});

it('while the server drains, both ways ask the client to open another connection', async () => {
  draining = true;
  for (const type of [ORDINARY, UNUSUAL]) {
    const { status, headers } = await post(GOOD, type);
    expect([status, headers['connection']]).toEqual([200, 'close']);
  }
});

it('both ways count their requests, by status', async () => {
  const counted = async (status: number): Promise<number> => {
    const text = await metrics.registry.metrics();
    const series = `imagecache_webhook_request_seconds_count{status="${status}"} `;
    return Number(
      text
        .split('\n')
        .find((line) => line.startsWith(series))
        ?.slice(series.length) ?? 0,
    );
  };
  const before = [await counted(200), await counted(400)];
  for (const type of [ORDINARY, UNUSUAL]) {
    await post(GOOD, type);
    await post('hello', type);
  }
  expect([await counted(200), await counted(400)]).toEqual(before.map((count) => count + 2));
});
