/** Lets all pods go that wait for their cache, once and for all: before the webhook and the controller are removed. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { JsonObject } from '../../core/kubernetes/json.ts';
import { ApiError, type ApiClient } from './api-client.ts';
import { changePod, GATED_PODS } from './gated-pods.ts';
import { listAll, type Store } from './list-all.ts';

/** Milliseconds for one page, and until the next look. */
const TIMEOUT = 30_000;
const LOOK_AGAIN_AFTER = 2000;
/** Looks without a waiting pod: a pod may have been decided before the webhook was switched off, and come later. */
const EMPTY_LOOKS = 3;

export interface LiftAllOptions {
  /** Name of the MutatingWebhookConfiguration that is deleted first, so that no other pod is made to wait; empty: none. */
  readonly webhookConfiguration: string;
  readonly patchOf: (pod: JsonObject) => JsonObject | undefined;
  /** @param key `namespace/name` of a pod that was let go */
  readonly onLifted: (key: string) => void;
}

/** @throws ApiError if the API server refuses; Error if there is no answer */
export async function liftAll(
  api: ApiClient,
  { webhookConfiguration, patchOf, onLifted }: LiftAllOptions,
  signal: AbortSignal,
): Promise<void> {
  if (webhookConfiguration !== '') {
    const path = `/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/${webhookConfiguration}`;
    await unlessGone(api.json({ path, method: 'DELETE', timeout: TIMEOUT, signal }));
  }
  for (let empty = 0; empty < EMPTY_LOOKS;) {
    // oxlint-disable-next-line no-await-in-loop -- one look after the other
    const waiting = await waitingPods(api, signal);
    for (const key of waiting) {
      // oxlint-disable-next-line no-await-in-loop -- to be gentle with the API server
      await unlessGone(changePod(api, key, patchOf, signal).then(() => onLifted(key)));
    }
    empty = waiting.length === 0 ? empty + 1 : 0;
    // oxlint-disable-next-line no-await-in-loop
    await sleep(LOOK_AGAIN_AFTER, undefined, { signal });
  }
}

async function waitingPods(api: ApiClient, signal: AbortSignal): Promise<string[]> {
  const keys = new Set<string>();
  const store: Store = {
    apply: (key) => keys.add(key),
    delete: (key) => keys.delete(key),
    keys: () => keys,
    size: () => keys.size,
  };
  await listAll(GATED_PODS, api, store, TIMEOUT, signal);
  return [...keys];
}

/** The object may be gone, or have changed; then the next look shows it. */
async function unlessGone(change: Promise<unknown>): Promise<void> {
  try {
    await change;
  } catch (error) {
    if (!(error instanceof ApiError && [404, 409].includes(error.status))) throw error;
  }
}
