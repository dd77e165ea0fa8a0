/**
 * Restricts the admission routes to clients with a certificate, if a CA for clients is configured. The route checks the
 * certificate, and not the TLS handshake, because the kubelet's probes have none.
 */
import { TLSSocket } from 'node:tls';
import type { onRequestHookHandler } from 'fastify';

export interface TrustedClients {
  /** PEM. */
  readonly ca: string;
  /** Common names that the certificate may have; empty: any name. */
  readonly names: readonly string[];
}

class Forbidden extends Error {
  readonly statusCode = 403;
}

export function refuseStrangers({ names }: TrustedClients): onRequestHookHandler {
  // Each connection is checked once, because its certificate does not change.
  const trusted = new WeakSet<object>();
  return ({ raw: { socket } }, reply, done) => {
    const fault = trusted.has(socket) ? undefined : faultOf(socket, names);
    if (fault === undefined) {
      trusted.add(socket);
      done();
    } else {
      reply.header('connection', 'close');
      done(new Forbidden(fault));
    }
  };
}

/** Why the client at the other end of a connection may not ask; undefined if it may. */
function faultOf(socket: object, names: readonly string[]): string | undefined {
  if (!(socket instanceof TLSSocket) || !socket.authorized)
    return 'a client certificate of the CA that tls.clientCa names is needed';
  const name = [socket.getPeerCertificate().subject.CN].flat();
  if (names.length === 0 || name.some((each) => each !== undefined && names.includes(each))) return undefined;
  return `the client certificate is for ${name.join(', ')}; allowed are ${names.join(', ')}`;
}
