/** An ImageCache of the controller's own, as the plan reads it. */
import type { OwnCache } from '../../src/core/controller/own-cache.ts';

/** @param atMs when it was created, updated, tried first and used last */
export function ownCache(name: string, atMs: number, change: Partial<OwnCache> = {}): OwnCache {
  return {
    name,
    uid: `uid-of-${name}`,
    id: `imc-${name}`,
    phase: 'Ready',
    createdAtMs: atMs,
    updatedAtMs: atMs,
    expiresAtMs: undefined,
    deleting: false,
    attempt: 1,
    firstAttemptAtMs: atMs,
    lastUsedAtMs: atMs,
    ...change,
  };
}
