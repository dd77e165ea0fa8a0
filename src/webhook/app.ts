/** Builds the webhook's HTTPS server, which speaks HTTP/1.1, as kube-apiserver does; src/runtime makes it listen. */
import { Server, type SecureContextOptions } from 'node:tls';
import Fastify, { type FastifyError, type FastifyInstance } from 'fastify';
import { limitConnections } from '../http/connection-limits.ts';
import { health, type Readiness } from '../http/health.ts';
import { closeUnusedConnections } from '../http/unused-connections.ts';
import type { KeyPair } from '../tls/authority.ts';
import type { TrustedClients } from './client-certificate.ts';
import { adviseRoute } from './advise.ts';
import { mutate, type MutateOptions } from './mutate.ts';

export interface AppOptions extends MutateOptions {
  readonly tls: KeyPair;
  readonly readiness: () => Readiness;
}

/** Longer than the 90 s after which Go clients close an idle connection, so that we never close it first. */
const KEEP_ALIVE_MS = 120_000;
/** Milliseconds for a whole request to arrive; the API server itself waits at most 30 s. */
const REQUEST_TIMEOUT_MS = 30_000;
/** Limits for a hostile client. An API server has a few dozen connections, and its requests fit easily. */
const LIMITS = {
  /** Milliseconds, all three. */
  handshakeTimeout: 5000,
  headersTimeout: 10_000,
  /** How often Node looks for requests that take too long. */
  connectionsCheckingInterval: 5000,
  /** Bytes. */
  maxHeaderSize: 16_384,
};
const CONNECTIONS = { total: 2048, perAddress: 512, beyond: 'refuse' } as const;

export function buildApp({ tls, readiness, ...options }: AppOptions): FastifyInstance {
  const { clients, log } = options;
  const app = Fastify({
    https: {
      ...secureContext(tls, clients),
      ...LIMITS,
      ALPNProtocols: ['http/1.1'],
      requestCert: clients !== undefined,
      // Only the admission routes refuse clients without a certificate, because the kubelet's probes have none.
      rejectUnauthorized: false,
    },
    keepAliveTimeout: KEEP_ALIVE_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    forceCloseConnections: 'idle',
    // Requests in flight while the server closes are answered, not refused.
    return503OnClosing: false,
  });
  limitConnections(app.server, CONNECTIONS);
  closeUnusedConnections(app);
  app.setErrorHandler((error: FastifyError, request, reply) => {
    const statusCode = error.statusCode ?? 500;
    log.warn(
      { statusCode, method: request.method, url: request.url, problem: error.message },
      'request refused',
    );
    if (statusCode === 429) reply.header('retry-after', '1');
    void reply.code(statusCode).send(error);
  });
  // Only the admission routes read a body, and they have their own limits.
  app.removeAllContentTypeParsers();
  app.addHook('onRequest', (request, reply, next) => {
    if (!request.is404) return next();
    reply.header('connection', 'close');
    next(new NoSuchRoute(`there is no ${request.method} ${request.url.slice(0, 100)}`));
  });
  void app.register(mutate, options);
  void app.register(adviseRoute, options);
  void app.register(health, { readiness });
  return app;
}

class NoSuchRoute extends Error {
  readonly statusCode = 404;
}

function secureContext({ cert, key }: KeyPair, clients: TrustedClients | undefined): SecureContextOptions {
  return { cert, key, minVersion: 'TLSv1.2', ...(clients && { ca: clients.ca }) };
}

/** New connections get this certificate; open ones keep theirs. */
export function renewCertificate(
  app: FastifyInstance,
  tls: KeyPair,
  clients: TrustedClients | undefined,
): void {
  if (app.server instanceof Server) app.server.setSecureContext(secureContext(tls, clients));
}
