/**
 * The server of GET /metrics in Prometheus' text format. It speaks plain HTTP on a port of its own, so that Prometheus
 * needs neither our CA nor access to /mutate.
 */
import Fastify, { LogController, type FastifyBaseLogger, type FastifyInstance } from 'fastify';
import type { Registry } from 'prom-client';
import { health, type Readiness } from './health.ts';

export interface MetricsServerOptions {
  readonly registry: Registry;
  readonly log: FastifyBaseLogger;
  /** If set, the server answers /healthz and /readyz too. */
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
