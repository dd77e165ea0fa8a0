/** An ImageCache that the controller made, in the form that the plan reads. */
import type { OwnCache } from '../../src/core/controller/own-cache.ts';

const CONTENTS: OwnCache['contents'] = {
  images: [],
  imageSet: '',
  architecture: 'amd64',
  operatingSystem: 'linux',
  pullSecrets: [],
  registry: new Map(),
  owner: undefined,
};

/** @param atMs when the cache was created, updated, first attempted and last used */
export function ownCache(name: string, atMs: number, change: Partial<OwnCache> = {}): OwnCache {
  return {
    name,
    uid: `uid-of-${name}`,
    resourceVersion: '1',
    id: `imc-${name}`,
    phase: 'Ready',
    isMade: true,
    copies: undefined,
    createdAtMs: atMs,
    updatedAtMs: atMs,
    expiresAtMs: undefined,
    deleting: false,
    sizeGib: 30,
    attempt: 1,
    firstAttemptAtMs: atMs,
    failedForSpace: false,
    lastUsedAtMs: atMs,
    hits: 0,
    madeFor: 'default',
    users: [],
    contents: CONTENTS,
    sets: [{ hash: name, keys: [name], lastUsedAtMs: atMs }],
    doNotEvict: false,
    retiring: undefined,
    ...change,
  };
}
