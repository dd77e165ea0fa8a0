/** Owns GET /healthz (the process serves) and GET /readyz (it may be sent pods). */
import type { FastifyPluginCallback } from 'fastify';

export interface Readiness {
  readonly ready: boolean;
  /** Why it is not, or that it is. */
  readonly status: string;
  /** Seconds since the source last had word from its origin; null before the first. */
  readonly sourceAgeSeconds: number | null;
  readonly kinds: readonly KindReadiness[];
  /** What is wrong with the source at the moment, the first few. */
  readonly problems: readonly string[];
}

export interface KindReadiness {
  readonly kind: string;
  readonly state: string;
  readonly objects: number;
  /** Seconds since the last word that these are all; null before the first. */
  readonly ageSeconds: number | null;
}

export interface HealthOptions {
  readonly readiness: () => Readiness;
}

export const health: FastifyPluginCallback<HealthOptions> = (app, { readiness }, done) => {
  app.get('/healthz', () => ({ status: 'serving' }));
  app.get('/readyz', (_request, reply) => {
    const state = readiness();
    void reply.code(state.ready ? 200 : 503).send(state);
  });
  done();
};
