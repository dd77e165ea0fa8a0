/** GET /healthz says that the process serves; GET /readyz says whether it is ready for its work, and why not. */
import type { FastifyPluginCallback } from 'fastify';

export interface Readiness {
  readonly ready: boolean;
  /** `ready`, or why it is not. */
  readonly status: string;
  /** Seconds since the API server last confirmed the index; null before the first time. */
  readonly sourceAgeSeconds: number | null;
  readonly kinds: readonly KindReadiness[];
  /** The first few problems of the source. */
  readonly problems: readonly string[];
}

export interface KindReadiness {
  readonly kind: string;
  readonly state: string;
  readonly objects: number;
  /** Seconds since the API server last confirmed the objects of this kind; null before the first time. */
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
