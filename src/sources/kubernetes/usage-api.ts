/** Reads and writes the annotations that record the use of an ImageCache. */
import { isObject, readStringMap, readText } from '../../core/kubernetes/json.ts';
import { ApiError, type ApiClient, type ApiRequest } from './api-client.ts';
import { imageCachePath } from '../kinds/image-cache.ts';

export class KubernetesUsageApi {
  readonly #api: ApiClient;
  readonly #signal: AbortSignal;

  /** @param signal ends the requests under way */
  constructor(api: ApiClient, signal: AbortSignal) {
    this.#api = api;
    this.#signal = signal;
  }

  async read(
    name: string,
  ): Promise<
    { readonly annotations: ReadonlyMap<string, string>; readonly resourceVersion: string } | undefined
  > {
    const object = await this.#call({ path: imageCachePath(name) }, 404);
    if (!isObject(object) || !isObject(object['metadata'])) return undefined;
    const { annotations, resourceVersion } = object['metadata'];
    return {
      annotations: readStringMap(annotations, 'metadata.annotations'),
      resourceVersion: readText(resourceVersion) ?? '',
    };
  }

  async write(
    name: string,
    annotations: ReadonlyMap<string, string>,
    resourceVersion: string,
  ): Promise<boolean> {
    const body = { metadata: { resourceVersion, annotations: Object.fromEntries(annotations) } };
    const request = {
      path: imageCachePath(name),
      method: 'PATCH',
      contentType: 'merge-patch+json',
      body,
    } as const;
    return (await this.#call(request, 409)) !== undefined;
  }

  /** @returns undefined if the response has this status */
  async #call(request: Omit<ApiRequest, 'signal'>, status: number): Promise<unknown> {
    try {
      return await this.#api.json({ ...request, signal: this.#signal });
    } catch (error) {
      if (error instanceof ApiError && error.status === status) return undefined;
      throw error;
    }
  }
}
