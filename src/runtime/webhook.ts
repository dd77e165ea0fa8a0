/**
 * Owns the running webhook: what is built of what, in which order it starts, when it is ready, and how it stops without
 * losing a request.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { FastifyBaseLogger, FastifyInstance } from 'fastify';
import type { Config } from '../config/config.ts';
import { ClusterIndex } from '../index/cluster-index.ts';
import { createMetrics } from '../metrics/metrics.ts';
import { buildApp, buildMetricsApp } from '../server/app.ts';
import type { Readiness } from '../server/health.ts';
import type { Source } from '../sources/source.ts';
import { buildSource } from './build-source.ts';

export interface Webhook {
  /** https://…; with the port that was given out where 0 was asked for. */
  readonly address: string;
  readonly metricsAddress: string;
  /** Resolves once the index has been filled; rejects where there is nothing to fill it from. */
  readonly synced: Promise<void>;
  /**
   * Turns unready, goes on answering for a while, answers what is in flight, and resolves.
   * @param delay milliseconds; `shutdownDelay` unless given
   */
  readonly stop: (delay?: number) => Promise<void>;
}

/** Starts serving at once; /readyz says no until the source has been read. */
export async function startWebhook(
  config: Config,
  tls: { readonly cert: string; readonly key: string },
  log: FastifyBaseLogger,
  now: () => number = Date.now,
): Promise<Webhook> {
  const index = new ClusterIndex();
  const age = (): number | undefined => {
    const freshAt = index.freshAt();
    return freshAt === undefined ? undefined : now() - freshAt;
  };
  let source: Source | undefined;
  const metrics = createMetrics({
    cachesByPhase: () => index.imageCaches.countByPhase,
    ageMs: age,
    problems: () => source?.problems().length ?? 0,
  });
  source = buildSource(
    config.source,
    index,
    {
      onProblem: (problem) => log.warn({ source: config.source }, problem),
      onChange: ({ applied, deleted }) => {
        metrics.sourceChanges.inc({ change: 'applied' }, applied);
        metrics.sourceChanges.inc({ change: 'deleted' }, deleted);
        log.info({ applied, deleted, imageCaches: index.imageCaches.size }, 'index updated');
      },
    },
    now,
  );
  let draining = false;
  const readiness = (): Readiness => describeReadiness(draining, age(), index.imageCaches.size);

  const app = buildApp({ view: index, config, metrics, now, tls, log, readiness, draining: () => draining });
  const metricsApp = buildMetricsApp({ metrics, log });
  const address = await app.listen({ host: config.host, port: config.port });
  const metricsAddress = await listenOrClose(metricsApp, config, app);
  const synced = source.start();
  return {
    address,
    metricsAddress,
    synced,
    stop: async (delay = config.shutdownDelay) => {
      draining = true;
      log.info({ delay }, 'shutting down: unready, still answering');
      await sleep(delay);
      await app.close();
      await metricsApp.close();
      await source.stop();
      log.info('stopped');
    },
  };
}

/** @param ageMs milliseconds since the source last had word; undefined before the first */
function describeReadiness(draining: boolean, ageMs: number | undefined, imageCaches: number): Readiness {
  const sourceAgeSeconds = ageMs === undefined ? null : ageMs / 1000;
  const reason = draining
    ? 'shutting down'
    : ageMs === undefined
      ? 'the source has not been read yet'
      : undefined;
  return { ready: reason === undefined, status: reason ?? 'ready', sourceAgeSeconds, imageCaches };
}

/** A taken metrics port must not leave the webhook's port open behind an error. */
async function listenOrClose(
  metricsApp: FastifyInstance,
  config: Config,
  app: FastifyInstance,
): Promise<string> {
  try {
    return await metricsApp.listen({ host: config.host, port: config.metricsPort });
  } catch (error) {
    await app.close();
    throw error;
  }
}
