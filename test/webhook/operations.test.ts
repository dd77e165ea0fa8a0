/** What an operator relies on: connections, probes, metrics, and a shutdown that loses no request. */
import { once } from 'node:events';
import { Agent } from 'node:https';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect } from 'node:tls';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { admissionReview } from '../support/admission.ts';
import { cacheObject, podObject } from '../support/objects.ts';
import { eventually } from '../support/eventually.ts';
import { sendHttps, sendInPieces, type HttpsAnswer } from '../support/https.ts';
import { CA, runWebhook, temporaryFolder, type RunningWebhook } from '../support/webhook.ts';

const folder = temporaryFolder({ 'cache.json': cacheObject({ name: 'x' }) });
let webhook: RunningWebhook | undefined;
afterAll(folder.remove);
afterEach(async () => {
  await webhook?.stop();
  webhook = undefined;
});

async function run(settings: Record<string, string> = {}, path = folder.path): Promise<RunningWebhook> {
  webhook = await runWebhook(path, settings);
  await webhook.synced;
  return webhook;
}

/** Sends one request over the connections of an agent. */
function send(agent: Agent, port: number, path = '/mutate', body?: string): Promise<HttpsAnswer> {
  const method = body === undefined ? 'GET' : 'POST';
  return sendHttps(`https://127.0.0.1:${port}${path}`, { ca: CA, agent, method }, body);
}

/** @param pause what to wait for between the halves */
function sendInHalves(port: number, body: string, pause: () => Promise<unknown>): Promise<HttpsAnswer> {
  const half = body.length / 2;
  const headers = { 'content-length': String(body.length) };
  const options = { ca: CA, method: 'POST', headers };
  const halves = [body.slice(0, half), body.slice(half)];
  return sendInPieces(`https://127.0.0.1:${port}/mutate`, options, halves, pause);
}

/** Waits until the server has received the bytes that were sent before: it has answered a later request. */
async function untilTaken(port: number): Promise<void> {
  await send(new Agent(), port, '/healthz');
}

const REVIEW = JSON.stringify(admissionReview(podObject()));

describe('connections', () => {
  it('are kept alive: twenty reviews take one connection', async () => {
    const { port } = await run();
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const ports = new Set<number | undefined>();
    for (let i = 0; i < 20; i++) ports.add((await send(agent, port, '/mutate', REVIEW)).localPort);
    agent.destroy();
    expect(ports.size).toBe(1);
  });

  it('speak HTTP/1.1 over TLS 1.2 or later, also to a client that prefers HTTP/2', async () => {
    const { port } = await run();
    const socket = connect({ host: '127.0.0.1', port, ca: CA, ALPNProtocols: ['h2', 'http/1.1'] });
    await new Promise((resolve) => socket.once('secureConnect', resolve));
    expect(socket.alpnProtocol).toBe('http/1.1');
    expect(['TLSv1.2', 'TLSv1.3']).toContain(socket.getProtocol());
    socket.destroy();
  });
});

describe('probes', () => {
  it('/healthz answers 200 before the source has been read', async () => {
    webhook = await runWebhook(folder.path);
    expect((await webhook.get('/healthz')).status).toBe(200);
    await webhook.synced;
  });

  it('/readyz answers 503 until the source has been read, and pods are allowed meanwhile', async () => {
    webhook = await runWebhook('/nowhere');
    await expect(webhook.synced).rejects.toThrow('cannot be read: no such file or directory');
    const { status, body } = await webhook.get('/readyz');
    expect([status, body]).toEqual([
      503,
      {
        ready: false,
        status: 'the source has not been read yet',
        sourceAgeSeconds: null,
        kinds: [],
        problems: [],
      },
    ]);
    const response = await webhook.review(admissionReview(podObject()));
    expect(response).toMatchObject({ allowed: true, auditAnnotations: { reason: 'IndexNotSynced' } });
  });

  it('/readyz answers 200 once the source has been read, with its age and the number of objects', async () => {
    const { get } = await run();
    const { status, body } = await get('/readyz');
    expect(status).toBe(200);
    expect(body).toEqual({
      ready: true,
      status: 'ready',
      sourceAgeSeconds: expect.any(Number),
      kinds: [{ kind: 'ImageCache', state: 'watching', objects: 1, ageSeconds: expect.any(Number) }],
      problems: [],
    });
  });
});

