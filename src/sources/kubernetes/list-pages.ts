/** Lists objects once, page by page, for a command that looks and ends. */
import { isObject, objectsIn, partOf, readText, type JsonObject } from '../../core/kubernetes/json.ts';
import type { ApiClient } from './api-client.ts';

export interface Selectors {
  readonly fieldSelector?: string | undefined;
  readonly labelSelector?: string | undefined;
}

const PAGE = 500;
/** Pages of one kind; more objects than these would not fit into memory. */
const MOST_PAGES = 200;

/** @throws ApiError; Error if there is no answer, or there are more than a hundred thousand objects */
export async function listPages(
  api: ApiClient,
  path: string,
  { fieldSelector, labelSelector }: Selectors,
  signal: AbortSignal,
): Promise<JsonObject[]> {
  const objects: JsonObject[] = [];
  let from: string | undefined;
  for (let page = 0; page < MOST_PAGES; page++) {
    const query = { limit: `${PAGE}`, continue: from, fieldSelector, labelSelector };
    // oxlint-disable-next-line no-await-in-loop -- each page says where the next one begins
    const list = await api.json({ path, query, signal });
    if (!isObject(list)) return objects;
    objects.push(...objectsIn(list['items']));
    from = readText(partOf(list, 'metadata')['continue']);
    if (from === undefined) return objects;
  }
  throw new Error(`there are more than ${MOST_PAGES * PAGE} objects at ${path}`);
}
