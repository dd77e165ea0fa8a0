/** Ends the connections that no request came on, as soon as the server stops. */
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { FastifyInstance } from 'fastify';

/**
 * Go clients open connections ahead of need. Node does not treat a connection without a request as idle, and such a
 * connection would delay the stop for a minute and a half.
 */
export function closeUnusedConnections(app: FastifyInstance): void {
  /** By the address of the client, which the TCP connection and its TLS connection share. */
  const open = new Map<string, Socket>();
  let closing = false;
  app.server.on('connection', (socket: Socket) => {
    const peer = peerOf(socket);
    open.set(peer, socket);
    socket.once('close', () => open.delete(peer));
    if (closing) socket.destroy();
  });
  app.server.on('secureConnection', (socket: Socket) => open.set(peerOf(socket), socket));
  app.addHook('preClose', (done) => {
    closing = true;
    for (const socket of open.values()) if (carriedNothing(socket)) socket.destroy();
    done();
  });
}

/** A TLS connection counts the bytes that it deciphered; a TCP connection here is one that is not secured yet. */
function carriedNothing(socket: Socket): boolean {
  return !(socket instanceof TLSSocket) || socket.bytesRead === 0;
}

function peerOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}
