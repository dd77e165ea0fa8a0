/**
 * The ImageCaches and the pods of a cluster, as the simulator reads and changes them. Each poll lists all of them, which is enough
 * to try things out.
 */
import { isObject, objectsIn, type JsonObject } from '../../core/kubernetes/json.ts';
import { objectName, objectReference } from '../../core/kubernetes/object.ts';
import { formatTime } from '../../core/kubernetes/time.ts';
import type { PodEvent } from '../../core/simulation/pod-start.ts';
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

  caches(): Promise<readonly JsonObject[]> {
    return this.#list(IMAGE_CACHES);
  }

  async nodesAndPods(): Promise<{ nodes: readonly JsonObject[]; pods: readonly JsonObject[] }> {
    const [nodes, pods] = await Promise.all([this.#list('/api/v1/nodes'), this.#list('/api/v1/pods')]);
    return { nodes, pods };
  }

  async #list(path: string): Promise<readonly JsonObject[]> {
    const list = await this.#call({ path });
    return isObject(list) ? objectsIn(list['items']) : [];
  }

  async annotatePod(pod: JsonObject, annotations: Readonly<Record<string, string>>): Promise<void> {
    const { namespace, name } = objectReference(pod, 'v1', 'Pod');
    await this.#call({
      path: `/api/v1/namespaces/${namespace}/pods/${name}`,
      method: 'PATCH',
      contentType: 'merge-patch+json',
      body: { metadata: { annotations } },
    });
  }

  async recordEvent(pod: JsonObject, { type, reason, message }: PodEvent): Promise<void> {
    const about = objectReference(pod, 'v1', 'Pod');
    const at = formatTime(Date.now());
    const event = { type, reason, message, source: { component: 'virtual-kubelet' } };
    await this.#call({
      path: `/api/v1/namespaces/${about.namespace}/events`,
      method: 'POST',
      body: {
        apiVersion: 'v1',
        kind: 'Event',
        metadata: { generateName: `${about.name}.`, namespace: about.namespace },
        involvedObject: { ...about },
        ...event,
        firstTimestamp: at,
        lastTimestamp: at,
        count: 1,
      },
    });
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
