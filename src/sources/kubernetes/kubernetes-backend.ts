/** Owns the ImageCaches of a cluster as who plays ECI sees them: read whole at each look, which is enough to try things out. */
import { isObject, readText, type JsonObject } from '../../core/json.ts';
import { ApiError, type ApiClient, type ApiRequest } from './api-client.ts';

/** Milliseconds. */
const TIMEOUT = 10_000;
const IMAGE_CACHES = '/apis/eci.alibabacloud.com/v1/imagecaches';

export class KubernetesBackend {
  readonly #api: ApiClient;
  readonly #stopping = new AbortController();

  constructor(api: ApiClient) {
    this.#api = api;
  }

  async caches(): Promise<readonly JsonObject[]> {
    const list = await this.#call({ path: IMAGE_CACHES });
    const items: readonly unknown[] = isObject(list) && Array.isArray(list['items']) ? list['items'] : [];
    return items.filter(isObject);
  }

  /** Nothing where it has gone meanwhile. */
  async setStatus(object: JsonObject, status: JsonObject): Promise<void> {
    await this.#call({
      path: `${IMAGE_CACHES}/${nameOf(object)}/status`,
      method: 'PATCH',
      contentType: 'merge-patch+json',
      body: { status },
    });
  }

  async delete(object: JsonObject): Promise<void> {
    await this.#call({ path: `${IMAGE_CACHES}/${nameOf(object)}`, method: 'DELETE' });
  }

  async #call(request: Omit<ApiRequest, 'timeout' | 'signal'>): Promise<unknown> {
    try {
      return await this.#api.json({ ...request, timeout: TIMEOUT, signal: this.#stopping.signal });
    } catch (error) {
      if (error instanceof ApiError && error.status === 404 && request.path !== IMAGE_CACHES)
        return undefined;
      throw error;
    }
  }
}

function nameOf({ metadata }: JsonObject): string {
  return (isObject(metadata) ? readText(metadata['name']) : undefined) ?? '';
}
