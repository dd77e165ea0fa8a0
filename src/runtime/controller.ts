/** The running controller: what it is built of, in which order its parts start, and how it stops. */
import { SYSTEM_CLOCK, type Clock } from '../clock.ts';
import { hostname } from 'node:os';
import { randomUUID } from 'node:crypto';
import type { FastifyBaseLogger } from 'fastify';
import type { Config } from '../config/config.ts';
import { oldestOf } from '../core/staleness.ts';
import { podCount, type Miss } from '../core/controller/misses.ts';
import { REFUSAL_CODES } from '../core/controller/plan.ts';
import { ClusterIndex } from '../index/cluster-index.ts';
import { withoutWrites } from '../controller/dry-run.ts';
import { createControllerMetrics } from '../controller/metrics.ts';
import { PodTruths, type TruthEvents } from '../controller/pod-truths.ts';
import { Reconciler, type ReconcilerEvents } from '../controller/reconciler.ts';
import { buildHealthServer } from '../http/health-server.ts';
import { listenAll } from '../http/listen-all.ts';
import { buildMetricsServer } from '../http/metrics-server.ts';
import type { KindReadiness, Readiness } from '../http/health.ts';
import type { RegionSource } from '../sources/region/region-source.ts';
import { connectController, type ConnectedController } from './connect.ts';
import { connectControllerRegion } from './controller-region.ts';
import { reconcilerOptions } from './reconciler-options.ts';
import { kindsAsOf, secondsSince, shownProblems } from './readiness.ts';

export interface Controller {
  /** http://…, for health and metrics. */
  readonly address: string;
  /** Resolves once the cluster has been read. */
  readonly synced: Promise<void>;
  readonly stop: () => Promise<void>;
}

/** @throws if the port is in use, or no cluster is configured */
export async function startController(
  config: Config,
  log: FastifyBaseLogger,
  clock: Clock = SYSTEM_CLOCK,
): Promise<Controller> {
  const index = new ClusterIndex();
  index.controllerLease.assume();
  const stopping = new AbortController();
  let leading = false;
  const metrics = createControllerMetrics({
    isLeading: () => leading,
    cachesByPhase: () => countBy(connection.cluster.ownCaches(), ({ phase }) => phase),
    retiring: () => connection.cluster.ownCaches().filter((cache) => cache.retiring).length,
  });
  const onProblem = (problem: string): void => {
    metrics.problems.inc();
    log.warn({ problem }, 'controller problem');
  };
  const onStep = (message: string): void => log.info({ step: message }, 'controller step');
  const truths = new PodTruths(index, config, truthListeners(metrics, log), clock);
  const connection: ConnectedController = await connectController(
    config,
    `${hostname()}-${randomUUID().slice(0, 8)}`,
    index,
    {
      onProblem,
      onStep,
      onChange: () => reconciler.wake(),
      // The replica that leads counts.
      onPlaced: (pod) => leading && truths.placed(pod),
      onPull: (pull) => leading && truths.pulled(pull),
      onScope: (scope) => truths.setScope(scope),
      onLead: async (signal) => {
        leading = true;
        await reconciler.run(signal);
        leading = false;
      },
    },
    clock,
  );
  const region = config.region.api
    ? connectControllerRegion(
        config,
        index,
        metrics,
        () => connection.cluster.ownCaches(),
        { onProblem, onProgress: onStep, onChange: () => reconciler.wake() },
        clock,
      )
    : undefined;
  const { dryRun } = config.controller;
  const reconciler = new Reconciler(
    dryRun
      ? withoutWrites(connection.cluster, (change, imageCache, images) =>
          log.info({ change, imageCache, images }, 'dry run: the controller would change an ImageCache'),
        )
      : connection.cluster,
    index,
    reconcilerOptions(config),
    reconcilerListeners(metrics, log, onProblem),
    clock,
    region?.facts,
  );

  const readiness = (): Readiness => controllerReadiness(connection, region?.source, index, clock.now());
  const app = buildMetricsServer({ registry: metrics.registry, log, readiness });
  const healthApp = config.healthPort === 0 ? undefined : buildHealthServer(log, { readiness });
  const [address = ''] = await listenAll([
    [app, config.host, config.metricsPort],
    ...(healthApp ? ([[healthApp, config.host, config.healthPort]] as const) : []),
  ]);
  // The first list of the region is waited for, well or not: with it the controller makes no cache that there is already.
  const synced = Promise.all([
    connection.source.start(),
    connection.cluster.start(),
    region ? region.source.start() : Promise.resolve(),
  ]).then(() => undefined);
  // A leader must know the cluster before it acts.
  let electing = Promise.resolve();
  synced
    .then(() => {
      electing = dryRun ? reconciler.run(stopping.signal) : connection.election.run(stopping.signal);
    })
    // The caller gets the error from `synced`.
    .catch(() => undefined);
  return {
    address,
    synced,
    stop: async () => {
      stopping.abort();
      // Waits until the reconciliation under way has ended and the Lease is released.
      await electing;
      await connection.cluster.stop();
      await connection.source.stop();
      await region?.source.stop();
      await app.close();
      await healthApp?.close();
      log.info('stopped');
    },
  };
}

