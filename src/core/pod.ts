/**
 * The pod as a decision sees it: the few fields that matter, read once from untrusted JSON. The API server validates
 * the other fields.
 */
import {
  EMPTY_MAP,
  isObject,
  objectsIn,
  partOf,
  readStringMap,
  readText,
  type JsonObject,
  type StringMap,
} from './kubernetes/json.ts';
import { readRequiredNodeTerms, type NodeTerm } from './kubernetes/node-affinity.ts';
import { ephemeralStorageRequest } from './kubernetes/pod-requests.ts';
import { typeName, Unreadable } from './kubernetes/problem.ts';

export interface Container {
  readonly name: string;
  readonly image: string;
  /** As written; undefined if Kubernetes would fill in its default. */
  readonly imagePullPolicy: string | undefined;
  /** JSON Pointer of the container in the pod: `/spec/initContainers/0`. */
  readonly pointer: string;
}

export interface Pod {
  readonly namespace: string;
  /** The name, or `generateName` if the API server has yet to make the name. Only messages and logs use the name. */
  readonly name: string;
  readonly labels: StringMap;
  readonly annotations: StringMap;
  readonly nodeName: string | undefined;
  readonly nodeSelector: StringMap;
  /** The terms of the required node affinity: the pod can run on a node that matches one of them. */
  readonly nodeTerms: readonly NodeTerm[];
  /** `spec.os.name`; undefined if the pod does not state it. */
  readonly operatingSystem: string | undefined;
  /** The ephemeral storage that the containers request together. */
  readonly storageRequestBytes: number;
  /** The references of `spec.volumes[].image`, as written. */
  readonly imageVolumes: readonly string[];
  /** Names of its scheduling gates. */
  readonly gates: readonly string[];
  /** Init containers, then containers, in their order. */
  readonly containers: readonly Container[];
  /** Which of the objects that our changes go into exist in the JSON, so that a patch creates only the missing ones. */
  readonly present: { readonly metadata: boolean; readonly annotations: boolean; readonly labels: boolean };
}

/** Stands in for a pod that cannot be read; nothing is ever written to it. */
export const UNREAD_POD: Pod = {
  namespace: '',
  name: '',
  labels: EMPTY_MAP,
  annotations: EMPTY_MAP,
  nodeName: undefined,
  nodeSelector: EMPTY_MAP,
  nodeTerms: [],
  operatingSystem: undefined,
  storageRequestBytes: 0,
  imageVolumes: [],
  gates: [],
  containers: [],
  present: { metadata: false, annotations: false, labels: false },
};

/** What each entry of a list or a map takes beside its characters. */
const ENTRY_SIZE = 64;

/** How much it takes to keep a pod, in characters, about. */
export function podSize(pod: Pod): number {
  const { labels, annotations, nodeSelector, containers, imageVolumes, gates, nodeTerms } = pod;
  let size = 0;
  for (const map of [labels, annotations, nodeSelector])
    for (const [key, value] of map) size += ENTRY_SIZE + key.length + value.length;
  for (const { name, image } of containers) size += ENTRY_SIZE + name.length + image.length;
  for (const text of [...imageVolumes, ...gates]) size += ENTRY_SIZE + text.length;
  for (const { key, values } of nodeTerms.flat())
    size += values.reduce((sum, { length }) => sum + ENTRY_SIZE + length, ENTRY_SIZE + key.length);
  return size;
}

/**
 * Reads a pod.
 * @param value the `object` of an AdmissionRequest, or a manifest
 * @param namespace the namespace of the request, which wins over the one in the manifest
 * @throws Unreadable with the path at fault; the API server's validation refuses such a pod itself
 */
export function readPod(value: unknown, namespace: string | undefined): Pod {
  if (!isObject(value)) throw new Unreadable('pod', `is ${typeName(value)}; it must be an object`);
  const metadata = value['metadata'] ?? {};
  if (!isObject(metadata)) throw new Unreadable('metadata', `is ${typeName(metadata)}; it must be an object`);
  const spec = value['spec'];
  if (!isObject(spec)) throw new Unreadable('spec', `is ${typeName(spec)}; it must be an object`);

  const labels = readStringMap(metadata['labels'], 'metadata.labels');
  const annotations = readStringMap(metadata['annotations'], 'metadata.annotations');
  const nodeSelector = readStringMap(spec['nodeSelector'], 'spec.nodeSelector');
  const containers = readContainers(spec);

  return {
    namespace: namespace ?? readText(metadata['namespace']) ?? 'default',
    name: readText(metadata['name']) ?? readText(metadata['generateName']) ?? '',
    labels,
    annotations,
    nodeName: readText(spec['nodeName']),
    nodeSelector,
    nodeTerms: readRequiredNodeTerms(spec),
    operatingSystem: readText(partOf(spec, 'os')['name']),
    storageRequestBytes: ephemeralStorageRequest(spec),
    imageVolumes: readImageVolumes(spec['volumes']),
    gates: readGates(spec),
    containers,
    present: {
      metadata: isObject(value['metadata']),
      annotations: isObject(metadata['annotations']),
      labels: isObject(metadata['labels']),
    },
  };
}

function readContainers(spec: JsonObject): Container[] {
  const containers: Container[] = [];
  for (const field of ['initContainers', 'containers']) {
    const list = spec[field] ?? [];
    if (!Array.isArray(list))
      throw new Unreadable(`spec.${field}`, `is ${typeName(list)}; it must be an array`);
    if (field === 'containers' && list.length === 0)
      throw new Unreadable('spec.containers', 'is missing or empty');
    for (const [index, item] of list.entries()) {
      const path = `spec.${field}[${index}]`;
      if (!isObject(item)) throw new Unreadable(path, `is ${typeName(item)}; it must be an object`);
      const image = item['image'];
      if (typeof image !== 'string' || image === '') {
        throw new Unreadable(
          `${path}.image`,
          image === ''
            ? 'is empty'
            : image === undefined
              ? 'is missing'
              : `is ${typeName(image)}; it must be a string`,
        );
      }
      containers.push({
        name: readText(item['name']) ?? `${index}`,
        image,
        imagePullPolicy: readText(item['imagePullPolicy']),
        pointer: `/spec/${field}/${index}`,
      });
    }
  }
  return containers;
}

/** Leaves out a gate that is not as it must be, because the API server refuses the pod for it. */
export function readGates(spec: JsonObject): readonly string[] {
  return spec['schedulingGates'] === undefined
    ? []
    : objectsIn(spec['schedulingGates']).flatMap(({ name }) => readText(name) ?? []);
}

/** Leaves out a volume that is not as it must be, because the API server refuses the pod for it. */
function readImageVolumes(volumes: unknown): readonly string[] {
  const references: string[] = [];
  if (!Array.isArray(volumes)) return references;
  for (const volume of volumes) {
    const image = isObject(volume) ? volume['image'] : undefined;
    const reference = isObject(image) ? readText(image['reference']) : undefined;
    if (reference !== undefined) references.push(reference);
  }
  return references;
}
