/**
 * Owns the two HTTP servers as they are built; listening is runtime's. The webhook speaks HTTP/1.1 over TLS, because
 * that is what kube-apiserver speaks to webhooks, over connections that it keeps.
 */
import { createServer } from 'node:https';
import type { Socket } from 'node:net';
import { Server, TLSSocket, type SecureContextOptions } from 'node:tls';
import type { Registry } from 'prom-client';
import Fastify, { LogController, type FastifyError, type FastifyInstance } from 'fastify';
import type { AnswerOptions } from './answer.ts';
import { judgeClients, type TrustedClients } from './client-certificate.ts';
import { fastPath, type FastPathOptions } from './fast-path.ts';
import { health, type Readiness } from './health.ts';
import { metricsEndpoint } from './metrics.ts';
import { mutate } from './mutate.ts';
import { buildRespond } from './respond.ts';

/** PEM. */
interface Certificate {
  readonly cert: string;
  readonly key: string;
}

export interface AppOptions extends AnswerOptions {
  readonly tls: Certificate;
  readonly draining: FastPathOptions['draining'];
  /** Undefined where everybody may ask. */
  readonly clients: TrustedClients | undefined;
  readonly readiness: () => Readiness;
}

/** Milliseconds. Longer than the 90 s after which Go clients give up an idle connection, so that we never do it first. */
const KEEP_ALIVE = 120_000;
/** Milliseconds for a request to arrive whole; the API server itself waits 30 s at the very most. */
const REQUEST_TIMEOUT = 30_000;
/** What a client may take who means no good. An API server has a few dozen connections, and sends what fits easily. */
const LIMITS = {
  /** Milliseconds. */
  handshakeTimeout: 10_000,
  headersTimeout: 10_000,
  /** How often Node looks for requests that take too long. */
  connectionsCheckingInterval: 5000,
  /** Bytes. */
  maxHeaderSize: 16_384,
};
const MAX_CONNECTIONS = 1000;

export function buildApp({ tls, readiness, clients, draining, ...options }: AppOptions): FastifyInstance {
  const mutating = {
    respond: buildRespond(options),
    metrics: options.metrics,
    draining,
    faultOfClient: judgeClients(clients),
  };
  const https = {
    ...secureContext(tls, clients),
    ...LIMITS,
    keepAliveTimeout: KEEP_ALIVE,
    requestTimeout: REQUEST_TIMEOUT,
    ALPNProtocols: ['http/1.1'],
    requestCert: clients !== undefined,
    // The route refuses who shows none: probes ask for health alone.
    rejectUnauthorized: false,
  };
  const app = Fastify({
    https,
    serverFactory: (fastify) => createServer(https, fastPath(mutating, fastify)),
    forceCloseConnections: 'idle',
    // What is in flight when the server closes is answered, not refused.
    return503OnClosing: false,
  });
  app.server.maxConnections = MAX_CONNECTIONS;
  closeUnusedConnections(app);
  app.setErrorHandler((error: FastifyError, request, reply) => {
    const statusCode = error.statusCode ?? 500;
    options.log.warn({ statusCode, method: request.method, url: request.url }, error.message);
    void reply.code(statusCode).send(error);
  });
  void app.register(mutate, mutating);
  void app.register(health, { readiness });
  return app;
}

function secureContext(
  { cert, key }: Certificate,
  clients: TrustedClients | undefined,
): SecureContextOptions {
  return { cert, key, minVersion: 'TLSv1.2', ...(clients && { ca: clients.ca }) };
}

/** From now on new connections are given this one; those that are open stay as they are. */
export function renewCertificate(
  app: FastifyInstance,
  tls: Certificate,
  clients: TrustedClients | undefined,
): void {
  if (app.server instanceof Server) app.server.setSecureContext(secureContext(tls, clients));
}

/**
 * Go clients open connections ahead of need. Node does not count one that never carried a request as idle, and would
 * let it hold up the stop until the client gives it up, a minute and a half later.
 */
function closeUnusedConnections(app: FastifyInstance): void {
  /** By its other end, which a TCP connection shares with the TLS connection that then stands for it. */
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

/** A TLS connection counts what it deciphered; a TCP connection stands here for one that is not secured yet. */
function carriedNothing(socket: Socket): boolean {
  return !(socket instanceof TLSSocket) || socket.bytesRead === 0;
}

function peerOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}

/**
 * Plain HTTP, on a port of its own, so that whoever scrapes needs neither our CA nor a way to /mutate.
 * @param readiness where health is asked for here too
 */
export function buildMetricsApp({
  registry,
  log,
  readiness,
}: Pick<AppOptions, 'log'> & {
  readonly registry: Registry;
  readonly readiness?: AppOptions['readiness'];
}): FastifyInstance {
  const app = Fastify({
    loggerInstance: log,
    logController: new LogController({ disableRequestLogging: true }),
    forceCloseConnections: true,
  });
  void app.register(metricsEndpoint, { registry });
  if (readiness) void app.register(health, { readiness });
  return app;
}
