/**
 * Hostile input is answered by the rules of docs/architecture.md, "Admission answers". No input leads to a 5xx, a
 * crash, a hang or a polluted prototype.
 */
import { request } from 'node:https';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { pino } from 'pino';
import { ClusterIndex } from '../../src/index/cluster-index.ts';
import { admissionReview } from '../support/admission.ts';
import { buildTestApp } from '../support/app.ts';
import { eventually } from '../support/eventually.ts';
import { cacheObject, podObject, type Json } from '../support/objects.ts';
import { sendHttps, sendInPieces, type HttpsAnswer } from '../support/https.ts';
import { applied, operationsOf } from '../support/patch.ts';
import { CA, runWebhookOn, type AdmissionResponse, type RunningWebhook } from '../support/webhook.ts';

let webhook: RunningWebhook;
beforeAll(async () => {
  webhook = await runWebhookOn({ 'cache.json': cacheObject({ name: 'x' }) });
});
afterAll(() => webhook.stop());

/** After each test the webhook still decides rightly, and no prototype has a new property. */
afterEach(async () => {
  expect(({} as Json)['polluted']).toBeUndefined();
  expect(Object.keys(Object.prototype)).toEqual([]);
  const response = await webhook.review(admissionReview(podObject()));
  expect(response.auditAnnotations).toMatchObject({ outcome: 'hit', 'image-cache': 'imc-x' });
});

/** Sends a body without changing it; once more if the large bodies before it still count. */
function raw(
  body: string | Uint8Array,
  headers: Record<string, string> = {},
  method = 'POST',
  path = '/mutate',
): Promise<HttpsAnswer> {
  const send = (): Promise<HttpsAnswer> =>
    sendHttps(`https://127.0.0.1:${webhook.port}${path}`, { ca: CA, method, headers }, body);
  return send().then((answer) => (answer.status === 429 ? sleep(600).then(send) : answer));
}

const GOOD = JSON.stringify(admissionReview(podObject()));
const withRequest = (change: Json): string =>
  JSON.stringify({
    ...admissionReview(podObject()),
    request: { ...(admissionReview(podObject())['request'] as Json), ...change },
  });

describe('a body that is not an AdmissionReview with a request gets a 400 with a JSON error', () => {
  it.each<[string, string | Uint8Array]>([
    ['an empty body', ''],
    ['white space', '   \n'],
    ['text', 'hello'],
    ['a truncated review', GOOD.slice(0, GOOD.length / 2)],
    ['a review followed by a letter', `${GOOD}x`],
    ['two reviews', GOOD + GOOD],
    ['a number', '7'],
    ['a string', '"review"'],
    ['null', 'null'],
    ['true', 'true'],
    ['an array', `[${GOOD}]`],
    ['an empty object', '{}'],
    ['another kind', '{"apiVersion":"v1","kind":"Pod"}'],
    ['an unknown version', GOOD.replace('admission.k8s.io/v1', 'admission.k8s.io/v9')],
    ['a version that is a number', '{"apiVersion":1,"kind":"AdmissionReview","request":{"uid":"u"}}'],
    [
      'a version called constructor',
      '{"apiVersion":"constructor","kind":"AdmissionReview","request":{"uid":"u"}}',
    ],
    ['no request', '{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview"}'],
    [
      'a request that is null',
      '{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":null}',
    ],
    [
      'a request that is an array',
      '{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":[]}',
    ],
    [
      'a request that is a string',
      '{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":"x"}',
    ],
    ['no uid', withRequest({ uid: undefined })],
    ['an empty uid', withRequest({ uid: '' })],
    ['a uid that is a number', withRequest({ uid: 1 })],
    ['a uid that is an object', withRequest({ uid: {} })],
    ['invalid UTF-8', Buffer.concat([Buffer.from('{"a":"'), Buffer.from([0xc3, 0x28]), Buffer.from('"}')])],
    [
      'a lone continuation byte in a review',
      Buffer.from(GOOD.replace('app:1', 'app\u0080')).map((byte) => (byte === 0xc2 ? 0x80 : byte)),
    ],
    ['UTF-16', Buffer.from(GOOD, 'utf16le')],
    ['a byte order mark', `\uFEFF${GOOD}`],
    ['a thousand zero bytes', Buffer.alloc(1000)],
    ['100,000 opening brackets', '['.repeat(100_000)],
    ['100,000 opening braces', '{"a":'.repeat(100_000)],
    ['single quotes', GOOD.replaceAll('"', "'")],
    ['NaN', '{"apiVersion":NaN}'],
    ['form data', 'apiVersion=admission.k8s.io/v1'],
  ])('%s', async (_title, body) => {
    const answer = await raw(body);
    expect(answer.status).toBe(400);
    expect(JSON.parse(answer.body)).toMatchObject({
      statusCode: 400,
      error: 'Bad Request',
      // The message begins with our own words, and contains no class of an error, such as `SyntaxError: `.
      message: expect.stringMatching(/^(the |request\.)(?!.*Error: )/),
    });
  });
});

