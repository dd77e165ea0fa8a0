/** The pods of an Argo workflow: one for each template that runs containers. Steps, DAGs and suspend templates run none. */
import { isObject, objectsIn, partOf, readText, type JsonObject } from '../kubernetes/json.ts';
import { annotationField, fieldAt, type PodFields, type ShapedPod } from './pod-fields.ts';
import { join } from './template-path.ts';

/** @param path of the workflow's spec in the manifest */
export function argoPods(spec: JsonObject, path: string): ShapedPod[] {
  return objectsIn(spec['templates']).flatMap((template, i): ShapedPod[] => {
    const { containers, at } = mainContainers(template);
    if (containers.length === 0) return [];
    const name = readText(template['name']) ?? '';
    const { initContainers } = template;
    const fill = imageFiller(spec, template);
    const pod = {
      metadata: mergeMetadata(name, spec['podMetadata'], template['metadata']),
      spec: {
        nodeSelector: template['nodeSelector'] ?? spec['nodeSelector'],
        affinity: template['affinity'] ?? spec['affinity'],
        serviceAccountName: template['serviceAccountName'] ?? spec['serviceAccountName'],
        imagePullSecrets: spec['imagePullSecrets'],
        initContainers: Array.isArray(initContainers) ? initContainers.map(fill) : initContainers,
        containers: [...containers, ...asArray(template['sidecars'])].map(fill),
      },
    };
    const fields = argoFields(path, `${path}.templates[${i}]`, template, at, containers.length);
    return [{ name: `template ${name}`, pod, fields }];
  });
}

/** A parameter that a workflow fills in when it runs; until then the image is unknown. */
export const PLACEHOLDER = '{{';

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
    container,
    image: (pointer) => `${container(pointer)}.image`,
    pullPolicy: (pointer) => `${container(pointer)}.imagePullPolicy`,
  };
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
