/**
 * The running webhook: what it is built of, in which order its parts start, when it is ready, and how it stops without
 * losing a request.
 */
import { SYSTEM_CLOCK, type Clock } from '../clock.ts';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FastifyBaseLogger } from 'fastify';
import type { Config } from '../config/config.ts';
import { liftPatch } from '../core/decision/lift.ts';
import { ClusterIndex } from '../index/cluster-index.ts';
import { BodyBudget } from '../webhook/body-budget.ts';
import { createMetrics, PREFIX, type Metrics } from '../webhook/metrics.ts';
import { AddressList } from '../http/address-list.ts';
import type { Readiness } from '../http/health.ts';
import { buildHealthServer } from '../http/health-server.ts';
import { listenAll } from '../http/listen-all.ts';
import { buildMetricsServer } from '../http/metrics-server.ts';
import { createRegionMetrics } from '../http/region-metrics.ts';
import { buildApp, renewCertificate } from '../webhook/app.ts';
import type { Source, SourceEvents } from '../sources/source.ts';
import type { RegionSourceEvents } from '../sources/region/region-source.ts';
import { connectSource } from './connect.ts';
import { connectRegion, countRegion } from './region.ts';
import { kindsAsOf, webhookReadiness, secondsSince } from './readiness.ts';
import type { CertificateSource } from '../tls/certificate-source.ts';
import { keepTickShape } from './next-tick-workaround.ts';
import { readTrustedClients } from './tls.ts';

export interface Webhook {
  /** https://…, with the port that the system chose if 0 was configured. */
  readonly address: string;
  readonly metricsAddress: string;
  /** Resolves once the index has been filled; rejects if there is nothing to fill it from. */
  readonly synced: Promise<void>;
  /**
   * Turns unready, answers for a while longer, answers the requests in flight, and resolves.
   * @param delay milliseconds; `shutdownDelay` unless given
   */
  readonly stop: (delay?: number) => Promise<void>;
}

/**
 * Serves at once; /readyz says no until the source has been read.
 * @throws if a port is taken, or the configuration leads to no source
 */
export async function startWebhook(
  config: Config,
  certificate: CertificateSource,
  log: FastifyBaseLogger,
  clock: Clock = SYSTEM_CLOCK,
): Promise<Webhook> {
  keepTickShape();
  const index = new ClusterIndex();
  let sources: readonly Source[] = [];
  const metrics = createMetrics({
    cachesByPhase: () => index.imageCaches.countByPhase,
    ageSeconds: () => secondsSince(index.confirmedAtMs(), clock.now()),
    problems: () => certificate.problems().length + (sources[0]?.problems().length ?? 0),
    kinds: () =>
      kindsAsOf(
        sources.flatMap((source) => source.status()),
        clock.now(),
      ),
    certificateEnds: () => certificate.ends(),
  });
  const listeners = sourceListeners(config, index, metrics, log);
  const connected = await connectSource({ ...config, recordEvents: true }, index, listeners, clock, (pod) =>
    liftPatch(pod, index, config, clock.now()),
  );
  const region = config.region.api
    ? connectRegion(config, index, regionListeners(index, metrics, listeners), clock)
    : undefined;
  sources = region ? [connected.source, region] : [connected.source];
  const clients = readTrustedClients(config);
  let draining = false;
  const readiness = (): Readiness =>
    webhookReadiness(index, sources, certificate, draining, config.maxStalenessMs, clock.now());
  const app = buildApp({
    view: index,
    decision: config,
    metrics,
    now: () => clock.now(),
    tls: certificate.get(),
    log,
    readiness,
    draining: () => draining,
    findUnboundPod: connected.findUnboundPod,
    clients,
    bodies: new BodyBudget(clock),
    apiServers: new AddressList(config.server.apiServers),
  });
  const metricsApp = buildMetricsServer({ registry: metrics.registry, log });
  const healthApp = config.healthPort === 0 ? undefined : buildHealthServer(log, { readiness });
  const [address = '', metricsAddress = ''] = await listenAll([
    [app, config.host, config.port],
    [metricsApp, config.host, config.metricsPort],
    ...(healthApp ? ([[healthApp, config.host, config.healthPort]] as const) : []),
  ]);
  certificate.start((renewed) => renewCertificate(app, renewed, clients));
  const synced = connected.source.start();
  // Nothing waits for the API: pods come before it answers, and if it never does.
  void region?.start();
  return {
    address,
    metricsAddress,
    synced,
    stop: async (delay = config.shutdownDelayMs) => {
      draining = true;
      log.info({ delay }, 'shutting down: unready, still answering');
      await sleep(delay);
      await app.close();
      await metricsApp.close();
      await healthApp?.close();
      await Promise.all(sources.map((source) => source.stop()));
      await certificate.stop();
      log.info('stopped');
    },
  };
}

function regionListeners(
  index: ClusterIndex,
  { registry }: Metrics,
  listeners: SourceEvents,
): RegionSourceEvents {
  const { polls } = createRegionMetrics(registry, PREFIX, () => countRegion(index));
  return { ...listeners, onChange: () => undefined, onPoll: (code) => polls.inc({ code }) };
}

function sourceListeners(
  { source }: Config,
  index: ClusterIndex,
  metrics: Metrics,
  log: FastifyBaseLogger,
): SourceEvents {
  return {
    onProblem: (problem) => {
      metrics.sourceFailures.inc();
      log.warn({ source, problem }, 'source problem');
    },
    onProgress: (step) => log.info({ source, step, imageCaches: index.imageCaches.size }, 'source step'),
    onChange: ({ applied, deleted }) => {
      if (applied > 0) metrics.sourceChanges.inc({ change: 'applied' }, applied);
      if (deleted > 0) metrics.sourceChanges.inc({ change: 'deleted' }, deleted);
    },
  };
}