describe('a request that is no POST of JSON is refused before its body is read', () => {
  it.each(['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])('%s gets a 405', async (method) => {
    const { status, headers } = await raw('', {}, method);
    expect(status).toBe(405);
    expect(headers['allow']).toBe('POST');
  });

  it.each([
    'text/plain',
    'application/yaml',
    'application/x-www-form-urlencoded',
    'application/json-patch+json',
    'multipart/form-data; boundary=x',
    'x',
  ])('content type %s gets a 415', async (type) => {
    expect((await raw(GOOD, { 'content-type': type })).status).toBe(415);
  });

  it('content type application/json with a charset is read', async () => {
    expect((await raw(GOOD, { 'content-type': 'application/json; charset=utf-8' })).status).toBe(200);
  });

  it('another path gets a 404', async () => {
    expect((await raw(GOOD, {}, 'POST', '/mutate/more')).status).toBe(404);
  });

  it('a body of more than 8 MiB gets a 413', async () => {
    const large = podObject({ annotations: { large: 'x'.repeat(8 * 2 ** 20) } });
    const answer = await raw(JSON.stringify(admissionReview(large))).catch((error: Error) => error);
    // The server may close the connection before the client has sent the whole body.
    if (!(answer instanceof Error)) expect(answer.status).toBe(413);
    expect(
      (await raw('', { 'content-length': String(9 * 2 ** 20) }).catch(() => ({ status: 413 }))).status,
    ).toBe(413);
  });

  it('a body of a little less than 8 MiB is answered', async () => {
    const large = podObject({ annotations: { large: 'x'.repeat(8 * 2 ** 20 - 4000) } });
    expect((await raw(JSON.stringify(admissionReview(large)))).status).toBe(200);
  });
});

/** Posts a body without its length, and so in chunked encoding. */
function post(pieces: readonly Buffer[]): Promise<HttpsAnswer> {
  return sendInPieces(
    `${webhook.address}/mutate`,
    { method: 'POST', ca: CA, agent: false },
    pieces,
    nextTurn,
  );
}

const REVIEW = Buffer.from(
  JSON.stringify(admissionReview(podObject({ annotations: { name: 'Zürich 😀' } }))),
);

describe('a body as networks deliver it', () => {
  it('is read whole from pieces of any size, also if a piece ends within a character', async () => {
    const pieces = Array.from({ length: Math.ceil(REVIEW.length / 7) }, (_, i) =>
      REVIEW.subarray(i * 7, (i + 1) * 7),
    );
    const { status, body } = await post(pieces);
    expect(status).toBe(200);
    expect(JSON.parse(body)).toMatchObject({ response: { allowed: true } });
  });

  it('without a length is refused as soon as more than 8 MiB have come', async () => {
    const piece = Buffer.alloc(2 ** 20, ' ');
    // The server may close the connection before every piece is sent.
    const { status } = await post(Array.from({ length: 10 }, () => piece)).catch(() => ({
      status: 413,
    }));
    expect(status).toBe(413);
    expect(webhook.logged).toContainEqual(expect.objectContaining({ statusCode: 413 }));
  });

  it('whose client disconnects half-way is logged with status 400, and the next request is answered', async () => {
    const sent = request(`${webhook.address}/mutate`, {
      method: 'POST',
      ca: CA,
      agent: false,
      headers: { 'content-type': 'application/json', 'content-length': REVIEW.length },
    });
    sent.on('error', () => undefined);
    await new Promise((written) => sent.write(REVIEW.subarray(0, 100), written));
    // The server answers this request after it has received the bytes above.
    expect((await webhook.get('/healthz')).status).toBe(200);
    sent.destroy();
    await vi.waitFor(
      () =>
        expect(webhook.logged).toContainEqual(
          expect.objectContaining({
            statusCode: 400,
            problem: expect.stringContaining('the body ended early'),
          }),
        ),
      { timeout: 10_000 },
    );
    expect((await post([REVIEW])).status).toBe(200);
  });
});

