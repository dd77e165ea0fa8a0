/** The limits of connections, on real sockets. */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { limitConnections } from '../../src/http/connection-limits.ts';
import { eventually } from '../support/eventually.ts';

let server: Server;
let sockets: Socket[];
beforeEach(async () => {
  sockets = [];
  server = createServer();
  limitConnections(server, { total: 10, perAddress: 4, beyond: 'refuse' });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  server.close();
  await once(server, 'close');
});

function open(localAddress: string): Socket {
  const { port } = server.address() as AddressInfo;
  const socket = connect({ port, host: '127.0.0.1', localAddress });
  socket.on('error', () => undefined);
  sockets.push(socket);
  return socket;
}

const standing = (of: readonly Socket[]): number => of.filter(({ destroyed }) => !destroyed).length;

async function openMany(localAddress: string, count: number): Promise<Socket[]> {
  const all = Array.from({ length: count }, () => open(localAddress));
  await Promise.all(all.map((socket) => once(socket, 'connect').catch(() => undefined)));
  for (const socket of all) socket.resume();
  return all;
}

it('one address holds so many connections, and no more; another one has its own', async () => {
  const first = await openMany('127.0.0.1', 8);
  await eventually(() => expect(standing(first)).toBe(4));
  const second = await openMany('127.0.0.2', 8);
  await eventually(() => expect(standing(second)).toBe(4));
});

it('all together hold no more than the total', async () => {
  const all = (await Promise.all([1, 2, 3, 4].map((i) => openMany(`127.0.0.${i}`, 4)))).flat();
  await eventually(() => expect(standing(all)).toBe(10));
});

it('a connection that is closed makes room for another', async () => {
  const first = await openMany('127.0.0.1', 4);
  for (const socket of first) socket.destroy();
  await eventually(async () => {
    const [again] = await openMany('127.0.0.1', 1);
    expect(standing([again!])).toBe(1);
  });
});

it('a connection beyond the total takes the place of the oldest one if it must not be kept out', async () => {
  server.close();
  await once(server, 'close');
  server = createServer();
  limitConnections(server, { total: 10, perAddress: 4, beyond: 'close the oldest' });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const first = (await Promise.all([1, 2, 3].map((i) => openMany(`127.0.0.${i}`, 4)))).flat();
  await eventually(() => expect(standing(first)).toBe(10));
  const [last] = await openMany('127.0.0.9', 1);
  await eventually(() => expect(standing(first)).toBe(9));
  expect(standing([last!])).toBe(1);
});
