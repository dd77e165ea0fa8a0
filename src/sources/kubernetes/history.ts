/**
 * Lists what a cluster knows of its pods, once: those that it has and had, for `imc replay` and `imc verify`; and what became
 * of them, for `imc status` and `imc explain`.
 */
import { isObject, type JsonObject } from '../../core/kubernetes/json.ts';
import { messageOf } from '../../core/kubernetes/problem.ts';
import { PULLED } from '../../core/truth/pull.ts';
import { ApiError, type ApiClient } from './api-client.ts';
import { WEBHOOK_CONFIGURATIONS } from './ca-bundle-api.ts';
import { listPages } from './list-pages.ts';

/** With their kinds, because the items of a list do not say theirs. */
const PATHS = [
  ['v1', 'Pod', '/api/v1/pods'],
  ['batch/v1', 'Job', '/apis/batch/v1/jobs'],
  ['apps/v1', 'ReplicaSet', '/apis/apps/v1/replicasets'],
] as const;
/** @throws if a kind cannot be listed, or has more than a hundred thousand objects */
export async function listHistory(api: ApiClient, signal: AbortSignal): Promise<JsonObject[]> {
  const objects: JsonObject[] = [];
  for (const [apiVersion, kind, path] of PATHS) {
    // oxlint-disable-next-line no-await-in-loop -- one kind after the other, which is less for the API server at once
    const items = await listPages(api, path, {}, signal);
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
  const pods = await tried(listPages(api, `${home}/pods`, {}, signal), []);
  const events = await tried(listPages(api, `${home}/events`, { fieldSelector: PULLED }, signal), []);
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
