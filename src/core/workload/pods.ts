/**
 * The pods that a manifest makes: a Pod itself, or the pod templates of a workload. Containers that a controller adds
 * (queue-proxy, argoexec) are not in the manifest, and so not here.
 */
import { isObject, partOf, readText, type JsonObject } from '../kubernetes/json.ts';
import { readGroupKind } from '../kubernetes/object.ts';
import { typeName, Unreadable } from '../kubernetes/problem.ts';
import { argoPods } from './argo.ts';
import { workloadKind, type WorkloadKind } from './kinds.ts';
import { templateFields, type PodFields } from './pod-fields.ts';
import { sparkPods } from './spark.ts';
import { partsAt } from './template-path.ts';

export interface WorkloadPod {
  /** `Deployment web`, `Workflow hello-, template whalesay`, `RayCluster r, workerGroupSpecs[0]`. */
  readonly title: string;
  /** Undefined if the manifest names none. */
  readonly namespace: string | undefined;
  /** A Pod object, not yet read. */
  readonly pod: unknown;
  readonly fields: PodFields;
}

const SHAPES = { argo: argoPods, spark: sparkPods };

/**
 * @param most pods at most; a cluster must not read what a tenant can write without end
 * @returns empty for a kind that makes no pods
 * @throws Unreadable if a workload lacks its template
 */
export function podsOf(manifest: unknown, most = Infinity): WorkloadPod[] {
  if (!isObject(manifest)) throw new Unreadable('document', `is ${typeName(manifest)}; it must be an object`);
  const kind = workloadKind(readGroupKind(manifest));
  if (!kind) return [];
  const namespace = readText(partOf(manifest, 'metadata')['namespace']);
  const title = workloadTitle(manifest);
  const found = kind.templates.flatMap((path) => partsAt(manifest, path)).slice(0, most);
  const { shape } = kind;
  if (shape !== undefined) {
    return found.flatMap(({ part, path }) =>
      SHAPES[shape](part, path, most).map(({ name: suffix, ...shaped }) => ({
        title: `${title}, ${suffix}`,
        namespace,
        ...shaped,
      })),
    );
  }
  return found.map(({ part, path }) => ({
    title: hasSeveral(kind) ? `${title}, ${describePart(path)}` : title,
    namespace,
    pod: named(part, nameOf(manifest)),
    fields: templateFields(path),
  }));
}

/** `Deployment web`; the generateName of an object that has no name yet. */
export function workloadTitle(manifest: JsonObject): string {
  return `${readText(manifest['kind']) ?? ''} ${nameOf(manifest)}`.trim();
}

function nameOf(manifest: JsonObject): string {
  const { name, generateName } = partOf(manifest, 'metadata');
  return readText(name) ?? readText(generateName) ?? '';
}

function hasSeveral({ templates }: WorkloadKind): boolean {
  return templates.length > 1 || templates.some((path) => path.includes('*'));
}

/** `workerGroupSpecs[0]` of `spec.rayClusterSpec.workerGroupSpecs[0].template`. */
function describePart(path: string): string {
  const steps = path.split('.').filter((step) => step !== 'spec' && step !== 'template');
  return steps.at(-1) ?? path;
}

/** The pods of a template are named after their workload. */
function named(template: JsonObject, name: string): JsonObject {
  const metadata = partOf(template, 'metadata');
  return { ...template, metadata: { ...metadata, name: readText(metadata['name']) ?? name } };
}
