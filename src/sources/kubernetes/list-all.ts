/** Lists all objects of a kind, page by page, into a store, which then holds these and no others. */
import type { IncomingMessage } from 'node:http';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { partOf, type JsonObject } from '../../core/kubernetes/json.ts';
import { ApiError, type ApiClient } from './api-client.ts';
import { readList, type ListEnd } from './list-stream.ts';

/** A kind of object, and the paths that the API server may have it under. */
export interface Resource {
  /** `ImageCache`: for people and metrics. */
  readonly kind: string;
  /** Paths of the collection, in order of preference: versions of one resource. The first that is served is used. */
  readonly paths: readonly string[];
  /** Restricts what is listed and watched: `metadata.name=eci-profile`. */
  readonly fieldSelector?: string;
  /** Restricts by labels what is listed and watched: `app=web`, or only the name of a label. */
  readonly labelSelector?: string;
  /** Whether a cluster may lack the kind, as it does a custom resource that nobody installed. */
  readonly mayBeAbsent: boolean;
}

/** Restricts a resource to one object, which may not exist. @param collection the path of the others of its kind */
export function onlyNamed(
  collection: string,
  name: string,
): Pick<Resource, 'paths' | 'fieldSelector' | 'mayBeAbsent'> {
  return { paths: [collection], fieldSelector: `metadata.name=${name}`, mayBeAbsent: false };
}

/** The place for the listed objects. No method throws: the store itself reports an object that it cannot read. */
export interface Store {
  readonly apply: (key: string, object: JsonObject) => void;
  readonly delete: (key: string) => void;
  readonly keys: () => Iterable<string>;
  readonly size: () => number;
  /** Whether the API server has the kind at all; called once all its objects are here, or all are gone. */
  readonly setServed?: (served: boolean) => void;
}

/** Objects per page, as in client-go: large pages cost the API server memory, and many pages cost etcd time. */
const PAGE = 500;
/** After this many deletions the loop lets other work of the process run. */
const DELETIONS_AT_ONCE = 500;

export interface Listed {
  /** The path of the resource that is served. */
  readonly path: string;
  /** Where a watch may start. */
  readonly resourceVersion: string;
}

/**
 * @param timeout milliseconds for a page
 * @returns undefined if no path is served and the kind may be absent
 * @throws ApiError; Error if there is no answer, or the answer is no list
 */
export async function listAll(
  resource: Resource,
  api: ApiClient,
  store: Store,
  timeout: number,
  signal: AbortSignal,
): Promise<Listed | undefined> {
  for (const path of resource.paths) {
    try {
      // oxlint-disable-next-line no-await-in-loop -- the second path only if the first is not served
      const resourceVersion = await listPages(path, resource, api, store, timeout, signal);
      return { path, resourceVersion };
    } catch (error) {
      if (!resource.mayBeAbsent || !(error instanceof ApiError && error.status === 404)) throw error;
    }
  }
  return undefined;
}

async function listPages(
  path: string,
  resource: Resource,
  api: ApiClient,
  store: Store,
  timeout: number,
  signal: AbortSignal,
): Promise<string> {
  const listed = new Set<string>();
  let token: string | undefined;
  let version: string | undefined;
  do {
    const query = { limit: `${PAGE}`, continue: token, ...selectorsOf(resource) };
    const read = (answer: IncomingMessage): Promise<ListEnd> =>
      readList(answer, (object) => {
        const key = objectKey(object);
        if (key === undefined) return;
        listed.add(key);
        store.apply(key, object);
      });
    // oxlint-disable-next-line no-await-in-loop -- each page names the next
    const end = await api.read({ path, query, timeout, signal }, read);
    version ??= end.resourceVersion;
    token = end.continue;
  } while (token !== undefined);
  await deleteAllBut(listed, store);
  return version;
}

export async function deleteAllBut(listed: ReadonlySet<string>, store: Store): Promise<void> {
  let deleted = 0;
  for (const key of store.keys()) {
    if (listed.has(key)) continue;
    store.delete(key);
    // oxlint-disable-next-line no-await-in-loop -- the wait lets other work run
    if (++deleted % DELETIONS_AT_ONCE === 0) await nextTurn();
  }
}

/** The selectors of a resource, as query parameters of a list or a watch. */
export function selectorsOf(resource: Resource): Pick<Resource, 'fieldSelector' | 'labelSelector'> {
  const { fieldSelector, labelSelector } = resource;
  return { ...(fieldSelector && { fieldSelector }), ...(labelSelector && { labelSelector }) };
}

/** `namespace/name`, or the name alone; undefined for an object without a name. */
export function objectKey(object: JsonObject): string | undefined {
  const { name, namespace } = partOf(object, 'metadata');
  if (typeof name !== 'string') return undefined;
  return typeof namespace === 'string' && namespace !== '' ? `${namespace}/${name}` : name;
}
