/** What `imc check` asks the API server: single objects, short lists, and who may do what. */
import { isObject, partOf, type JsonObject } from '../../core/kubernetes/json.ts';
import { ApiError, type ApiClient } from './api-client.ts';
import { WEBHOOK_CONFIGURATIONS } from './ca-bundle-api.ts';
import { listPages } from './list-pages.ts';

/** What somebody may do or not, as an access review names it. */
export interface Access {
  readonly group: string;
  readonly resource: string;
  readonly verb: string;
  /** Undefined: in all namespaces, or for a resource without one. */
  readonly namespace?: string;
}

const REVIEWS = '/apis/authorization.k8s.io/v1';

export class ApiQuestions {
  readonly #api: ApiClient;
  readonly #signal: AbortSignal;

  constructor(api: ApiClient, signal: AbortSignal) {
    this.#api = api;
    this.#signal = signal;
  }

  /** @returns undefined if there is no such object @throws ApiError; Error if there is no answer */
  async get(path: string): Promise<JsonObject | undefined> {
    try {
      const object = await this.#api.json({ path, signal: this.#signal });
      return isObject(object) ? object : undefined;
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) return undefined;
      throw error;
    }
  }

  /** A MutatingWebhookConfiguration. @returns undefined if there is none @throws ApiError; Error if there is no answer */
  webhookConfiguration(name: string): Promise<JsonObject | undefined> {
    return this.get(`${WEBHOOK_CONFIGURATIONS}/${name}`);
  }

  /** @throws ApiError; Error if there is no answer */
  list(path: string, labelSelector?: string): Promise<readonly JsonObject[]> {
    return listPages(this.#api, path, { labelSelector }, this.#signal);
  }

  /** Whether we ourselves may. @throws ApiError */
  mayI(access: Access): Promise<boolean> {
    return this.#review('selfsubjectaccessreviews', { resourceAttributes: access });
  }

  /** Whether a service account may. @throws ApiError, also if we may not ask */
  may(namespace: string, account: string, access: Access): Promise<boolean> {
    const groups = ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated'];
    const user = `system:serviceaccount:${namespace}:${account}`;
    return this.#review('subjectaccessreviews', { resourceAttributes: access, user, groups });
  }

  async #review(kind: string, spec: JsonObject): Promise<boolean> {
    const review = await this.#api.json({
      path: `${REVIEWS}/${kind}`,
      method: 'POST',
      body: { apiVersion: 'authorization.k8s.io/v1', kind: kindOfReview(kind), spec },
      signal: this.#signal,
    });
    return isObject(review) && partOf(review, 'status')['allowed'] === true;
  }
}

function kindOfReview(plural: string): string {
  return plural === 'subjectaccessreviews' ? 'SubjectAccessReview' : 'SelfSubjectAccessReview';
}

/** Whether an error says that we lack a right. */
export function isForbidden(error: unknown): boolean {
  return error instanceof ApiError && error.status === 403;
}