describe('metrics', () => {
  it('have both counts of images from the first decision, so that the first hit shows as an increase', async () => {
    const { metricsAddress, review } = await run();
    await review(admissionReview(podObject({ images: ['other:1'] })));
    const text = await (await fetch(`${metricsAddress}/metrics`)).text();
    expect(text).toContain('imagecache_webhook_pod_images_total{cached="yes"} 0');
    expect(text).toContain('imagecache_webhook_pod_images_total{cached="no"} 1');
  });

  it('are served without TLS on a port of their own, and count the decisions', async () => {
    const { metricsAddress, review, get } = await run();
    await review(admissionReview(podObject()));
    await review(admissionReview(podObject({ images: ['other:1'] })));
    await review(admissionReview(podObject({ annotations: { 'k8s.aliyun.com/eci-auto-imc': 'x' } })));
    await review(admissionReview(podObject({ labels: {} })));
    const response = await fetch(`${metricsAddress}/metrics`);
    expect(response.headers.get('content-type')).toContain('text/plain; version=0.0.4');
    const text = await response.text();
    for (const line of [
      'imagecache_webhook_decisions_total{operation="create",outcome="hit",reason="BestMatch"} 2',
      'imagecache_webhook_pod_images_total{cached="yes"} 2',
      'imagecache_webhook_pod_images_total{cached="no"} 1',
      'imagecache_webhook_missed_images_total{image="docker.io/library/other:1"} 1',
      'imagecache_webhook_create_on_miss_total{by="eci"} 1',
      'imagecache_webhook_certificate_expiry_timestamp_seconds{certificate="serving"} 1',

      'imagecache_webhook_decisions_total{operation="create",outcome="miss",reason="NoCacheHoldsImages"} 1',
      'imagecache_webhook_decisions_total{operation="create",outcome="skipped",reason="NotForEci"} 1',
      'imagecache_webhook_warnings_total 1',
      'imagecache_webhook_image_caches{phase="Ready"} 1',
      'imagecache_webhook_source_problems 0',
      'imagecache_webhook_internal_errors_total 0',
      'imagecache_webhook_request_seconds_count{status="200"} 4',
    ]) {
      expect(text).toContain(line);
    }
    expect(text).toMatch(/imagecache_webhook_source_age_seconds 0\.\d/);
    expect(text).toContain('nodejs_eventloop_lag_seconds');
    expect((await get('/metrics')).status).toBe(404);
  });

  it.each([
    ['answered', 200, REVIEW],
    ['refused', 400, `${REVIEW}x`],
  ])('measure a request that is %s from its first byte', async (_how, status, body) => {
    const { metricsAddress, port } = await run();
    const now = performance.now.bind(performance);
    let sinceFirstByteMs = 0;
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => now() + sinceFirstByteMs);
    const answer = await sendInHalves(port, body, async () => {
      await untilTaken(port);
      sinceFirstByteMs = 3_600_000;
    });
    clock.mockRestore();
    expect(answer.status).toBe(status);
    const text = await (await fetch(`${metricsAddress}/metrics`)).text();
    const line = new RegExp(`imagecache_webhook_request_seconds_sum\\{status="${status}"\\} (\\S+)`);
    expect(Number(line.exec(text)?.[1])).toBeGreaterThan(3600);
  });
});

describe('a shutdown', () => {
  it('makes /readyz fail first, answers requests that still come, and loses none', async () => {
    const running = await run({ shutdownDelay: '2s' });
    const agent = new Agent({ keepAlive: true });
    const answers: HttpsAnswer[] = [];
    const errors: unknown[] = [];
    // Clients behind a Service: each sends until the Service no longer routes to the webhook.
    const service = { routed: true };
    const client = async (): Promise<void> => {
      while (service.routed) {
        try {
          answers.push(await send(agent, running.port, '/mutate', REVIEW));
        } catch (error) {
          errors.push(error);
        }
      }
    };
    const clients = Array.from({ length: 8 }, client);
    const moreThan = (count: number): Promise<void> =>
      eventually(() => expect(answers.length).toBeGreaterThan(count));
    await moreThan(0);
    const stopping = running.stop();
    await eventually(async () => expect((await send(agent, running.port, '/readyz')).status).toBe(503));
    await moreThan(answers.length + clients.length);
    service.routed = false;
    await Promise.all(clients);
    await stopping;
    webhook = undefined;
    expect(errors).toEqual([]);
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    // During the shutdown, each answer tells its client to close the connection.
    expect(answers.at(-1)?.headers['connection']).toBe('close');
    await expect(send(new Agent(), running.port)).rejects.toThrow('ECONNREFUSED');
  });

  it('answers a request of which one half has arrived when the shutdown begins', async () => {
    const running = await run();
    const { promise: halfIn, resolve } = Promise.withResolvers<void>();
    const stopBegan = Promise.withResolvers<void>();
    const answer = sendInHalves(running.port, REVIEW, () => {
      resolve();
      return stopBegan.promise;
    });
    await halfIn;
    await untilTaken(running.port);
    webhook = undefined;
    const stopped = running.stop();
    stopBegan.resolve();
    await stopped;
    expect((await answer).status).toBe(200);
  });

  it('is quick if no request is in flight, also if idle connections are open', async () => {
    const running = await run();
    const agent = new Agent({ keepAlive: true });
    await send(agent, running.port, '/mutate', REVIEW);
    webhook = undefined;
    await running.stop();
    agent.destroy();
  });

  it.each<[string, (port: number) => Promise<Socket>]>([
    [
      'opened over TLS and never used, as Go clients do',
      async (port) => {
        const socket = connect({ host: '127.0.0.1', port, ca: CA });
        await once(socket, 'secureConnect');
        return socket;
      },
    ],
    [
      'opened and left without a byte, as TCP probes do',
      async (port) => {
        const socket = connectTcp({ host: '127.0.0.1', port });
        await once(socket, 'connect');
        return socket;
      },
    ],
  ])('is quick also if a connection was %s', async (_title, open) => {
    const running = await run();
    // The server has accepted the first connection, and may not have accepted the second.
    const early = await open(running.port);
    await untilTaken(running.port);
    const late = await open(running.port);
    const closed = Promise.all(
      [early, late].map((socket) => {
        // If bytes of the client were still under way, the server closes the connection by a reset.
        socket.on('error', () => undefined);
        return new Promise((resolve) => socket.once('close', resolve));
      }),
    );
    webhook = undefined;
    await running.stop();
    await closed;
  });
});

it('the webhook does not start if its metrics port is taken', async () => {
  const running = await run();
  const taken = new URL(running.metricsAddress).port;
  await expect(runWebhook(folder.path, { metricsPort: taken })).rejects.toThrow('EADDRINUSE');
});
