/**
 * Owns who may ask for decisions where that is restricted: clients with a certificate of a CA that is named, as an API
 * server shows it that was told to. Probes show none, so that the handshake lets everybody in, and the route does not.
 */
import { TLSSocket } from 'node:tls';
import type { onRequestHookHandler } from 'fastify';

export interface TrustedClients {
  /** PEM. */
  readonly ca: string;
  /** Common names of which the certificate must have one; empty: any. */
  readonly names: readonly string[];
}

class Forbidden extends Error {
  readonly statusCode = 403;
}

/** Why who is at the other end of a connection may not ask; undefined where they may. */
export type FaultOfClient = (socket: object) => string | undefined;

/** @param clients undefined where everybody may ask */
export function judgeClients(clients: TrustedClients | undefined): FaultOfClient {
  if (!clients) return () => undefined;
  // A connection is looked at once: its certificate does not change.
  const known = new WeakSet<object>();
  return (socket) => {
    if (known.has(socket)) return undefined;
    const fault = faultOf(socket, clients.names);
    if (fault === undefined) known.add(socket);
    return fault;
  };
}

export function refuseStrangers(faultOfClient: FaultOfClient): onRequestHookHandler {
  return ({ raw: { socket } }, reply, done) => {
    const fault = faultOfClient(socket);
    if (fault === undefined) {
      done();
    } else {
      reply.header('connection', 'close');
      done(new Forbidden(fault));
    }
  };
}

function faultOf(socket: object, names: readonly string[]): string | undefined {
  if (!(socket instanceof TLSSocket) || !socket.authorized)
    return 'a client certificate of the CA that tls.clientCa names is needed';
  const name = [socket.getPeerCertificate().subject.CN].flat();
  if (names.length === 0 || name.some((each) => each !== undefined && names.includes(each))) return undefined;
  return `the client certificate is for ${name.join(', ')}; allowed are ${names.join(', ')}`;
}
