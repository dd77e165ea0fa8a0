/** Ends the connections on which no request has come, as soon as the server stops. */
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { FastifyInstance } from 'fastify';

/**
 * Go clients open connections ahead of need. Node does not treat a connection without a request as idle, and such a
 * connection would delay the stop for a minute and a half.
 */
export function closeUnusedConnections(app: FastifyInstance): void {
  /** Open connections, by the address of the client, which a TCP connection and its TLS connection share. */
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

/** `bytesRead` of a TLSSocket counts the deciphered bytes; any other socket has not finished its TLS handshake. */
function carriedNothing(socket: Socket): boolean {
  return !(socket instanceof TLSSocket) || socket.bytesRead === 0;
}

function peerOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}