function truthListeners(
  { starts, unanswered, pulls, pullSeconds }: ReturnType<typeof createControllerMetrics>,
  log: FastifyBaseLogger,
): TruthEvents {
  return {
    onStart: ({ namespace, name, predicted, result, written, used }) => {
      starts.inc({ predicted, result });
      log.debug({ namespace, pod: name, predicted, result, written, used }, 'ECI has placed a pod');
    },
    onUnanswered: ({ namespace, name }) => {
      unanswered.inc();
      log.warn({ namespace, pod: name }, 'no replica of the webhook answered for this pod');
    },
    onPull: ({ image, seconds, wasPresent }, start) => {
      pulls.inc({ start, found: wasPresent ? 'present' : 'pulled' });
      if (!wasPresent) pullSeconds[start].inc(image, seconds);
    },
  };
}

function reconcilerListeners(
  metrics: ReturnType<typeof createControllerMetrics>,
  log: FastifyBaseLogger,
  onProblem: (problem: string) => void,
): ReconcilerEvents {
  return {
    onCreated: (name, { miss, attempt, sizeGib }) => {
      metrics.created.inc({ cause: podCount(miss) > 0 ? 'miss' : 'template' });
      log.info(
        {
          imageCache: name,
          images: miss.desired.images.map(({ text }) => text),
          sizeGib,
          ...causeOf(miss),
          attempt,
        },
        'ImageCache created',
      );
    },
    onRefresh: (name, { cache, images }) => {
      metrics.created.inc({ cause: 'refresh' });
      log.info({ imageCache: name, insteadOf: cache.name, moved: images }, 'ImageCache is made anew');
    },
    onMerge: ({ name, parts, sets }) => {
      const cause = parts.length === 1 ? 'split' : 'merge';
      metrics.created.inc({ cause });
      log.info(
        { imageCache: name, cause, parts: parts.map((part) => part.name), sets: sets.length },
        'ImageCache created',
      );
    },
    onMarked: ({ cache: { name, id }, reason }) =>
      log.info({ imageCache: name, id, reason }, 'ImageCache marked: no pod is given it any more'),
    onUnmarked: ({ name, id }) =>
      log.info({ imageCache: name, id }, 'ImageCache no longer marked: pods need it'),
    onDeleted: ({ cache: { name, id, phase }, reason }) => {
      metrics.deleted.inc({ reason });
      log.info({ imageCache: name, id, phase, reason }, 'ImageCache deleted');
    },
    onReady: ({ name, id }, seconds) => {
      metrics.readySeconds.observe(seconds);
      log.info({ imageCache: name, id, seconds }, 'ImageCache ready');
    },
    onFailed: ({ name, attempt }) => {
      metrics.failed.inc();
      log.warn({ imageCache: name, attempt }, 'ImageCache failed');
    },
    onRefused: (refused) => {
      const counts = countBy(refused, ({ code }) => code);
      for (const code of REFUSAL_CODES) metrics.refused.set({ reason: code }, counts.get(code) ?? 0);
    },
    onWaitEnded: ({ pod: { subject }, end }, seconds) => {
      metrics.waits.observe({ end }, seconds);
      log.info({ pod: `${subject.namespace}/${subject.name}`, end, seconds }, 'a pod waits no longer');
    },
    onProblem,
  };
}

/** The cause of a creation, as fields of the log. */
function causeOf(miss: Miss): object {
  const { kind, namespace, name } = miss.lastBy;
  const pods = podCount(miss);
  return pods > 0 ? { pods } : { template: `${kind} ${namespace}/${name}` };
}

/** Ready once the cluster has been read, whether this replica leads or not. */
function controllerReadiness(
  { source, cluster }: ConnectedController,
  region: RegionSource | undefined,
  index: ClusterIndex,
  now: number,
): Readiness {
  const parts = [source, cluster, ...(region ? [region] : [])];
  const oldest = oldestOf([index.confirmedAtMs(), cluster.confirmedAtMs()]);
  const kinds: KindReadiness[] = kindsAsOf(
    parts.flatMap((part) => part.status()),
    now,
  );
  return {
    ready: oldest !== undefined,
    status: oldest === undefined ? 'the cluster has not been read yet' : 'ready',
    sourceAgeSeconds: secondsSince(oldest, now),
    kinds,
    problems: shownProblems(...parts),
  };
}

function countBy<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const item of items) counts.set(keyOf(item), (counts.get(keyOf(item)) ?? 0) + 1);
  return counts;
}
