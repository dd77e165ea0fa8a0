/** Reads workloads and their pods from a cluster, for a command that looks and ends. */
import { isObject, type JsonObject } from '../../core/kubernetes/json.ts';
import { collectionPath, type WorkloadKind } from '../../core/workload/kinds.ts';
import { ApiError, type ApiClient } from './api-client.ts';
import { listPages } from './list-pages.ts';

export class ClusterWorkloads {
  readonly #api: ApiClient;
  readonly #signal = new AbortController().signal;
  /** The namespace of the kubeconfig's context; undefined if it states none. */
  readonly namespace: string | undefined;

  constructor(api: ApiClient, namespace: string | undefined) {
    this.#api = api;
    this.namespace = namespace;
  }

  /** @returns undefined if there is no such object @throws ApiError; Error if the cluster lacks the kind */
  async get(kind: WorkloadKind, namespace: string, name: string): Promise<JsonObject | undefined> {
    const path = `${collectionPath(kind, namespace)}/${encodeURIComponent(name)}`;
    try {
      const object = await this.#api.json({ path, signal: this.#signal });
      return isObject(object) ? object : undefined;
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 404) throw error;
      // A Status names the object that was not found; the answer for a path that does not exist is no Status.
      if (error.message.includes(name)) return undefined;
      throw new Error(`the cluster does not have the kind ${kind.kind} (${kind.apiVersion})`, {
        cause: error,
      });
    }
  }

  /** @param labels that each object has; @returns none if the cluster lacks the kind @throws ApiError */
  async list(
    kind: WorkloadKind,
    namespace: string | undefined,
    labels: readonly (readonly [string, string])[],
  ): Promise<readonly JsonObject[]> {
    const labelSelector = labels.length === 0 ? undefined : labels.map((each) => each.join('=')).join(',');
    try {
      const items = await listPages(
        this.#api,
        collectionPath(kind, namespace),
        { labelSelector },
        this.#signal,
      );
      // An item of a list does not state its kind.
      return items.map((item) => ({ ...item, apiVersion: kind.apiVersion, kind: kind.kind }));
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) return [];
      throw error;
    }
  }
}
