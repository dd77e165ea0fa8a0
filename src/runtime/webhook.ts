/**
 * Owns the running webhook: what is built of what, in which order it starts, when it is ready, and how it stops without
 * losing a request.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { FastifyBaseLogger, FastifyInstance } from 'fastify';
import type { Config } from '../config/config.ts';
import { ClusterIndex } from '../index/cluster-index.ts';
import { createMetrics, type Metrics } from '../metrics/metrics.ts';
import { UseRecorder } from '../provisioner/use-recorder.ts';
import { buildApp, buildMetricsApp, renewCertificate } from '../server/app.ts';
import type { Source, SourceEvents } from '../sources/source.ts';
import { buildSource } from './build-source.ts';
import { kindsAsOf, readinessOf, secondsSince } from './readiness.ts';
import type { CertificateSource } from '../tls/certificate-source.ts';
import { keepTickShape } from './tick-shape.ts';
import { readTrustedClients } from './tls.ts';

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

/**
 * Starts serving at once; /readyz says no until the source has been read.
 * @throws where a port is taken, or the configuration leads to no source
 */
export async function startWebhook(
  config: Config,
  certificate: CertificateSource,
  log: FastifyBaseLogger,
  now: () => number = Date.now,
): Promise<Webhook> {
  keepTickShape();
  const index = new ClusterIndex();
  let source: Source | undefined;
  const metrics = createMetrics({
    cachesByPhase: () => index.imageCaches.countByPhase,
    ageSeconds: () => secondsSince(index.freshAt(), now()),
    problems: () => certificate.problems().length + (source?.problems().length ?? 0),
    kinds: () => kindsAsOf(source?.status() ?? [], now()),
    certificateEnds: () => certificate.ends(),
  });
  const built = await buildSource(
    { ...config, recordEvents: true },
    index,
    tellAll(config, index, metrics, log),
    now,
  );
  source = built.source;
  const clients = readTrustedClients(config);
  const stopping = new AbortController();
  const uses = await recordUses(config, log, stopping.signal, now);
  let draining = false;
  const app = buildApp({
    view: index,
    config,
    metrics,
    now,
    tls: certificate.get(),
    log,
    readiness: () => readinessOf(index, built.source, certificate, draining, config.maxStaleness, now()),
    draining: () => draining,
    findUnboundPod: built.findUnboundPod,
    clients,
    onHit: (name) => uses?.note(name),
  });
  const metricsApp = buildMetricsApp({ registry: metrics.registry, log });
  const address = await app.listen({ host: config.host, port: config.port });
  const metricsAddress = await listenOrClose(metricsApp, config, app);
  certificate.start((renewed) => renewCertificate(app, renewed, clients));
  const synced = built.source.start();
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
      await built.source.stop();
      await certificate.stop();
      stopping.abort();
      await uses?.stop();
      log.info('stopped');
    },
  };
}

function tellAll(
  { source }: Config,
  index: ClusterIndex,
  metrics: Metrics,
  log: FastifyBaseLogger,
): SourceEvents {
  return {
    onProblem: (problem) => {
      metrics.sourceFailures.inc();
      log.warn({ source }, problem);
    },
    onProgress: (message) => log.info({ source, imageCaches: index.imageCaches.size }, message),
    onChange: ({ applied, deleted }) => {
      if (applied > 0) metrics.sourceChanges.inc({ change: 'applied' }, applied);
      if (deleted > 0) metrics.sourceChanges.inc({ change: 'deleted' }, deleted);
    },
  };
}

/** Undefined where nobody retires caches by their use. */
async function recordUses(
  { createOnMiss, source, kubeconfig, kubeContext }: Config,
  log: FastifyBaseLogger,
  signal: AbortSignal,
  now: () => number,
): Promise<UseRecorder | undefined> {
  if (createOnMiss.by !== 'controller' || source !== 'kubernetes') return undefined;
  const { connectUses } = await import('../sources/kubernetes/connect.ts');
  return new UseRecorder(connectUses(kubeconfig, kubeContext, signal), (problem) => log.warn(problem), now);
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