/** Asks again as an API server does if the review before was large, and still counts. */
async function reviewOf(object: unknown): Promise<AdmissionResponse> {
  return eventually(() => webhook.review(admissionReview(object)));
}

describe('a pod that cannot be read is allowed as it is, with a warning', () => {
  const container = { name: 'c', image: 'app:1' };
  const labels = { eci: 'true' };
  it.each<[string, unknown]>([
    ['null', null],
    ['a string', 'pod'],
    ['a number', 7],
    ['an array', [podObject()]],
    ['an empty object', {}],
    ['metadata that is a string', { metadata: 'x', spec: { containers: [container] } }],
    ['metadata that is an array', { metadata: [], spec: { containers: [container] } }],
    ['labels that are an array', { metadata: { labels: ['eci'] }, spec: { containers: [container] } }],
    ['a label that is a number', { metadata: { labels: { eci: 1 } }, spec: { containers: [container] } }],
    [
      'annotations that are a string',
      { metadata: { labels, annotations: 'x' }, spec: { containers: [container] } },
    ],
    [
      'an annotation that is a boolean',
      {
        metadata: { labels, annotations: { 'k8s.aliyun.com/eci-auto-imc': true } },
        spec: { containers: [container] },
      },
    ],
    [
      'an annotation that is an object',
      { metadata: { labels, annotations: { a: {} } }, spec: { containers: [container] } },
    ],
    [
      'an annotation that is null',
      { metadata: { labels, annotations: { a: null } }, spec: { containers: [container] } },
    ],
    ['spec that is null', { metadata: { labels }, spec: null }],
    ['spec that is an array', { metadata: { labels }, spec: [] }],
    ['no containers', { metadata: { labels }, spec: {} }],
    ['containers that are empty', { metadata: { labels }, spec: { containers: [] } }],
    ['containers that are an object', { metadata: { labels }, spec: { containers: { 0: container } } }],
    ['containers that are a string', { metadata: { labels }, spec: { containers: 'app:1' } }],
    ['a container that is null', { metadata: { labels }, spec: { containers: [null] } }],
    ['a container that is a string', { metadata: { labels }, spec: { containers: ['app:1'] } }],
    ['a container that is an array', { metadata: { labels }, spec: { containers: [[container]] } }],
    ['an image that is missing', { metadata: { labels }, spec: { containers: [{ name: 'c' }] } }],
    ['an image that is empty', { metadata: { labels }, spec: { containers: [{ name: 'c', image: '' }] } }],
    ['an image that is a number', { metadata: { labels }, spec: { containers: [{ name: 'c', image: 1 }] } }],
    [
      'an image that is an object',
      { metadata: { labels }, spec: { containers: [{ name: 'c', image: { toString: 'app:1' } }] } },
    ],
    [
      'init containers that are a string',
      { metadata: { labels }, spec: { initContainers: 'x', containers: [container] } },
    ],
    [
      'a nodeSelector that is an array',
      { metadata: { labels }, spec: { nodeSelector: ['x'], containers: [container] } },
    ],
  ])('%s', async (_title, object) => {
    const response = await reviewOf(object);
    expect(response).toMatchObject({ allowed: true, warnings: [expect.stringContaining('cannot be read')] });
    expect(response).not.toHaveProperty('patch');
  });
});

