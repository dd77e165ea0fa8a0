/** Owns GET /metrics in Prometheus' text format. */
import type { FastifyPluginCallback } from 'fastify';
import type { Registry } from 'prom-client';

export const metricsEndpoint: FastifyPluginCallback<{ readonly registry: Registry }> = (
  app,
  { registry },
  done,
) => {
  app.get('/metrics', async (_request, reply) =>
    reply.type(registry.contentType).send(await registry.metrics()),
  );
  done();
};
