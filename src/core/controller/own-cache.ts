/** Owns an ImageCache that the controller made, as the plan sees it; and how one is written. */
import { ATTEMPT, FIRST_ATTEMPT, FLASH, IMAGE_SET, MADE_BY, REUSE } from '../annotations.ts';
import { partOf, type JsonObject } from '../kubernetes/json.ts';
import { nameOf, nameOfAttempt, type DesiredCache } from './desired-cache.ts';

/** Times are in milliseconds since 1970. */
export interface OwnCache {
  readonly name: string;
  /** Tells it from another of the same name that came before or after it. */
  readonly uid: string;
  /** Undefined until ECI has given one. */
  readonly id: string | undefined;
  /** Empty until ECI has set one. */
  readonly phase: string;
  readonly createdAtMs: number;
  /** When its phase last changed, as far as ECI says. */
  readonly updatedAtMs: number;
  readonly expiresAtMs: number | undefined;
  readonly deleting: boolean;
  /** From 1. */
  readonly attempt: number;
  readonly firstAttemptAtMs: number;
  /** When a pod was last given it; when it was made, where none was yet. */
  readonly lastUsedAtMs: number;
}

/** Whether an ImageCache is one that the controller made. */
export function isOwnCache(object: JsonObject): boolean {
  return partOf(partOf(object, 'metadata'), 'labels')[MADE_BY.label] === MADE_BY.controller;
}

export interface CacheOptions {
  readonly reuse: boolean;
  readonly flash: boolean;
  /** Undefined: it never expires. */
  readonly retentionDays: number | undefined;
}

/**
 * The ImageCache for a desired. It has no owner: it outlives the pods that it was made for.
 * @param firstAttemptAtMs milliseconds since 1970
 */
export function cacheObject(
  desired: DesiredCache,
  { reuse, flash, retentionDays }: CacheOptions,
  attempt: number,
  firstAttemptAtMs: number,
): JsonObject {
  const { images, imageSet, sizeGib, pullSecrets, registry } = desired;
  return {
    apiVersion: 'eci.alibabacloud.com/v1',
    kind: 'ImageCache',
    metadata: {
      name: nameOfAttempt(nameOf(desired), attempt),
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
