/**
 * The pods that a manifest makes: a Pod itself, or the pod templates of a workload. Containers that a controller adds
 * (queue-proxy, argoexec) are not in the manifest, and so not here.
 */
import { kindOf, readGroupKind } from './object.ts';
import { isObject, objectsIn, readText, type JsonObject } from './json.ts';
import { typeName, Unreadable } from './problem.ts';

export interface WorkloadPod {
  /** `Deployment web`, `Workflow hello-, template whalesay`. */
  readonly title: string;
  /** Undefined if the manifest names none. */
  readonly namespace: string | undefined;
  /** A Pod object, not yet read. */
  readonly pod: unknown;
}

/** The path of the pod template in each kind, by group and kind. */
const TEMPLATE_PATHS: ReadonlyMap<string, readonly string[]> = new Map([
  ['/Pod', []],
  ['/PodTemplate', ['template']],
  ['/ReplicationController', ['spec', 'template']],
  ['apps/Deployment', ['spec', 'template']],
  ['apps/StatefulSet', ['spec', 'template']],
  ['apps/DaemonSet', ['spec', 'template']],
  ['apps/ReplicaSet', ['spec', 'template']],
  ['batch/Job', ['spec', 'template']],
  ['batch/CronJob', ['spec', 'jobTemplate', 'spec', 'template']],
  ['serving.knative.dev/Service', ['spec', 'template']],
  ['serving.knative.dev/Configuration', ['spec', 'template']],
  ['argoproj.io/Rollout', ['spec', 'template']],
]);

/** The path of the workflow spec in each kind of Argo Workflows. */
const WORKFLOW_PATHS: ReadonlyMap<string, readonly string[]> = new Map([
  ['argoproj.io/Workflow', ['spec']],
  ['argoproj.io/WorkflowTemplate', ['spec']],
  ['argoproj.io/ClusterWorkflowTemplate', ['spec']],
  ['argoproj.io/CronWorkflow', ['spec', 'workflowSpec']],
]);

export const WORKLOAD_KINDS: readonly string[] = [...TEMPLATE_PATHS.keys(), ...WORKFLOW_PATHS.keys()].map(
  kindOf,
);

/** The path of the pod template or workflow spec of a kind; empty for a Pod, and for a kind that makes no pods. */
export function templatePathOf(groupKind: string): readonly string[] {
  return TEMPLATE_PATHS.get(groupKind) ?? WORKFLOW_PATHS.get(groupKind) ?? [];
}

/**
 * @returns empty for a kind that makes no pods
 * @throws Unreadable if a workload lacks its template
 */
export function podsOf(manifest: unknown): WorkloadPod[] {
  if (!isObject(manifest)) throw new Unreadable('document', `is ${typeName(manifest)}; it must be an object`);
  const groupKind = readGroupKind(manifest);
  const metadata = isObject(manifest['metadata']) ? manifest['metadata'] : {};
  const name = readText(metadata['name']) ?? readText(metadata['generateName']) ?? '';
  const namespace = readText(metadata['namespace']);
  const title = `${kindOf(groupKind)} ${name}`.trim();

  const templatePath = TEMPLATE_PATHS.get(groupKind);
  if (templatePath) return [{ title, namespace, pod: named(at(manifest, templatePath), name) }];
  const workflowPath = WORKFLOW_PATHS.get(groupKind);
  return workflowPath ? workflowPods(at(manifest, workflowPath), title, namespace) : [];
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

/** The pods of a template are named after their workload. */
function named(template: JsonObject, name: string): JsonObject {
  const metadata = isObject(template['metadata']) ? template['metadata'] : {};
  return { ...template, metadata: { ...metadata, name: readText(metadata['name']) ?? name } };
}

/** One pod for each template that runs containers; steps, DAGs and suspend templates run none. */
function workflowPods(spec: JsonObject, title: string, namespace: string | undefined): WorkloadPod[] {
  const templates = objectsIn(spec['templates']);
  return templates.flatMap((template): WorkloadPod[] => {
    const containers = workflowContainers(template);
    if (containers.length === 0) return [];
    const name = readText(template['name']) ?? '';
    const { initContainers } = template;
    const fill = imageFiller(spec, template);
    const pod = {
      metadata: mergeMetadata(name, spec['podMetadata'], template['metadata']),
      spec: {
        nodeSelector: template['nodeSelector'] ?? spec['nodeSelector'],
        serviceAccountName: template['serviceAccountName'] ?? spec['serviceAccountName'],
        imagePullSecrets: spec['imagePullSecrets'],
        initContainers: Array.isArray(initContainers) ? initContainers.map(fill) : initContainers,
        containers: [...containers, ...asArray(template['sidecars'])].map(fill),
      },
    };
    return [{ title: `${title}, template ${name}`, namespace, pod }];
  });
}

/**
 * Puts the values of parameters into the image of a container, where the workflow states them: those of its arguments, and
 * the defaults of the template's inputs. Others are filled in when the workflow runs.
 */
function imageFiller(spec: JsonObject, template: JsonObject): (container: unknown) => unknown {
  const values = new Map([
    ...parametersOf('workflow.parameters', spec['arguments']),
    ...parametersOf('inputs.parameters', template['inputs']),
  ]);
  return (container) => {
    const image = isObject(container) ? readText(container['image']) : undefined;
    if (!isObject(container) || image === undefined) return container;
    const filled = image.replaceAll(PARAMETER, (text, name: string) => values.get(name) ?? text);
    return { ...container, image: filled };
  };
}

const PARAMETER = /\{\{\s*([\w.-]{1,300}?)\s*\}\}/g;

/** The parameters with a value, by the name with which templates refer to them. */
function parametersOf(prefix: string, holder: unknown): [string, string][] {
  return asArray(isObject(holder) ? holder['parameters'] : [])
    .filter(isObject)
    .flatMap(({ name, value }): [string, string][] => {
      const known = readText(value);
      return known === undefined ? [] : [[`${prefix}.${String(name)}`, known]];
    });
}

function workflowContainers({ container, script, containerSet }: JsonObject): unknown[] {
  const main = container ?? script;
  if (isObject(main)) return [{ name: 'main', ...main }];
  return isObject(containerSet) ? asArray(containerSet['containers']) : [];
}

/** The podMetadata of the workflow, and that of the template, which wins. */
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
