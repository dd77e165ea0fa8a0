/** Lets all pods go that wait for their cache, once and for all: before the webhook and the controller are removed. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { JsonObject } from '../../core/kubernetes/json.ts';
import { messageOf } from '../../core/kubernetes/problem.ts';
import { ApiError, type ApiClient } from './api-client.ts';
import { WEBHOOK_CONFIGURATIONS } from './ca-bundle-api.ts';
import { changePod, GATED_PODS, isGated } from './gated-pods.ts';
import { listAll, type Store } from './list-all.ts';

/** Milliseconds for one page. */
const TIMEOUT = 30_000;
/** Looks without a waiting pod: a pod may have been decided before the webhook was switched off, and come later. */
const EMPTY_LOOKS = 3;
/** About a minute: a pod may be refused each time. */
const LOOKS = { most: 20, every: 2000 };

export interface LiftAllOptions {
  /** Name of the MutatingWebhookConfiguration that is deleted first, so that no other pod is made to wait; empty: none. */
  readonly webhookConfiguration: string;
  readonly patchOf: (pod: JsonObject) => JsonObject | undefined;
  /** How many looks at most, and the milliseconds between two of them. */
  readonly looks?: { readonly most: number; readonly every: number };
  /** @param key `namespace/name` of a pod that was let go */
  readonly onLifted: (key: string) => void;
}

/** @throws Error that names the pods that could not be let go, or if the pods cannot be listed */
export async function liftAll(
  api: ApiClient,
  { webhookConfiguration, patchOf, onLifted, looks = LOOKS }: LiftAllOptions,
  signal: AbortSignal,
): Promise<void> {
  if (webhookConfiguration !== '') {
    const path = `${WEBHOOK_CONFIGURATIONS}/${webhookConfiguration}`;
    await problemOf(api.json({ path, method: 'DELETE', timeout: TIMEOUT, signal }));
  }
  const problems = new Map<string, string>();
  for (let look = 0, empty = 0; look < looks.most && empty < EMPTY_LOOKS; look++) {
    // oxlint-disable-next-line no-await-in-loop -- one look after the other
    const waiting = await waitingPods(api, signal);
    problems.clear();
    for (const key of waiting) {
      const lifting = changePod(api, key, patchOf, signal).then((isLifted) => isLifted && onLifted(key));
      // oxlint-disable-next-line no-await-in-loop -- to be gentle with the API server
      const problem = await problemOf(lifting);
      if (problem !== undefined) problems.set(key, problem);
    }
    empty = waiting.length === 0 ? empty + 1 : 0;
    // oxlint-disable-next-line no-await-in-loop
    await sleep(looks.every, undefined, { signal });
  }
  const [first] = problems;
  if (!first) return;
  const others = problems.size > 1 ? `, and ${problems.size - 1} others` : '';
  throw new Error(`Pod ${first[0]} waits still: ${first[1]}${others}`);
}

async function waitingPods(api: ApiClient, signal: AbortSignal): Promise<string[]> {
  const keys = new Set<string>();
  const store: Store = {
    apply: (key, pod) => {
      if (isGated(pod)) keys.add(key);
    },
    delete: (key) => keys.delete(key),
    keys: () => keys,
    size: () => keys.size,
  };
  await listAll(GATED_PODS, api, store, TIMEOUT, signal);
  return [...keys];
}

/** Undefined also if the object is gone, or has changed: then the next look shows it. */
async function problemOf(change: Promise<unknown>): Promise<string | undefined> {
  try {
    await change;
    return undefined;
  } catch (error) {
    return error instanceof ApiError && [404, 409].includes(error.status) ? undefined : messageOf(error);
  }
}
