/**
 * The server of GET /metrics in Prometheus' text format. It speaks plain HTTP on a port of its own, so that Prometheus
 * needs neither our CA nor access to /mutate.
 */
import type { FastifyBaseLogger, FastifyInstance } from 'fastify';
import type { Registry } from 'prom-client';
import { health, type Readiness } from './health.ts';
import { buildPlainServer } from './plain-server.ts';

export interface MetricsServerOptions {
  readonly registry: Registry;
  readonly log: FastifyBaseLogger;
  /** If set, the server answers /healthz and /readyz too. */
  readonly readiness?: () => Readiness;
}

/** A Prometheus has one connection or two. */
const CONNECTIONS = { total: 64, perAddress: 16, beyond: 'close the oldest' } as const;
/** Texts that are made in a second: one takes as long as some hundred decisions. Further scrapers get the last one. */
const MADE_A_SECOND = 10;

export function buildMetricsServer({ registry, log, readiness }: MetricsServerOptions): FastifyInstance {
  const app = buildPlainServer(log, CONNECTIONS);
  let last: Promise<string> | undefined;
  let second = { beganAt: -Infinity, made: 0 };
  app.get('/metrics', async (_request, reply) => {
    const now = performance.now();
    if (now - second.beganAt >= 1000) second = { beganAt: now, made: 0 };
    if (!last || second.made < MADE_A_SECOND) {
      second.made += 1;
      last = registry.metrics();
    }
    return reply.type(registry.contentType).send(await last);
  });
  if (readiness) void app.register(health, { readiness });
  return app;
}
