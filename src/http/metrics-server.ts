/**
 * The server of GET /metrics in Prometheus' text format: plain HTTP on a port of its own, so that a Prometheus needs neither
 * our CA nor a way to /mutate.
 */
import Fastify, { LogController, type FastifyBaseLogger, type FastifyInstance } from 'fastify';
import type { Registry } from 'prom-client';
import { health, type Readiness } from './health.ts';

export interface MetricsServerOptions {
  readonly registry: Registry;
  readonly log: FastifyBaseLogger;
  /** Set if this server answers for health too. */
  readonly readiness?: () => Readiness;
}

export function buildMetricsServer({ registry, log, readiness }: MetricsServerOptions): FastifyInstance {
  const app = Fastify({
    loggerInstance: log,
    logController: new LogController({ disableRequestLogging: true }),
    forceCloseConnections: true,
  });
  app.get('/metrics', async (_request, reply) =>
    reply.type(registry.contentType).send(await registry.metrics()),
  );
  if (readiness) void app.register(health, { readiness });
  return app;
}
