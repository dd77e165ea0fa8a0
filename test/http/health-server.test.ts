/** The port of the kubelet's probes: what it answers, and that a stranger cannot fill it. */
import { once } from 'node:events';
import { connect, type AddressInfo, type Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { buildHealthServer } from '../../src/http/health-server.ts';
import { listenAll } from '../../src/http/listen-all.ts';
import { buildMetricsServer } from '../../src/http/metrics-server.ts';
import { eventually } from '../support/eventually.ts';

const LOG = pino({ level: 'silent' });
let ready: boolean;
let app: FastifyInstance;
let address: string;
const sockets: Socket[] = [];
beforeEach(async () => {
  ready = true;
  app = buildHealthServer(LOG, {
    readiness: () => ({ ready, status: '', sourceAgeSeconds: 0, kinds: [], problems: [] }),
  });
  address = await app.listen({ host: '127.0.0.1', port: 0 });
});
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await app.close();
});

it('answers /healthz and /readyz, and nothing else', async () => {
  expect((await fetch(`${address}/healthz`)).status).toBe(200);
  expect((await fetch(`${address}/readyz`)).status).toBe(200);
  ready = false;
  expect((await fetch(`${address}/readyz`)).status).toBe(503);
  expect((await fetch(`${address}/mutate`, { method: 'POST' })).status).toBe(404);
});

it('a stranger holds sixteen connections at most, each for a few seconds, and the kubelet is answered meanwhile', async () => {
  const { port } = app.server.address() as AddressInfo;
  for (let i = 0; i < 300; i++) {
    const socket = connect({ port, host: '127.0.0.1', localAddress: '127.0.0.2' });
    socket.on('error', () => undefined).resume();
    sockets.push(socket);
    await once(socket, 'connect');
    socket.write('GET /healthz HTTP/1.1\r\n');
  }
  await eventually(() => expect(sockets.filter(({ destroyed }) => !destroyed)).toHaveLength(16));
  expect((await fetch(`${address}/healthz`)).status).toBe(200);
  await eventually(() => expect(sockets.every(({ destroyed }) => destroyed)).toBe(true), 10_000);
});

it('if one of several ports is taken, none stays open', async () => {
  const { port } = app.server.address() as AddressInfo;
  const other = buildMetricsServer({ registry: new Registry(), log: LOG });
  await expect(
    listenAll([
      [other, '127.0.0.1', 0],
      [
        buildHealthServer(LOG, {
          readiness: () => {
            throw new Error();
          },
        }),
        '127.0.0.1',
        port,
      ],
    ]),
  ).rejects.toThrow('EADDRINUSE');
  expect(other.server.listening).toBe(false);
});