describe('a strange pod is decided like any other, and its patch applies', () => {
  const named = (annotations: Record<string, string>): Json => podObject({ annotations });
  const containers = (list: unknown[]): Json => podObject({ spec: { containers: list } });
  it.each<[string, Json]>([
    ['a name that is a number', { ...podObject(), metadata: { name: 7, labels: { eci: 'true' } } }],
    ['a container without a name', containers([{ image: 'app:1' }])],
    ['a pull policy that is a number', containers([{ name: 'c', image: 'app:1', imagePullPolicy: 7 }])],
    [
      'a nodeName that is an object',
      podObject({ spec: { nodeName: {}, containers: [{ name: 'c', image: 'app:1' }] } }),
    ],
    [
      'a namespace that is an array',
      { ...podObject(), metadata: { namespace: [], labels: { eci: 'true' } } },
    ],
    ['keys with ~ and /', named({ 'a/b~c': '1', '~0': '2', '~1': '3', '//': '4' })],
    ['an empty key', named({ '': 'x' })],
    ['a very long value', named({ a: 'x'.repeat(300_000) })],
    ['control characters in a value', named({ 'k8s.aliyun.com/eci-auto-imc': 'true\u0000\r\n\u2028' })],
    ['a lone surrogate in a value', named({ 'k8s.aliyun.com/eci-auto-imc': '\ud800' })],
    [
      'a decision annotation of 200 kB',
      named({ 'imagecache-webhook.io/decision': `{"wrote":{"annotations":${'['.repeat(100_000)}` }),
    ],
    ['a count of many digits', named({ 'k8s.aliyun.com/imc-match-count-request': '9'.repeat(100_000) })],
    [
      'a quantity with a huge exponent',
      named({ 'k8s.aliyun.com/eci-extra-ephemeral-storage': '1e999999999999' }),
    ],
    [
      'a quantity of many digits',
      named({ 'k8s.aliyun.com/eci-extra-ephemeral-storage': `${'9'.repeat(100_000)}Gi` }),
    ],
    ['a pin of 100 kB', named({ 'k8s.aliyun.com/eci-imc-id': 'x'.repeat(100_000) })],
    ['a pin called __proto__', named({ 'k8s.aliyun.com/eci-imc-id': '__proto__' })],
    [
      '500 containers',
      containers(Array.from({ length: 500 }, (_, i) => ({ name: `c${i}`, image: `app:${i}` }))),
    ],
    [
      '500 containers of one image',
      containers(Array.from({ length: 500 }, (_, i) => ({ name: `c${i}`, image: 'app:1' }))),
    ],
    ['an image of 100 kB', containers([{ name: 'c', image: 'a/'.repeat(50_000) }])],
    ['an image with many dashes', containers([{ name: 'c', image: `${'a-'.repeat(200)}!` }])],
    ['an image called constructor', containers([{ name: 'c', image: 'constructor' }])],
    ['an image called __proto__', containers([{ name: '__proto__', image: '__proto__' }])],
    [
      '100,000 environment variables',
      containers([
        { name: 'c', image: 'app:1', env: Array.from({ length: 100_000 }, (_, i) => ({ name: `E${i}` })) },
      ]),
    ],
    ['2,000 annotations', named(Object.fromEntries(Array.from({ length: 2000 }, (_, i) => [`a${i}`, 'x'])))],
  ])('%s', async (_title, object) => {
    const response = await reviewOf(object);
    expect(response.allowed).toBe(true);
    for (const warning of response.warnings ?? []) expect(warning.length).toBeLessThanOrEqual(256);
    const operations = operationsOf(response);
    expect(operations.every(({ path }) => /^\/metadata\/(annotations|labels)/.test(path))).toBe(true);
    const plain = JSON.parse(JSON.stringify(object)) as Json;
    const patched = applied(plain, operations, false);
    expect(patched['spec']).toEqual(plain['spec']);
  });

  const nested = (depth: number): string =>
    `{"metadata":{"labels":{"eci":"true"}},"status":${'['.repeat(depth)}${']'.repeat(depth)},"spec":{"containers":[{"name":"c","image":"app:1"}]}}`;

  it.each([
    // The review has three levels, and the pod another.
    ['sixty levels of nesting in a field that we ignore', nested(60)],
    [
      '__proto__ in annotations',
      '{"metadata":{"labels":{"eci":"true"},"annotations":{"__proto__":"x"}},"spec":{"containers":[{"name":"c","image":"app:1"}]}}',
    ],
    [
      '__proto__ in metadata',
      '{"metadata":{"__proto__":{"polluted":1},"labels":{"eci":"true"}},"spec":{"containers":[{"name":"c","image":"app:1"}]}}',
    ],
    [
      '__proto__ as the object',
      '{"__proto__":{"polluted":1},"metadata":{"labels":{"eci":"true"}},"spec":{"containers":[{"name":"c","image":"app:1"}]}}',
    ],
    [
      'constructor.prototype',
      '{"constructor":{"prototype":{"polluted":1}},"metadata":{"labels":{"eci":"true","constructor":"x"}},"spec":{"containers":[{"name":"c","image":"app:1"}]}}',
    ],
    [
      '__proto__ in the record of a decision',
      `{"metadata":{"labels":{"eci":"true"},"annotations":{"imagecache-webhook.io/decision":${JSON.stringify('{"request":{"__proto__":"polluted"},"wrote":{"annotations":{"__proto__":"x","constructor":null}}}')}}},"spec":{"containers":[{"name":"c","image":"app:1"}]}}`,
    ],
    [
      'duplicate keys, of which the last counts',
      '{"metadata":{"labels":{"eci":"false"},"labels":{"eci":"true"}},"spec":{"containers":[{"name":"c","image":"wrong:1","image":"app:1"}]}}',
    ],
  ])('%s', async (_title, object) => {
    const body = JSON.stringify(admissionReview('OBJECT')).replace('"OBJECT"', () => object);
    const { status, body: answer } = await raw(body);
    expect(status).toBe(200);
    expect((JSON.parse(answer) as { response: AdmissionResponse }).response).toMatchObject({
      allowed: true,
      auditAnnotations: { outcome: 'hit' },
    });
  });
});

