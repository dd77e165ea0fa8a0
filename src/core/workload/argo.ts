/** The pods of an Argo workflow: one for each template that runs containers. Steps, DAGs and suspend templates run none. */
import { isObject, partOf, readText, type JsonObject } from '../kubernetes/json.ts';
import { annotationField, fieldAt, type PodFields, type ShapedPod } from './pod-fields.ts';
import { join } from './template-path.ts';

/**
 * @param path of the workflow's spec in the manifest
 * @param most pods at most; a manifest of some megabytes may have tens of thousands of templates
 */
export function argoPods(spec: JsonObject, path: string, most: number): ShapedPod[] {
  const pods: ShapedPod[] = [];
  const ofWorkflow = parametersOf('workflow.parameters', spec['arguments']);
  // Once, as it may be large.
  const podMetadata = mergeMetadata('', spec['podMetadata']);
  for (const { template, at: templatePath } of templatesIn(spec, path)) {
    if (pods.length >= most) break;
    const { containers, at } = mainContainers(template);
    if (containers.length === 0) continue;
    const name = readText(template['name']) ?? '';
    const { initContainers } = template;
    const fill = imageFiller(ofWorkflow, template);
    const pod = {
      metadata: mergeMetadata(name, podMetadata, template['metadata']),
      spec: {
        nodeSelector: template['nodeSelector'] ?? spec['nodeSelector'],
        affinity: template['affinity'] ?? spec['affinity'],
        serviceAccountName: template['serviceAccountName'] ?? spec['serviceAccountName'],
        imagePullSecrets: spec['imagePullSecrets'],
        initContainers: Array.isArray(initContainers) ? initContainers.map(fill) : initContainers,
        containers: [...containers, ...asArray(template['sidecars'])].map(fill),
      },
    };
    const fields = argoFields(path, templatePath, template, at, containers.length);
    pods.push({ name: `template ${name}`.trim(), pod, fields });
  }
  return pods;
}

interface FoundTemplate {
  readonly template: JsonObject;
  readonly at: string;
}

/** The templates of a workflow with its defaults, and those that stand inline in their steps and tasks. */
function* templatesIn(spec: JsonObject, path: string): Generator<FoundTemplate> {
  const written = partOf(spec, 'templateDefaults');
  const metadata = isObject(written['metadata']) ? mergeMetadata('', written['metadata']) : undefined;
  const defaults = { ...written, metadata };
  for (const [i, template] of asArray(spec['templates']).entries()) {
    if (!isObject(template)) continue;
    const at = `${path}.templates[${i}]`;
    yield { template: withDefaults(template, defaults), at };
    for (const [j, task] of asArray(partOf(template, 'dag')['tasks']).entries())
      if (isObject(task) && isObject(task['inline']))
        yield { template: withDefaults(task['inline'], defaults), at: `${at}.dag.tasks[${j}].inline` };
    for (const [j, group] of asArray(template['steps']).entries())
      for (const [k, step] of asArray(group).entries())
        if (isObject(step) && isObject(step['inline']))
          yield { template: withDefaults(step['inline'], defaults), at: `${at}.steps[${j}][${k}].inline` };
  }
}

/**
 * Argo merges `spec.templateDefaults` into each template; what the template has wins
 * (https://argo-workflows.readthedocs.io/en/latest/template-defaults/).
 */
function withDefaults(template: JsonObject, defaults: JsonObject): JsonObject {
  const merged: Record<string, unknown> = { ...template };
  for (const field of ['nodeSelector', 'affinity', 'serviceAccountName', 'initContainers', 'sidecars'])
    merged[field] = template[field] ?? defaults[field];
  // Defaults for a container make no container of a template that has none.
  for (const field of ['container', 'script'])
    if (isObject(template[field])) merged[field] = { ...partOf(defaults, field), ...template[field] };
  if (isObject(defaults['metadata'])) {
    const { annotations, labels } = mergeMetadata('', defaults['metadata'], template['metadata']);
    merged['metadata'] = { annotations, labels };
  }
  return merged;
}

