/** Creates a pod as a dry run: the API server and its webhooks process it, and nothing is stored. */
import { buffer } from 'node:stream/consumers';
import { isObject, type JsonObject } from '../../core/kubernetes/json.ts';
import type { ApiClient, ApiRequest } from './api-client.ts';

export interface PodDryRun {
  /** The pod as it would be stored. */
  readonly pod: JsonObject;
  readonly warnings: readonly string[];
}

export class KubernetesPodDryRuns {
  readonly #api: ApiClient;

  constructor(api: ApiClient) {
    this.#api = api;
  }

  /**
   * @param timeoutMs until the response is read
   * @throws ApiError if the pod is refused; Error if there is no answer in time, or the answer is no object
   */
  create(namespace: string, pod: JsonObject, timeoutMs: number): Promise<PodDryRun> {
    const request: ApiRequest = {
      path: `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods`,
      query: { dryRun: 'All' },
      method: 'POST',
      body: pod,
      timeout: timeoutMs,
      signal: NEVER,
    };
    return this.#api.read(request, async (answer) => {
      const stored: unknown = JSON.parse((await buffer(answer)).toString('utf8'));
      if (!isObject(stored)) throw new Error('the API server answered something else than a pod');
      return { pod: stored, warnings: (answer.headersDistinct['warning'] ?? []).map(readWarning) };
    });
  }
}

/** Nothing but the timeout ends a dry run. */
const NEVER = new AbortController().signal;

/** The text of `299 - "text"` (RFC 7234, section 5.5), the form of Kubernetes' warnings. */
function readWarning(header: string): string {
  const quoted = /^\d{3} \S+ "(.*)"$/.exec(header)?.[1];
  return quoted?.replaceAll(/\\(.)/g, '$1') ?? header;
}
