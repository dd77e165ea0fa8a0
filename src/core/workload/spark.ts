/**
 * The pods of a SparkApplication: its driver, and its executors, which are all alike. The operator builds them from fields of
 * its own (https://www.kubeflow.org/docs/components/spark-operator/).
 */
import { objectsIn, partOf, readText, type JsonObject } from '../kubernetes/json.ts';
import { annotationField, fieldAt, type PodFields, type ShapedPod } from './pod-fields.ts';

/** The name that Spark gives the main container of each role. */
const ROLES = [
  { role: 'driver', container: 'spark-kubernetes-driver' },
  { role: 'executor', container: 'spark-kubernetes-executor' },
] as const;

/** @param path of the spec in the manifest */
export function sparkPods(spec: JsonObject, path: string): ShapedPod[] {
  return ROLES.flatMap(({ role, container }): ShapedPod[] => {
    const part = partOf(spec, role);
    // Newer operators let a pod template state what these fields do not.
    const template = partOf(part, 'template');
    const ofTemplate = partOf(template, 'spec');
    const ownImage = readText(part['image']);
    const [inTemplate] = objectsIn(ofTemplate['containers']);
    const image = ownImage ?? readText(spec['image']) ?? readText(inTemplate?.['image']);
    if (image === undefined) return [];
    const metadata = partOf(template, 'metadata');
    const merged = (field: string): JsonObject => ({ ...partOf(metadata, field), ...partOf(part, field) });
    const pod = {
      metadata: { name: role, annotations: merged('annotations'), labels: merged('labels') },
      spec: {
        ...ofTemplate,
        nodeSelector: { ...partOf(spec, 'nodeSelector'), ...partOf(part, 'nodeSelector') },
        affinity: part['affinity'] ?? ofTemplate['affinity'],
        serviceAccountName: part['serviceAccount'] ?? ofTemplate['serviceAccountName'],
        imagePullSecrets: pullSecrets(spec['imagePullSecrets']),
        initContainers: [...objectsIn(ofTemplate['initContainers']), ...objectsIn(part['initContainers'])],
        containers: [
          { name: container, image, imagePullPolicy: spec['imagePullPolicy'] },
          ...objectsIn(part['sidecars']),
        ],
      },
    };
    return [{ name: role, pod, fields: sparkFields(path, role, part, ownImage !== undefined) }];
  });
}

/** A SparkApplication lists names where a pod lists objects. */
function pullSecrets(names: unknown): JsonObject[] {
  return Array.isArray(names) ? names.map((name: unknown) => ({ name })) : [];
}

/** Whether a container is the one that Spark itself runs in. */
function isMain(pointer: string): boolean {
  return pointer === '/spec/containers/0';
}

function sparkFields(path: string, role: string, part: JsonObject, hasOwnImage: boolean): PodFields {
  const rolePath = `${path}.${role}`;
  const inTemplate = `${rolePath}.template.metadata.annotations`;
  const ofTemplate = partOf(partOf(partOf(part, 'template'), 'metadata'), 'annotations');
  const isInTemplate = (key: string): boolean =>
    Object.hasOwn(ofTemplate, key) && !Object.hasOwn(partOf(part, 'annotations'), key);
  const container = (pointer: string): string => {
    if (isMain(pointer)) return rolePath;
    const [, sidecar] = /^\/spec\/containers\/(\d+)$/.exec(pointer) ?? [];
    return sidecar === undefined
      ? `${rolePath}.${fieldAt(pointer).replace('spec.', '')}`
      : `${rolePath}.sidecars[${Number(sidecar) - 1}]`;
  };
  return {
    annotations: `${rolePath}.annotations`,
    annotation: (key) => annotationField(isInTemplate(key) ? inTemplate : `${rolePath}.annotations`, key),
    spec: rolePath,
    containers: rolePath,
    container,
    image: (pointer) => (isMain(pointer) && !hasOwnImage ? `${path}.image` : `${container(pointer)}.image`),
    pullPolicy: (pointer) =>
      isMain(pointer) ? `${path}.imagePullPolicy` : `${container(pointer)}.imagePullPolicy`,
  };
}
