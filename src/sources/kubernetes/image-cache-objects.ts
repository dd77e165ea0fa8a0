/**
 * The ImageCaches of a cluster, as the simulator reads and changes them. Each poll lists all of them, which is enough
 * to try things out.
 */
import { isObject, objectsIn, type JsonObject } from '../../core/kubernetes/json.ts';
import { objectName } from '../../core/kubernetes/object.ts';
import { ApiError, type ApiClient, type ApiRequest } from './api-client.ts';
import { IMAGE_CACHES, imageCachePath } from '../kinds/image-cache.ts';

export class ClusterImageCaches {
  readonly #api: ApiClient;
  readonly #signal: AbortSignal;

  /** @param signal ends the requests under way */
  constructor(api: ApiClient, signal: AbortSignal) {
    this.#api = api;
    this.#signal = signal;
  }

  async caches(): Promise<readonly JsonObject[]> {
    const list = await this.#call({ path: IMAGE_CACHES });
    return isObject(list) ? objectsIn(list['items']) : [];
  }

  /** Does nothing if the object is gone. */
  async setStatus(object: JsonObject, status: JsonObject): Promise<void> {
    await this.#call({
      path: `${pathOf(object)}/status`,
      method: 'PATCH',
      contentType: 'merge-patch+json',
      body: { status },
    });
  }

  async delete(object: JsonObject): Promise<void> {
    await this.#call({ path: pathOf(object), method: 'DELETE' });
  }

  async #call(request: Omit<ApiRequest, 'signal'>): Promise<unknown> {
    try {
      return await this.#api.json({ ...request, signal: this.#signal });
    } catch (error) {
      if (error instanceof ApiError && error.status === 404 && request.path !== IMAGE_CACHES)
        return undefined;
      throw error;
    }
  }
}

function pathOf(object: JsonObject): string {
  return imageCachePath(objectName(object));
}
