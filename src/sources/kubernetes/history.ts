/**
 * Lists what a cluster knows of its pods, once: those that it has and had, for `imc replay` and `imc verify`; and what became
 * of them, for `imc status` and `imc explain`.
 */
import { isObject, objectsIn, partOf, readText, type JsonObject } from '../../core/kubernetes/json.ts';
import { messageOf } from '../../core/kubernetes/problem.ts';
import { PULLED } from '../../core/truth/pull.ts';
import { ApiError, type ApiClient } from './api-client.ts';
import { WEBHOOK_CONFIGURATIONS } from './ca-bundle-api.ts';

/** With their kinds, because the items of a list do not say theirs. */
const PATHS = [
  ['v1', 'Pod', '/api/v1/pods'],
  ['batch/v1', 'Job', '/apis/batch/v1/jobs'],
  ['apps/v1', 'ReplicaSet', '/apis/apps/v1/replicasets'],
] as const;
const PAGE = 500;
/** Pages of one kind; more objects than these would not fit into memory. */
const MOST_PAGES = 200;

/** @throws if a kind cannot be listed, or has more than a hundred thousand objects */
export async function listHistory(api: ApiClient, signal: AbortSignal): Promise<JsonObject[]> {
  const objects: JsonObject[] = [];
  for (const [apiVersion, kind, path] of PATHS) {
    // oxlint-disable-next-line no-await-in-loop -- one kind after the other, which is less for the API server at once
    const items = await listPages(api, path, undefined, signal);
    for (const item of items) objects.push({ ...item, apiVersion, kind });
  }
  return objects;
}

export interface Aftermath {
  readonly pods: readonly JsonObject[];
  /** The kubelet's Events on pulled images. */
  readonly events: readonly JsonObject[];
  /** The MutatingWebhookConfiguration; undefined if there is none, or it may not be read. */
  readonly configuration: JsonObject | undefined;
  /** What could not be read, in words. */
  readonly problems: readonly string[];
}

/**
 * Pods and what became of them. What may not be read is empty, and a problem.
 * @param namespace of the pods; undefined: all
 */
export async function listAftermath(
  api: ApiClient,
  namespace: string | undefined,
  webhookConfiguration: string,
  signal: AbortSignal,
): Promise<Aftermath> {
  const problems: string[] = [];
  const tried = async <T>(reading: Promise<T>, otherwise: T): Promise<T> => {
    try {
      return await reading;
    } catch (error) {
      if (!(error instanceof ApiError && error.status === 404)) problems.push(messageOf(error));
      return otherwise;
    }
  };
  const home = namespace === undefined ? '/api/v1' : `/api/v1/namespaces/${namespace}`;
  const pods = await tried(listPages(api, `${home}/pods`, undefined, signal), []);
  const events = await tried(listPages(api, `${home}/events`, PULLED, signal), []);
  const path = `${WEBHOOK_CONFIGURATIONS}/${webhookConfiguration}`;
  const configuration =
    namespace === undefined ? await tried(api.json({ path, signal }), undefined) : undefined;
  return {
    pods,
    events,
    configuration: isObject(configuration) ? configuration : undefined,
    problems,
  };
}

async function listPages(
  api: ApiClient,
  path: string,
  fieldSelector: string | undefined,
  signal: AbortSignal,
): Promise<JsonObject[]> {
  const objects: JsonObject[] = [];
  let from: string | undefined;
  for (let page = 0; page < MOST_PAGES; page++) {
    const query = {
      limit: `${PAGE}`,
      ...(from !== undefined && { continue: from }),
      ...(fieldSelector !== undefined && { fieldSelector }),
    };
    // oxlint-disable-next-line no-await-in-loop -- each page says where the next one begins
    const list = await api.json({ path, query, signal });
    if (!isObject(list)) return objects;
    objects.push(...objectsIn(list['items']));
    from = readText(partOf(list, 'metadata')['continue']);
    if (from === undefined) return objects;
  }
  throw new Error(`there are more than ${MOST_PAGES * PAGE} objects at ${path}`);
}
