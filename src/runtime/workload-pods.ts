/** Finds workloads by name, and the pods that they have now. */
import type { Config } from '../config/config.ts';
import { suggestName } from '../config/suggest.ts';
import { objectsIn, partOf, readStringMap, readText, type JsonObject } from '../core/kubernetes/json.ts';
import { matchesLabels, readLabelSelector } from '../core/kubernetes/label-selector.ts';
import { objectName, objectNamespace } from '../core/kubernetes/object.ts';
import {
  kindNamed,
  workloadKind,
  WORKLOAD_KINDS,
  WORKLOAD_NAMES,
  type WorkloadKind,
} from '../core/workload/kinds.ts';
import { podsOf, type WorkloadPod } from '../core/workload/pods.ts';
import { FolderWorkloads } from '../sources/files/folder-workloads.ts';
import { folderOf } from './connect.ts';

/** The workloads of a source, and their pods. */
export interface WorkloadReader {
  /** That of the kubeconfig's context; undefined if nothing states one. */
  readonly namespace: string | undefined;
  /** Undefined if there is no such object. @throws if the source cannot be read, or lacks the kind */
  get(kind: WorkloadKind, namespace: string, name: string): Promise<JsonObject | undefined>;
  /** @param labels that each object has @throws if the source cannot be read */
  list(
    kind: WorkloadKind,
    namespace: string | undefined,
    labels: readonly (readonly [string, string])[],
  ): Promise<readonly JsonObject[]>;
}

/** Owned objects whose pods are looked for, the newest first: a CronJob may have made many Jobs. */
const MOST_OWNED = 10;

export async function connectWorkloads(config: Config): Promise<WorkloadReader> {
  const folder = folderOf(config);
  if (folder !== undefined) return new FolderWorkloads(folder);
  const { connectClusterWorkloads } = await import('../sources/kubernetes/connect.ts');
  return connectClusterWorkloads(config.kubeconfig, config.kubeContext);
}

export interface NamedWorkload {
  readonly namespace: string;
  /** The pods that it would make. */
  readonly templates: readonly WorkloadPod[];
  /** The pods that it has. */
  readonly pods: readonly JsonObject[];
}

/**
 * @param names `deploy/web`, `jobs.batch/nightly`, or `pods web-1`
 * @param asked the namespace; undefined: that of the context, or `default`
 * @throws Error that says which name is not found, or means nothing
 */
export async function readNamed(
  config: Config,
  names: readonly string[],
  asked: string | undefined,
): Promise<NamedWorkload[]> {
  const wanted = parseNames(names);
  const reader = await connectWorkloads(config);
  const namespace = asked ?? reader.namespace ?? 'default';
  return Promise.all(
    wanted.map(async ({ kind, name }): Promise<NamedWorkload> => {
      const object = await reader.get(kind, namespace, name);
      if (!object) {
        const where = kind.isClusterScoped === true ? '' : ` in namespace ${namespace}`;
        throw new Error(`there is no ${kind.kind} ${name}${where}`);
      }
      const whole = { ...object, apiVersion: kind.apiVersion, kind: kind.kind };
      return {
        namespace,
        templates: podsOf(whole),
        pods: await podsOfWorkload(reader, kind, whole),
      };
    }),
  );
}

const KNOWN_NAMES = WORKLOAD_KINDS.flatMap(({ kind, plural, shortNames = [] }) => [
  ...shortNames,
  kind.toLowerCase(),
  plural,
]);

interface Name {
  readonly kind: WorkloadKind;
  readonly name: string;
}

/** As kubectl: `TYPE/NAME…`, or `TYPE NAME…`. @throws Error */
function parseNames(names: readonly string[]): Name[] {
  const [first = '', ...others] = names;
  const texts = first.includes('/') || others.length === 0 ? names : others.map((name) => `${first}/${name}`);
  return texts.map((text) => {
    const [type = '', name = '', ...rest] = text.split('/');
    if (name === '' || rest.length > 0)
      throw new Error(
        `${JSON.stringify(text)} is no name of a workload; write TYPE/NAME, such as deploy/web`,
      );
    const kind = kindNamed(type);
    if (!kind) {
      const close = suggestName(type, KNOWN_NAMES);
      const hint = close === undefined ? `there are ${WORKLOAD_NAMES}` : `did you mean ${close}?`;
      throw new Error(`${JSON.stringify(type)} is no kind that makes pods; ${hint}`);
    }
    return { kind, name };
  });
}

/**
 * The pods of a workload; none for a kind that is only a template.
 * @throws if they cannot be read
 */
export async function podsOfWorkload(
  reader: WorkloadReader,
  kind: WorkloadKind,
  object: JsonObject,
): Promise<readonly JsonObject[]> {
  if (kind.kind === 'Pod') return [object];
  const { pods: how } = kind;
  const namespace = objectNamespace(object);
  if (how === undefined) return [];
  if (how === 'selector') return bySelector(reader, kind, object, namespace);
  if ('label' in how) return reader.list(POD, namespace, [[how.label, objectName(object)]]);
  const ownedKind = workloadKind(how.ofOwned);
  if (!ownedKind) return [];
  const owned = (await reader.list(ownedKind, namespace, []))
    .filter((each) => isOwnedBy(each, object))
    .toSorted((a, b) => createdAt(b).localeCompare(createdAt(a)))
    .slice(0, MOST_OWNED);
  const pods = await Promise.all(owned.map((each) => podsOfWorkload(reader, ownedKind, each)));
  return pods.flat();
}

const POD = workloadKind('/Pod')!;

async function bySelector(
  reader: WorkloadReader,
  { apiVersion }: WorkloadKind,
  object: JsonObject,
  namespace: string,
): Promise<readonly JsonObject[]> {
  const written = partOf(object, 'spec')['selector'];
  // The selector of a ReplicationController, the only kind of the core group here, is a plain map.
  const selector = readLabelSelector(
    apiVersion === 'v1' ? { matchLabels: written } : written,
    'spec.selector',
  );
  if (selector.length === 0) return [];
  const labels = selector.flatMap(({ key, operator, values }): [string, string][] => {
    const [value, ...others] = values;
    return operator === 'In' && value !== undefined && others.length === 0 ? [[key, value]] : [];
  });
  const pods = await reader.list(POD, namespace, labels);
  return pods.filter((pod) =>
    matchesLabels(selector, readStringMap(partOf(pod, 'metadata')['labels'], 'metadata.labels')),
  );
}

function isOwnedBy(object: JsonObject, owner: JsonObject): boolean {
  const { uid, name } = partOf(owner, 'metadata');
  return objectsIn(partOf(object, 'metadata')['ownerReferences']).some(
    // Manifests in a folder have no uid.
    (each) =>
      uid === undefined ? each['kind'] === owner['kind'] && each['name'] === name : each['uid'] === uid,
  );
}

function createdAt(object: JsonObject): string {
  return readText(partOf(object, 'metadata')['creationTimestamp']) ?? '';
}
