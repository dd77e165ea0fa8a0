/** A plain HTTP server with few connections and short waiting times, for metrics and for the kubelet's probes. */
import Fastify, { LogController, type FastifyBaseLogger, type FastifyInstance } from 'fastify';
import { limitConnections, type ConnectionLimits } from './connection-limits.ts';

/** Milliseconds, apart from the size. */
const LIMITS = {
  headersTimeout: 2000,
  requestTimeout: 3000,
  /** How often Node looks for requests that take too long. */
  connectionsCheckingInterval: 1000,
  /** Bytes. */
  maxHeaderSize: 8192,
};
const KEEP_ALIVE = 5000;
/** Bytes; no request has a body that is read. */
const BODY_LIMIT = 1024;

export function buildPlainServer(log: FastifyBaseLogger, limits: ConnectionLimits): FastifyInstance {
  const app = Fastify({
    http: LIMITS,
    keepAliveTimeout: KEEP_ALIVE,
    requestTimeout: LIMITS.requestTimeout,
    bodyLimit: BODY_LIMIT,
    loggerInstance: log,
    logController: new LogController({ disableRequestLogging: true }),
    forceCloseConnections: true,
  });
  limitConnections(app.server, limits);
  return app;
}
