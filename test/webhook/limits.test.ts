/** The server's limits on headers, connections and waiting times. */
import { once } from 'node:events';
import { Agent } from 'node:https';
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { admissionReview } from '../support/admission.ts';
import { buildTestApp } from '../support/app.ts';
import { eventually } from '../support/eventually.ts';
import { sendHttps } from '../support/https.ts';
import { podObject } from '../support/objects.ts';
import { CA, runWebhookOn, type RunningWebhook } from '../support/webhook.ts';

describe('a client that sends or opens more than an API server does', () => {
  let webhook: RunningWebhook;
  beforeAll(async () => {
    webhook = await runWebhookOn({});
  });
  afterAll(() => webhook.stop());

  it('is refused headers of more than 16 KiB', async () => {
    const headers = { 'x-large': 'x'.repeat(17_000) };
    const { status } = await sendHttps(
      `${webhook.address}/mutate`,
      { method: 'POST', ca: CA, headers },
      JSON.stringify(admissionReview(podObject())),
    );
    expect(status).toBe(431);
  });

  it('gets at most 512 connections, and a client that was connected before is still answered', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const ask = async (): Promise<number> =>
      (await sendHttps(`${webhook.address}/healthz`, { method: 'GET', ca: CA, agent })).status;
    expect(await ask()).toBe(200);
    const sockets: Socket[] = [];
    let closed = 0;
    // Opens 50 at a time and waits for them, so that the server's limit is reached, and not the machine's.
    for (let i = 0; i < 12; i++) {
      const some = Array.from({ length: 50 }, () => connect(webhook.port, '127.0.0.1'));
      for (const socket of some) socket.on('error', () => undefined).on('close', () => (closed += 1));
      await Promise.all(some.map((socket) => once(socket, 'connect').catch(() => undefined)));
      sockets.push(...some);
    }
    await eventually(() => expect(closed).toBeGreaterThanOrEqual(600 - 511), 20_000);
    expect(await ask()).toBe(200);
    // Another address is not affected.
    const other = new Agent({ localAddress: '127.0.0.2' });
    const elsewhere = { method: 'GET', ca: CA, agent: other };
    expect((await sendHttps(`${webhook.address}/healthz`, elsewhere)).status).toBe(200);
    other.destroy();
    for (const socket of sockets) socket.destroy();
    agent.destroy();
    await eventually(async () => expect((await webhook.get('/healthz')).status).toBe(200));
  });
});

it('the server sets its timeouts and its connection limit', () => {
  const { app } = buildTestApp({});
  expect(app.server).toMatchObject({
    keepAliveTimeout: 120_000,
    requestTimeout: 30_000,
    headersTimeout: 10_000,
    maxConnections: 2048,
  });
});

it('the server keeps an idle connection longer than Go clients do', async () => {
  const { app } = buildTestApp({});
  const address = await app.listen({ host: '127.0.0.1', port: 0 });
  const agent = new Agent({ keepAlive: true });
  const review = JSON.stringify(admissionReview(podObject()));
  const { headers } = await sendHttps(`${address}/mutate`, { method: 'POST', ca: CA, agent }, review);
  expect(headers['keep-alive']).toBe('timeout=120');
  agent.destroy();
  await app.close();
});
