/**
 * Owns which pods a manifest makes: a Pod itself, or the pod templates inside a workload, as its controller would make
 * pods of them. What controllers add of their own (queue-proxy, argoexec) is not in the manifest and so not here.
 */
import { isObject, typeName, Unreadable } from './string-map.ts';

type JsonObject = Readonly<Record<string, unknown>>;

export interface WorkloadPod {
  /** `Deployment web`, `Workflow hello-, template whalesay`. */
  readonly title: string;
  /** Undefined where the manifest names none. */
  readonly namespace: string | undefined;
  /** A Pod object, not yet read. */
  readonly pod: unknown;
}

/** Where each kind holds its pod template, by group and kind. */
const TEMPLATE_PATHS: Readonly<Record<string, readonly string[]>> = {
  '/Pod': [],
  '/PodTemplate': ['template'],
  '/ReplicationController': ['spec', 'template'],
  'apps/Deployment': ['spec', 'template'],
  'apps/StatefulSet': ['spec', 'template'],
  'apps/DaemonSet': ['spec', 'template'],
  'apps/ReplicaSet': ['spec', 'template'],
  'batch/Job': ['spec', 'template'],
  'batch/CronJob': ['spec', 'jobTemplate', 'spec', 'template'],
  'serving.knative.dev/Service': ['spec', 'template'],
  'serving.knative.dev/Configuration': ['spec', 'template'],
  'argoproj.io/Rollout': ['spec', 'template'],
};

/** Where each kind of Argo Workflows holds its workflow spec. */
const WORKFLOW_PATHS: Readonly<Record<string, readonly string[]>> = {
  'argoproj.io/Workflow': ['spec'],
  'argoproj.io/WorkflowTemplate': ['spec'],
  'argoproj.io/ClusterWorkflowTemplate': ['spec'],
  'argoproj.io/CronWorkflow': ['spec', 'workflowSpec'],
};

export const WORKLOAD_KINDS: readonly string[] = [
  ...Object.keys(TEMPLATE_PATHS),
  ...Object.keys(WORKFLOW_PATHS),
].map((groupKind) => groupKind.slice(groupKind.indexOf('/') + 1));

/**
 * @returns empty for a kind that makes no pods
 * @throws Unreadable where a workload lacks its template
 */
export function podsOf(manifest: unknown): WorkloadPod[] {
  if (!isObject(manifest)) throw new Unreadable('document', `is ${typeName(manifest)}; it must be an object`);
  const { apiVersion, kind } = manifest;
  if (typeof apiVersion !== 'string') throw new Unreadable('apiVersion', 'is missing');
  if (typeof kind !== 'string') throw new Unreadable('kind', 'is missing');
  const metadata = isObject(manifest['metadata']) ? manifest['metadata'] : {};
  const name = text(metadata['name']) ?? text(metadata['generateName']) ?? '';
  const namespace = text(metadata['namespace']);
  const groupKind = `${apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : ''}/${kind}`;
  const title = `${kind} ${name}`.trim();

  const templatePath = Object.hasOwn(TEMPLATE_PATHS, groupKind) ? TEMPLATE_PATHS[groupKind] : undefined;
  if (templatePath) return [{ title, namespace, pod: named(at(manifest, templatePath), name) }];
  const workflowPath = Object.hasOwn(WORKFLOW_PATHS, groupKind) ? WORKFLOW_PATHS[groupKind] : undefined;
  if (!workflowPath) return [];
  return workflowPods(at(manifest, workflowPath), title, namespace);
}

function at(manifest: JsonObject, path: readonly string[]): JsonObject {
  let part = manifest;
  for (const [depth, key] of path.entries()) {
    const inner = part[key];
    if (!isObject(inner)) throw new Unreadable(path.slice(0, depth + 1).join('.'), 'is missing');
    part = inner;
  }
  return part;
}

/** A template's pods are named after their workload. */
function named(template: JsonObject, name: string): JsonObject {
  const metadata = isObject(template['metadata']) ? template['metadata'] : {};
  return { ...template, metadata: { ...metadata, name: text(metadata['name']) ?? name } };
}

/** One pod for each template that runs containers; steps, DAGs and suspensions run none. */
function workflowPods(spec: JsonObject, title: string, namespace: string | undefined): WorkloadPod[] {
  const templates = Array.isArray(spec['templates']) ? spec['templates'].filter(isObject) : [];
  return templates.flatMap((template): WorkloadPod[] => {
    const containers = workflowContainers(template);
    if (containers.length === 0) return [];
    const name = text(template['name']) ?? '';
    const pod = {
      metadata: mergeMetadata(name, spec['podMetadata'], template['metadata']),
      spec: {
        nodeSelector: template['nodeSelector'] ?? spec['nodeSelector'],
        initContainers: template['initContainers'],
        containers: [...containers, ...asArray(template['sidecars'])],
      },
    };
    return [{ title: `${title}, template ${name}`, namespace, pod }];
  });
}

function workflowContainers({ container, script, containerSet }: JsonObject): unknown[] {
  const main = container ?? script;
  if (isObject(main)) return [{ name: 'main', ...main }];
  return isObject(containerSet) ? asArray(containerSet['containers']) : [];
}

/** The workflow's podMetadata, then the template's own, which wins. */
function mergeMetadata(name: string, ...parts: readonly unknown[]): JsonObject {
  const merge = (field: string): JsonObject =>
    Object.fromEntries(
      parts.flatMap((part) => (isObject(part) && isObject(part[field]) ? Object.entries(part[field]) : [])),
    );
  return { name, annotations: merge('annotations'), labels: merge('labels') };
}

function asArray(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
