/** An ImageCache that the controller made, as the plan sees it; and the object that creates one. */
import { ATTEMPT, FIRST_ATTEMPT, FLASH, IMAGE_SET, MADE_BY, REUSE } from '../annotations.ts';
import { IMAGE_CACHE_API_VERSION } from '../image-cache.ts';
import { partOf, type JsonObject } from '../kubernetes/json.ts';
import { cacheName, nameOfAttempt, type DesiredCache } from './desired-cache.ts';

export interface OwnCache {
  readonly name: string;
  /** Distinguishes it from an earlier or later object with the same name. */
  readonly uid: string;
  /** Undefined until ECI has assigned one. */
  readonly id: string | undefined;
  /** Empty until ECI has set one. */
  readonly phase: string;
  readonly createdAtMs: number;
  /** When ECI last reported a change; when the object was created if it reported none. */
  readonly updatedAtMs: number;
  readonly expiresAtMs: number | undefined;
  readonly deleting: boolean;
  /** 1 for the first attempt. */
  readonly attempt: number;
  readonly firstAttemptAtMs: number;
  /** When a pod was last given the cache; when it was created if no pod was. */
  readonly lastUsedAtMs: number;
}

/** Whether the controller made this ImageCache. */
export function isOwnCache(object: JsonObject): boolean {
  return partOf(partOf(object, 'metadata'), 'labels')[MADE_BY.label] === MADE_BY.controller;
}

export interface CacheOptions {
  readonly reuse: boolean;
  readonly flash: boolean;
  /** Days after which ECI deletes the cache; undefined: never. */
  readonly retentionDays: number | undefined;
}

/**
 * The object that creates a desired cache. It has no owner, because the cache outlives the pods that it is made for.
 */
export function cacheObject(
  desired: DesiredCache,
  { reuse, flash, retentionDays }: CacheOptions,
  attempt: number,
  firstAttemptAtMs: number,
): JsonObject {
  const { images, imageSet, sizeGib, pullSecrets, registry } = desired;
  return {
    apiVersion: IMAGE_CACHE_API_VERSION,
    kind: 'ImageCache',
    metadata: {
      name: nameOfAttempt(cacheName(desired), attempt),
      labels: { [MADE_BY.label]: MADE_BY.controller, [IMAGE_SET]: imageSet },
      annotations: {
        ...Object.fromEntries(registry),
        ...(reuse && { [REUSE]: 'true' }),
        ...(flash && { [FLASH]: 'true' }),
        [ATTEMPT]: `${attempt}`,
        [FIRST_ATTEMPT]: new Date(firstAttemptAtMs).toISOString(),
      },
    },
    spec: {
      images: images.map(({ text }) => text),
      imageCacheSize: sizeGib,
      ...(pullSecrets.length > 0 && { imagePullSecrets: pullSecrets }),
      ...(retentionDays !== undefined && { retentionDays }),
    },
  };
}
