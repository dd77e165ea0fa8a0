/** Reads a cluster or a folder once, and reports how warm its pods start, why not, what would help, and what it costs. */
import type { Config } from '../config/config.ts';
import { AUTO, CREATE_ON_MISS, PIN } from '../core/annotations.ts';
import { snapshotMonth } from '../core/decision/break-even.ts';
import { isObject, partOf, type JsonObject } from '../core/kubernetes/json.ts';
import { objectNamespace } from '../core/kubernetes/object.ts';
import { messageOf } from '../core/kubernetes/problem.ts';
import { GIB } from '../core/kubernetes/quantity.ts';
import { planCaches } from '../core/plan/cache-plan.ts';
import { decide } from '../core/decision/decide.ts';
import type { View } from '../core/decision/view.ts';
import type { Pod } from '../core/pod.ts';
import { isNeed, needOf, type Need } from '../core/plan/needs.ts';
import type { PlannedCache } from '../core/plan/planned-cache.ts';
import { moneyOf, type Money } from '../core/report/money.ts';
import { imagesOf, sharesBy, type WarmShare } from '../core/report/shares.ts';
import { isCompleteInTheMaking } from '../core/controller/missing-images.ts';
import { readWatchedPod } from '../core/controller/watched-pod.ts';
import { recordOf } from '../core/truth/pod-record.ts';
import { unansweredOf } from '../core/truth/unanswered.ts';
import { workloadOf } from '../core/workload/owner.ts';
import { podsOf, workloadTitle } from '../core/workload/pods.ts';
import { readAftermath } from './connect.ts';
import { loadIndex } from './offline.ts';
import { workloadsOf } from './plan.ts';
import { reconcilerOptions } from './reconciler-options.ts';
import { readStatus, type CacheStatus } from './status.ts';

export interface Report {
  /** ISO 8601. */
  readonly madeAt: string;
  readonly byNamespace: readonly WarmShare[];
  readonly byImage: readonly WarmShare[];
  readonly all: WarmShare;
  /** Caches that would make the pods warm that are cold now, those for the most pods first. */
  readonly wouldHelp: readonly PlannedCache[];
  readonly unused: readonly UnusedCache[];
  readonly legacy: readonly LegacyUse[];
  /** `namespace/name`; null if it is not known which pods the webhook is asked about. */
  readonly unanswered: readonly string[] | null;
  readonly money: Money;
}

export interface UnusedCache {
  readonly name: string;
  readonly images: readonly string[];
  /** ISO 8601; null if nothing is known. */
  readonly createdAt: string | null;
  readonly lastUsedAt: string | null;
  /** What its snapshot costs in a month. */
  readonly monthCost: number;
}

export interface LegacyUse {
  readonly namespace: string;
  readonly workload: string;
  readonly annotations: readonly string[];
}

/** Caches that would help; more would be a plan, for which there is `imc plan`. */
const MOST_HELP = 5;
const LEGACY_KEYS = [PIN.legacy, AUTO.legacy];

/** @param onProblem called for what may not be read @throws if the source cannot be read */
export async function makeReport(config: Config, onProblem: (problem: string) => void): Promise<Report> {
  const now = Date.now();
  const view = await loadIndex(config, onProblem, () => now);
  const { pods, configuration, problems } = await readAftermath(config);
  for (const problem of problems) onProblem(problem);
  const { caches } = await readStatus(config, onProblem);
  const workloads = await workloadsOf(config).catch((error: unknown) => {
    onProblem(`workloads: ${messageOf(error)}`);
    return [];
  });
  const sharesOfAll = sharesBy(pods, () => ['all']);
  return {
    madeAt: new Date(now).toISOString(),
    byNamespace: sharesBy(pods, (pod) => [objectNamespace(pod)]),
    byImage: sharesBy(pods, imagesOf),
    all: sharesOfAll[0] ?? { name: 'all', pods: 0, decidedWarm: 0, placed: 0, startedWarm: 0 },
    wouldHelp: planCaches(needsOfCold(pods, view, config, now, onProblem), view, {
      costs: config,
      maxCaches: MOST_HELP,
      previous: [],
    }).caches,
    unused: unusedOf(caches, pods),
    legacy: legacyIn(workloads),
    unanswered: configuration ? unansweredOf(pods, configuration, view, config, now) : null,
    money: moneyOf(
      pods,
      caches.filter(({ knownFrom }) => knownFrom !== 'api'),
      view,
      config,
      now,
    ),
  };
}

/** What the pods need that found no complete cache. */
function needsOfCold(
  pods: readonly JsonObject[],
  view: View,
  config: Config,
  now: number,
  onProblem: (problem: string) => void,
): Need[] {
  const { misses } = reconcilerOptions(config);
  return pods.flatMap((pod) => {
    const { decided, name } = recordOf(pod);
    if (decided !== 'miss' && decided !== 'partial') return [];
    try {
      const { content } = readWatchedPod(withoutMarker(pod));
      const planned = { namespace: objectNamespace(pod), workload: workloadOf(pod), pods: 1 };
      if (!content || isServedNow(content.pod, view, config, now)) return [];
      const need = needOf(content, planned, view, misses, config, now);
      return need && isNeed(need) ? [need] : [];
    } catch (error) {
      onProblem(`Pod ${name}: ${messageOf(error)}`);
      return [];
    }
  });
}

/** Whether such a pod would be warm now, or a cache for it is being made: then nothing else would help. */
function isServedNow(pod: Pod, view: View, config: Config, now: number): boolean {
  const decision = decide(pod, view, { ...config, bindTime: false, waitForCache: 'never' }, now);
  return decision.outcome === 'hit' || isCompleteInTheMaking(decision, now, view);
}

/** The pod as it would be created now. */
function withoutMarker(pod: JsonObject): JsonObject {
  const metadata = partOf(pod, 'metadata');
  const { [CREATE_ON_MISS]: _marker, ...annotations } = partOf(metadata, 'annotations');
  return { ...pod, metadata: { ...metadata, annotations } };
}

/** The caches to which no pod points, the dearest first. */
function unusedOf(caches: readonly CacheStatus[], pods: readonly JsonObject[]): UnusedCache[] {
  const inUse = new Set(pods.map(recordOf).flatMap(({ written, used }) => [written, used]));
  return caches
    .filter(({ id, knownFrom }) => knownFrom !== 'api' && (id === null || !inUse.has(id)))
    .map(({ name, images, createdAt, lastUsedAt, sizeBytes }) => ({
      name,
      images,
      createdAt,
      lastUsedAt,
      monthCost: snapshotMonth(sizeBytes / GIB),
    }))
    .toSorted((a, b) => b.monthCost - a.monthCost || (a.name < b.name ? -1 : 1));
}

/** The workloads whose pods have annotations with their older names. */
function legacyIn(workloads: readonly JsonObject[]): LegacyUse[] {
  return workloads.flatMap((object): LegacyUse[] => {
    try {
      const found = new Set(
        podsOf(object).flatMap(({ pod }) => {
          const annotations = isObject(pod) ? partOf(partOf(pod, 'metadata'), 'annotations') : {};
          return LEGACY_KEYS.filter((key) => Object.hasOwn(annotations, key));
        }),
      );
      if (found.size === 0) return [];
      return [
        {
          namespace: objectNamespace(object),
          workload: workloadTitle(object),
          annotations: [...found],
        },
      ];
    } catch {
      // A workload without a template has no annotations of pods.
      return [];
    }
  });
}
