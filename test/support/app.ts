/** Builds the webhook's server alone, for tests that give it their own view or read its metrics. */
import type { FastifyInstance } from 'fastify';
import { pino } from 'pino';
import { ClusterIndex } from '../../src/index/cluster-index.ts';
import type { Clock } from '../../src/clock.ts';
import { AddressList } from '../../src/http/address-list.ts';
import { BodyBudget } from '../../src/webhook/body-budget.ts';
import { createMetrics, type Metrics } from '../../src/webhook/metrics.ts';
import { buildApp, type AppOptions } from '../../src/webhook/app.ts';
import { DEFAULT_CONFIG } from './default-config.ts';
import { SERVING_CERTIFICATE } from './webhook.ts';

/** A clock with which a body counts no longer than until its end. */
const FREES_AT_ONCE: Pick<Clock, 'after'> = {
  after: (_milliseconds, callback) => {
    callback();
    return { restart: () => undefined, cancel: () => undefined };
  },
};

export interface BuiltApp {
  readonly app: FastifyInstance;
  readonly metrics: Metrics;
}

/**
 * A server for an empty cluster, without a log, which every client may ask and which finds no pod of a binding, unless
 * `change` says otherwise.
 */
export function buildTestApp(change: Partial<AppOptions>): BuiltApp {
  const metrics = createMetrics({
    kinds: () => [],
    cachesByPhase: () => new Map(),
    ageSeconds: () => 0,
    problems: () => 0,
    certificateEnds: () => new Map(),
  });
  const app = buildApp({
    view: new ClusterIndex(),
    decision: DEFAULT_CONFIG,
    metrics,
    now: Date.now,
    tls: SERVING_CERTIFICATE,
    log: pino({ level: 'silent' }),
    readiness: () => ({ ready: true, status: '', sourceAgeSeconds: 0, kinds: [], problems: [] }),
    draining: () => false,
    clients: undefined,
    bodies: new BodyBudget(FREES_AT_ONCE),
    apiServers: new AddressList(['127.0.0.1']),
    findUnboundPod: () => Promise.reject(new Error('no such pod')),
    ...change,
  });
  return { app, metrics };
}