it.each<[string, Json]>([
  ['an operation that is a number', { operation: 7 }],
  ['no operation', { operation: undefined }],
  ['no resource', { resource: undefined }],
  ['a resource that is a string', { resource: 'pods' }],
  ['a resource that is null', { resource: null }],
  ['a subresource that is an object', { subResource: {} }],
])('a request with %s is not for the webhook, and is allowed without a patch', async (_title, change) => {
  const { status, body } = await raw(withRequest(change));
  expect(status).toBe(200);
  expect((JSON.parse(body) as { response: unknown }).response).toEqual({
    uid: '705ab4f5-6393-11e8-b7cc-42010a800002',
    allowed: true,
  });
});

it('sixty levels of nesting instead of a string make a pod that cannot be read', async () => {
  const deep = `{"metadata":{"labels":{"eci":${'{"a":'.repeat(58)}1${'}'.repeat(58)}}},"spec":{}}`;
  const { status, body } = await raw(
    JSON.stringify(admissionReview('OBJECT')).replace('"OBJECT"', () => deep),
  );
  expect(status).toBe(200);
  expect(body).toContain('cannot be read');
});

describe('a review that would take much memory is refused before it is parsed', () => {
  const review = (object: string): string =>
    JSON.stringify(admissionReview('OBJECT')).replace('"OBJECT"', () => object);

  it.each([
    ['levels', review('['.repeat(65) + ']'.repeat(65)), 'more than 64 levels'],
    ['brackets', review(`[${Array(200_000).fill('{}').join()}]`), 'more than 200000 objects and arrays'],
    ['values', review(`[${Array(300_002).fill('0').join()}]`), 'more than 300000 values'],
  ])('because of its %s', async (_title, text, message) => {
    const { status, body } = await raw(text);
    expect(status).toBe(400);
    expect((JSON.parse(body) as { message: string }).message).toBe(
      `the body is no AdmissionReview: it has ${message}`,
    );
  });

  it('and brackets, commas and quotes within its texts do not count', async () => {
    const text = '[{,"\\'.repeat(40_000);
    const { status } = await raw(JSON.stringify(admissionReview(podObject({ annotations: { text } }))));
    expect(status).toBe(200);
  });
});

it('an exception in the webhook lets the pod through unchanged, is logged and is counted', async () => {
  const view = new ClusterIndex();
  const logged: Json[] = [];
  const { app, metrics } = buildTestApp({
    view: Object.defineProperty(view, 'profile', {
      value: () => {
        throw new Error('out of order');
      },
    }),
    log: pino({}, { write: (line: string) => logged.push(JSON.parse(line) as Json) }),
  });
  const headers = { 'content-type': 'application/json' };
  const { statusCode, body } = await app.inject({ method: 'POST', url: '/mutate', headers, payload: GOOD });
  await app.close();
  expect(statusCode).toBe(200);
  expect((JSON.parse(body) as Json)['response']).toEqual({
    uid: '705ab4f5-6393-11e8-b7cc-42010a800002',
    allowed: true,
  });
  expect(logged).toContainEqual(
    expect.objectContaining({ level: 50, msg: expect.stringContaining('let through as it is') as string }),
  );
  expect(await metrics.registry.metrics()).toContain('imagecache_webhook_internal_errors_total 1');
});
