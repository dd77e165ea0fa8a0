/**
 * The server for the kubelet's probes, on a port of its own: whoever fills the port of the webhook or of the metrics does
 * not keep the kubelet from asking.
 */
import type { FastifyBaseLogger, FastifyInstance } from 'fastify';
import { health, type HealthOptions } from './health.ts';
import { buildPlainServer } from './plain-server.ts';

/** A kubelet has one connection for each probe. */
const CONNECTIONS = { total: 256, perAddress: 16, beyond: 'close the oldest' } as const;

export function buildHealthServer(log: FastifyBaseLogger, options: HealthOptions): FastifyInstance {
  const app = buildPlainServer(log, CONNECTIONS);
  void app.register(health, options);
  return app;
}
