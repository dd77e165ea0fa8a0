/** Lists what a cluster still knows of the pods that it had, once, for `imc replay` and `imc verify`. */
import { isObject, objectsIn, partOf, readText, type JsonObject } from '../../core/kubernetes/json.ts';
import type { ApiClient } from './api-client.ts';

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
    let from = '';
    for (let page = 0; ; page++) {
      if (page === MOST_PAGES)
        throw new Error(`there are more than ${MOST_PAGES * PAGE} objects of kind ${kind}`);
      const query = `?limit=${PAGE}${from === '' ? '' : `&continue=${encodeURIComponent(from)}`}`;
      // oxlint-disable-next-line no-await-in-loop -- each page says where the next one begins
      const list = await api.json({ path: `${path}${query}`, signal });
      if (!isObject(list)) break;
      for (const item of objectsIn(list['items'])) objects.push({ ...item, apiVersion, kind });
      from = readText(partOf(list, 'metadata')['continue']) ?? '';
      if (from === '') break;
    }
  }
  return objects;
}
