/**
 * An attack on the port of the webhook from one address, with the built program: it takes a known amount of memory, and
 * others are answered meanwhile. Needs no control plane.
 */
import { readFileSync } from 'node:fs';
import { Agent } from 'node:https';
import { createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect, type TLSSocket } from 'node:tls';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { admissionReview } from '../support/admission.ts';
import { eventually } from '../support/eventually.ts';
import { sendHttps } from '../support/https.ts';
import { killRunning, start } from '../support/imc.ts';
import { podObject } from '../support/objects.ts';
import { CA, SERVING_CERTIFICATE, temporaryFolder } from '../support/webhook.ts';

const MIB = 2 ** 20;
const MOST = 128 * MIB;
/** Milliseconds of each attack. */
const LASTS = 2500;
const GOOD = JSON.stringify(admissionReview(podObject()));

const folder = temporaryFolder({ 'tls.crt': SERVING_CERTIFICATE.cert, 'tls.key': SERVING_CERTIFICATE.key });
let port: number;
let healthPort: number;
let pid: number;
let base: number;

afterAll(() => folder.remove());
beforeEach(async () => {
  [port, healthPort] = [await freePort(), await freePort()];
  const child = start([
    'serve',
    '--source=files:test/examples/cluster',
    `--tls-cert=${folder.path}/tls.crt`,
    `--tls-key=${folder.path}/tls.key`,
    '--host=0.0.0.0',
    `--port=${port}`,
    `--health-port=${healthPort}`,
    '--metrics-port=0',
    '--log-level=fatal',
  ]);
  pid = child.pid!;
  await eventually(async () => expect((await ask('127.0.0.2')).status).toBe(200), 20_000);
  for (let i = 0; i < 500; i++) await ask('127.0.0.2');
  base = residentBytes();
});
afterEach(killRunning);

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port: free } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return free;
}

/** Anonymous memory: what the limit of a container counts, apart from files. */
function residentBytes(): number {
  return Number(/^RssAnon:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024;
}

function ask(localAddress: string, body: string | Buffer = GOOD): ReturnType<typeof sendHttps> {
  const agent = new Agent({ localAddress });
  return sendHttps(`https://127.0.0.1:${port}/mutate`, { method: 'POST', ca: CA, agent }, body).finally(() =>
    agent.destroy(),
  );
}

/** Runs an attack, and asks as another address meanwhile. @returns the most memory that was added */
async function whileAttacked(attack: (until: () => boolean) => Promise<unknown>): Promise<number> {
  let peak = base;
  const over = new AbortController();
  const watching = (async () => {
    while (!over.signal.aborted) {
      peak = Math.max(peak, residentBytes());
      await sleep(5);
    }
  })();
  const end = Date.now() + LASTS;
  const attacking = attack(() => Date.now() > end);
  while (Date.now() < end) {
    expect((await ask('127.0.0.2')).status).toBe(200);
    expect((await fetch(`http://127.0.0.1:${healthPort}/healthz`)).status).toBe(200);
    await sleep(100);
  }
  await attacking;
  over.abort();
  await watching;
  return peak - base;
}

const wrapped = (object: string): string =>
  JSON.stringify(admissionReview('OBJECT')).replace('"OBJECT"', () => object);
const numbers = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
const BODIES: Record<string, () => string> = {
  'brackets alone': () => '['.repeat(8 * MIB - 10),
  '199,000 empty objects': () => wrapped(`[${Array(199_000).fill('{}').join()}]`),
  '299,000 keys of one object': () =>
    wrapped(
      `{${numbers(299_000)
        .map((i) => `"k${i}abcdef":0`)
        .join()}}`,
    ),
  'a text of 8 MiB of two-byte characters': () => wrapped(`"${'é'.repeat(4 * MIB - 1000)}"`),
  'many small bodies': () => wrapped(`[${Array(19_000).fill('{}').join()}]`),
};

describe('one address adds at most 128 MiB, and others are answered, if it sends without pause', () => {
  it.each(Object.keys(BODIES))('%s', async (name) => {
    const body = Buffer.from(BODIES[name]!());
    const added = await whileAttacked((isOver) =>
      Promise.all(
        numbers(4).map(async () => {
          while (!isOver()) await ask('127.0.0.1', body).catch(() => sleep(5));
        }),
      ),
    );
    expect(added).toBeLessThan(MOST);
  });

  it('600 bodies of which the last byte never comes', async () => {
    const sockets: TLSSocket[] = [];
    const added = await whileAttacked(async (isOver) => {
      for (let i = 0; i < 600 && !isOver(); i++) {
        const socket = connect({ port, host: '127.0.0.1', ca: CA });
        socket.on('error', () => undefined);
        socket.on('secureConnect', () => {
          socket.write(
            `POST /mutate HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: ${8 * MIB}\r\n\r\n`,
          );
          socket.write(Buffer.alloc(i % 2 === 0 ? 8 * MIB - 1 : 65_000, 0x20));
        });
        sockets.push(socket);
        await sleep(1);
      }
      while (!isOver()) await sleep(50);
    });
    expect(added).toBeLessThan(MOST);
    for (const socket of sockets) socket.destroy();
  });

  it.each([
    ['bodies in chunks of one byte', '/mutate', '1\r\na\r\n'.repeat(20_000)],
    ['bodies for other URLs', '/nosuch', `fffff\r\n${'x'.repeat(1_000_000)}`],
  ])('%s', async (_title, path, chunks) => {
    const sockets: TLSSocket[] = [];
    const added = await whileAttacked(async (isOver) => {
      for (let i = 0; i < 400 && !isOver(); i++) {
        const socket = connect({ port, host: '127.0.0.1', ca: CA });
        socket.on('error', () => undefined);
        socket.on('secureConnect', () => {
          socket.write(
            `POST ${path} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n`,
          );
          socket.write(chunks);
        });
        sockets.push(socket);
        await sleep(1);
      }
      while (!isOver()) await sleep(50);
    });
    expect(added).toBeLessThan(MOST);
    for (const socket of sockets) socket.destroy();
  });

  it('silent connections that never begin TLS', async () => {
    const agents: { destroy: () => void }[] = [];
    const { connect: plainly } = await import('node:net');
    const added = await whileAttacked(async (isOver) => {
      while (!isOver()) {
        for (let i = 0; i < 100; i++) {
          const socket = plainly({ port, host: '127.0.0.1' });
          socket.on('error', () => undefined);
          agents.push(socket);
        }
        await sleep(100);
      }
    });
    expect(added).toBeLessThan(MOST);
    for (const socket of agents) socket.destroy();
  });
});