/** A parameter that a workflow fills in when it runs; until then the image is unknown. */
export const PLACEHOLDER = '{{';

/**
 * Puts the values of parameters into the image of a container, where the workflow states them: those of its arguments, and
 * the defaults of the template's inputs. Others are filled in when the workflow runs.
 */
function imageFiller(
  ofWorkflow: ReadonlyMap<string, string>,
  template: JsonObject,
): (container: unknown) => unknown {
  const ofTemplate = parametersOf('inputs.parameters', template['inputs']);
  return (container) => {
    const image = isObject(container) ? readText(container['image']) : undefined;
    if (!isObject(container) || image === undefined || image.length > MAX_IMAGE) return container;
    const filled = image.replaceAll(
      PARAMETER,
      (text, name: string) => ofTemplate.get(name) ?? ofWorkflow.get(name) ?? text,
    );
    return { ...container, image: filled };
  };
}

const PARAMETER = /\{\{\s*([\w.-]{1,300}?)\s*\}\}/g;

/** Characters of an image, and of a parameter in it. A reference has fewer, and longer ones would multiply. */
const MAX_IMAGE = 1000;
const MAX_VALUE = 300;

/** The parameters with a value, by the name with which templates refer to them. */
function parametersOf(prefix: string, holder: unknown): Map<string, string> {
  const values = new Map<string, string>();
  for (const parameter of asArray(isObject(holder) ? holder['parameters'] : [])) {
    if (!isObject(parameter)) continue;
    const value = readText(parameter['value']);
    if (value !== undefined && value.length <= MAX_VALUE)
      values.set(`${prefix}.${String(parameter['name'])}`, value);
  }
  return values;
}

/** The containers of the template itself, and where they are in it: `script`, or `containerSet.containers[*]`. */
function mainContainers({ container, script, containerSet }: JsonObject): {
  readonly containers: readonly unknown[];
  readonly at: string;
} {
  const main = container ?? script;
  if (isObject(main))
    return { containers: [{ name: 'main', ...main }], at: isObject(container) ? 'container' : 'script' };
  const inSet = isObject(containerSet) ? asArray(containerSet['containers']) : [];
  return { containers: inSet, at: 'containerSet.containers[*]' };
}

function argoFields(
  specPath: string,
  templatePath: string,
  template: JsonObject,
  mainAt: string,
  mainCount: number,
): PodFields {
  const ofTemplate = `${templatePath}.metadata.annotations`;
  const ofWorkflow = `${specPath}.podMetadata.annotations`;
  const own = partOf(partOf(template, 'metadata'), 'annotations');
  const container = (pointer: string): string => {
    const [, list, index] = /^\/spec\/(\w+)\/(\d+)$/.exec(pointer) ?? [];
    const i = Number(index);
    if (list !== 'containers') return join(templatePath, fieldAt(pointer).replace('spec.', ''));
    if (i >= mainCount) return `${templatePath}.sidecars[${i - mainCount}]`;
    return join(templatePath, mainAt.replace('*', `${i}`));
  };
  return {
    annotations: ofWorkflow,
    annotation: (key) => annotationField(Object.hasOwn(own, key) ? ofTemplate : ofWorkflow, key),
    spec: templatePath,
    containers: templatePath,
    container,
    image: (pointer) => `${container(pointer)}.image`,
    pullPolicy: (pointer) => `${container(pointer)}.imagePullPolicy`,
  };
}

/** Annotations, or labels, of one pod that are looked at. */
const MOST_ENTRIES = 1000;

/** The podMetadata of the workflow, and that of the template, which wins. */
function mergeMetadata(name: string, ...parts: readonly unknown[]): JsonObject {
  const merge = (field: string): JsonObject =>
    Object.fromEntries(
      parts.flatMap((part) =>
        isObject(part) && isObject(part[field]) ? Object.entries(part[field]).slice(0, MOST_ENTRIES) : [],
      ),
    );
  return { name, annotations: merge('annotations'), labels: merge('labels') };
}

function asArray(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}
