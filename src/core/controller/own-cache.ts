/** The ImageCaches that the controller made, as the plan sees them, and the object that creates such an ImageCache. */
import {
  ATTEMPT,
  CACHE_ARCHITECTURE,
  CACHE_OPERATING_SYSTEM,
  FIRST_ATTEMPT,
  FLASH,
  IMAGE_SET,
  MADE_BY,
  NAMESPACE_UID,
  NAMESPACES,
  REUSE,
} from '../annotations.ts';
import { DEFAULT_PLATFORM, isSamePlatform } from '../decision/placement.ts';
import { IMAGE_CACHE_API_VERSION } from '../image-cache.ts';
import { partOf, type JsonObject } from '../kubernetes/json.ts';
import { cacheName, nameOfAttempt, type DesiredCache } from './desired-cache.ts';

export interface OwnCache {
  readonly name: string;
  /** Distinguishes the object from an earlier or later object with the same name. */
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
  /** When a pod last got the cache; the creation time if no pod has got the cache yet. */
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

/** The ImageCache object for a desired cache. It has no ownerReference, because the cache outlives its pods. */
export function cacheObject(
  desired: DesiredCache,
  { reuse, flash, retentionDays }: CacheOptions,
  attempt: number,
  firstAttemptAtMs: number,
): JsonObject {
  const { images, imageSet, sizeGib, pullSecrets, registry, architecture, operatingSystem, owner } = desired;
  return {
    apiVersion: IMAGE_CACHE_API_VERSION,
    kind: 'ImageCache',
    metadata: {
      name: nameOfAttempt(cacheName(desired), attempt),
      labels: { [MADE_BY.label]: MADE_BY.controller, [IMAGE_SET]: imageSet },
      annotations: {
        ...Object.fromEntries(registry),
        ...(!isSamePlatform(DEFAULT_PLATFORM, desired) && {
          [CACHE_ARCHITECTURE]: architecture,
          [CACHE_OPERATING_SYSTEM]: operatingSystem,
        }),
        ...(owner && { [NAMESPACES]: owner.namespace }),
        ...(owner?.uid !== undefined && { [NAMESPACE_UID]: owner.uid }),
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
