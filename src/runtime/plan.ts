/** Reads the workloads of a cluster, a folder or files, and plans the ImageCaches with which their pods start warm. */
import type { Config } from '../config/config.ts';
import { MADE_BY } from '../core/annotations.ts';
import type { Unsized } from '../core/controller/desired-cache.ts';
import { withPullSecrets } from '../core/controller/prewarm.ts';
import { namesOf } from '../core/controller/watched-pod.ts';
import { readWatchedWorkload } from '../core/controller/watched-workload.ts';
import {
  isObject,
  objectsIn as objectList,
  partOf,
  readText,
  type JsonObject,
} from '../core/kubernetes/json.ts';
import { isBeingDeleted, objectReference, readGroupKind } from '../core/kubernetes/object.ts';
import { messageOf } from '../core/kubernetes/problem.ts';
import { HOPELESS, IMAGE_CACHE_API_VERSION } from '../core/image-cache.ts';
import { planCaches, type CachePlan } from '../core/plan/cache-plan.ts';
import { isNeed, needOf, type LeftOut, type Need } from '../core/plan/needs.ts';
import { workloadKind, WORKLOAD_KINDS, type WorkloadKind } from '../core/workload/kinds.ts';
import { isOwned } from '../core/workload/owner.ts';
import { workloadTitle } from '../core/workload/pods.ts';
import { formatProblem, readDocuments } from '../sources/files/documents.ts';
import { readManifest } from '../sources/kinds/manifest.ts';
import { readOwnCache } from '../sources/kinds/own-cache.ts';
import { connectImageCaches } from './connect.ts';
import { loadIndex } from './offline.ts';
import { reconcilerOptions } from './reconciler-options.ts';
import { connectWorkloads } from './workload-pods.ts';

export interface PlanRequest {
  /** Manifests of workloads; undefined: those of the source. */
  readonly files: readonly { readonly name: string; readonly text: string }[] | undefined;
  readonly maxCaches: number | undefined;
  /** Whether the caches of an earlier plan count for nothing. */
  readonly isFresh: boolean;
  readonly onProblem: (problem: string) => void;
}

const SERVICE_ACCOUNT: WorkloadKind = {
  apiVersion: 'v1',
  kind: 'ServiceAccount',
  plural: 'serviceaccounts',
  templates: [],
};

/** @throws if the source cannot be read */
export async function makePlan(config: Config, request: PlanRequest): Promise<CachePlan> {
  const { files, maxCaches, isFresh, onProblem } = request;
  const now = Date.now();
  const view = await loadIndex(config, onProblem, () => now);
  const objects = files ? files.flatMap((file) => objectsIn(file, onProblem)) : await workloadsOf(config);
  const { misses } = reconcilerOptions(config);
  const accounts = await accountSecrets(config);
  const needsOf = (object: JsonObject): (Need | LeftOut)[] => {
    const { pods, subject } = readWatchedWorkload(object);
    const count = podCount(object, pods.length);
    return pods.flatMap((coming) => {
      const { content } = withPullSecrets(coming, {
        pullSecretsOf: (namespace, account) => accounts.get(`${namespace}/${account}`) ?? [],
      });
      if (!content) return [];
      const planned = { namespace: subject.namespace, workload: workloadTitle(object), pods: count };
      return needOf(content, planned, view, misses, config, now) ?? [];
    });
  };
  const all = objects.flatMap((object) => {
    try {
      return needsOf(object);
    } catch (error) {
      onProblem(`${workloadTitle(object)}: ${messageOf(error)}`);
      return [];
    }
  });
  const previous = isFresh ? [] : await previousPlan(config, onProblem);
  const plan = planCaches(all.filter(isNeed), view, { costs: config, maxCaches, previous });
  const leftOut = all.filter((each): each is LeftOut => !isNeed(each));
  return { ...plan, leftOut: [...leftOut, ...plan.leftOut] };
}

/** Workloads that nobody owns; of an owned one, the owner makes the pods. @throws if the source cannot be read */
export async function workloadsOf(config: Config): Promise<JsonObject[]> {
  const reader = await connectWorkloads(config);
  const objects: JsonObject[] = [];
  for (const kind of WORKLOAD_KINDS) {
    // oxlint-disable-next-line no-await-in-loop -- one kind after the other, which is less for the API server at once
    const listed = await reader.list(kind, undefined, []);
    objects.push(...listed.filter((object) => !isOwned(object) && !hasEnded(object)));
  }
  return objects;
}

/** Whether a pod or a Job has ended, so that it makes no pods any more. */
function hasEnded(object: JsonObject): boolean {
  const { phase, conditions } = partOf(object, 'status');
  return (
    phase === 'Succeeded' ||
    phase === 'Failed' ||
    (object['kind'] === 'Job' &&
      objectList(conditions).some(
        ({ type, status }) => (type === 'Complete' || type === 'Failed') && status === 'True',
      ))
  );
}

function objectsIn(
  { name, text }: { readonly name: string; readonly text: string },
  onProblem: (problem: string) => void,
): JsonObject[] {
  const { documents, syntaxErrors } = readDocuments(name, text);
  for (const error of syntaxErrors) onProblem(formatProblem(error));
  return documents
    .map(({ value }) => value)
    .filter(isObject)
    .filter(
      (object) =>
        typeof object['apiVersion'] === 'string' &&
        typeof object['kind'] === 'string' &&
        workloadKind(readGroupKind(object)) !== undefined &&
        !isOwned(object),
    );
}

/** The replicas of a workload that states them, shared among its templates. */
function podCount(object: JsonObject, templates: number): number {
  const spec = partOf(object, 'spec');
  const { replicas, parallelism } = spec;
  const stated = replicas ?? parallelism ?? partOf(partOf(spec, 'jobTemplate'), 'spec')['parallelism'];
  return templates === 1 && typeof stated === 'number' && stated >= 0 ? stated : 1;
}

/** The pull secrets of service accounts; none if they may not be read. */
async function accountSecrets(config: Config): Promise<ReadonlyMap<string, readonly string[]>> {
  const reader = await connectWorkloads(config);
  const accounts = await reader.list(SERVICE_ACCOUNT, undefined, []).catch(() => []);
  return new Map(
    accounts.map((account) => {
      const { namespace, name } = objectReference(account, 'v1', 'ServiceAccount');
      return [`${namespace}/${name}`, namesOf(account['imagePullSecrets'])];
    }),
  );
}

/** What the caches of an earlier plan hold. @throws if the ImageCaches cannot be read */
async function previousPlan(config: Config, onProblem: (problem: string) => void): Promise<Unsized[]> {
  const objects = await (await connectImageCaches(config)).caches();
  return objects
    .filter((object) => partOf(partOf(object, 'metadata'), 'labels')[MADE_BY.label] === MADE_BY.plan)
    .flatMap((object) => {
      try {
        const phase = readText(partOf(object, 'status')['phase']) ?? '';
        if (isBeingDeleted(partOf(object, 'metadata'))) return [];
        if (HOPELESS.has(phase)) {
          onProblem(
            `${workloadTitle(object)} of an earlier plan is ${phase}: delete it, so that it can be made anew`,
          );
          return [];
        }
        const whole = { apiVersion: IMAGE_CACHE_API_VERSION, kind: 'ImageCache', ...object };
        return [readOwnCache(readManifest(whole)).contents];
      } catch (error) {
        onProblem(`${workloadTitle(object)}: ${messageOf(error)}`);
        return [];
      }
    });
}
