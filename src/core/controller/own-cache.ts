/** The ImageCaches that the controller made, as the plan sees them, and the object that creates such an ImageCache. */
import {
  ATTEMPT,
  CACHE_ARCHITECTURE,
  CACHE_OPERATING_SYSTEM,
  FIRST_ATTEMPT,
  FLASH,
  IMAGE_SET,
  IMAGE_SETS,
  MADE_BY,
  MADE_FOR,
  NAMESPACE_UID,
  NAMESPACES,
  REUSE,
  USERS,
} from '../annotations.ts';
import { DEFAULT_PLATFORM, isSamePlatform } from '../decision/placement.ts';
import { IMAGE_CACHE_API_VERSION } from '../image-cache.ts';
import { partOf, type JsonObject } from '../kubernetes/json.ts';
import { formatTime } from '../kubernetes/time.ts';
import type { HeldCopies } from './held-copies.ts';
import { cacheName, nameOfAttempt, type DesiredCache, type Unsized } from './desired-cache.ts';
import { describeSets, type CachedSet } from './image-sets.ts';

/** Why the controller deletes a cache. */
export const DELETION_REASONS = ['Expired', 'Idle', 'Quota', 'Superseded', 'Packed', 'CostsMore'] as const;
export type DeletionReason = (typeof DELETION_REASONS)[number];

/** Milliseconds that the making of a cache may take; until then it does not go, and the parts of a pack wait for it. */
export const MAKING_TAKES = 3_600_000;
/** More namespaces than this are neither recorded as users of a cache nor read. */
export const MOST_USERS = 20;

export interface OwnCache {
  readonly name: string;
  /** Distinguishes the object from an earlier or later object with the same name. */
  readonly uid: string;
  /** Distinguishes this state of the object from others. */
  readonly resourceVersion: string;
  /** Undefined until ECI has assigned one. */
  readonly id: string | undefined;
  /** Empty until ECI has set one; that of an update while the cache is held back for its copies. */
  readonly phase: string;
  /** Whether ECI says that it is Ready. */
  readonly isMade: boolean;
  /** The snapshot copies that it is held back for; undefined: it is not. */
  readonly copies: HeldCopies | undefined;
  readonly createdAtMs: number;
  /** When ECI last reported a change; when the object was created if it reported none. */
  readonly updatedAtMs: number;
  readonly expiresAtMs: number | undefined;
  readonly deleting: boolean;
  readonly sizeGib: number;
  /** 1 for the first attempt. */
  readonly attempt: number;
  readonly firstAttemptAtMs: number;
  /** Whether the attempt failed because the images did not fit. */
  readonly failedForSpace: boolean;
  /** When a pod last got the cache; the creation time if no pod has got the cache yet. */
  readonly lastUsedAtMs: number;
  /** How many pods got the cache, as far as that is recorded. */
  readonly hits: number;
  /** The namespace that the cache was made for; empty if it is not recorded. */
  readonly madeFor: string;
  /** The namespaces of the pods that had the cache when its use was last recorded. */
  readonly users: readonly string[];
  /** What it was made of: its images, its platform, and its credentials with their owner. */
  readonly contents: Unsized;
  /** The image sets that it was made for; several if it is a pack. */
  readonly sets: readonly CachedSet[];
  /** Whether somebody asks the controller to leave it alone. */
  readonly doNotEvict: boolean;
  /** Set once the cache is marked, so that no pod is given it any more. */
  readonly retiring: Retiring | undefined;
}

export interface Retiring {
  readonly reason: DeletionReason;
  readonly sinceMs: number;
}

/** The value of the mark (RETIRING). */
export function describeRetiring({ reason, sinceMs }: Retiring): string {
  return `${reason} ${formatTime(sinceMs)}`;
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

/** One attempt to make a desired cache. */
export interface Attempt {
  /** 1 for the first. */
  readonly attempt: number;
  readonly firstAttemptAtMs: number;
  readonly sizeGib: number;
  /** The namespace that the cache is made for. */
  readonly namespace: string;
  readonly sets: readonly CachedSet[];
  /** The namespaces whose pods use its parts, if it is a pack. */
  readonly users: readonly string[];
}

/** The ImageCache object for a desired cache. It has no ownerReference, because the cache outlives its pods. */
export function cacheObject(
  desired: DesiredCache,
  { reuse, flash, retentionDays }: CacheOptions,
  { attempt, firstAttemptAtMs, sizeGib, namespace, sets, users }: Attempt,
): JsonObject {
  const { images, imageSet, pullSecrets, owner } = desired;
  return {
    apiVersion: IMAGE_CACHE_API_VERSION,
    kind: 'ImageCache',
    metadata: {
      name: nameOfAttempt(cacheName(desired), attempt),
      labels: { [MADE_BY.label]: MADE_BY.controller, [IMAGE_SET]: imageSet },
      annotations: {
        ...contentAnnotations(desired),
        ...(owner?.uid !== undefined && { [NAMESPACE_UID]: owner.uid }),
        ...(reuse && { [REUSE]: 'true' }),
        ...(flash && { [FLASH]: 'true' }),
        [MADE_FOR]: namespace,
        ...(users.length > 0 && { [USERS]: users.join(',') }),
        [IMAGE_SETS]: describeSets(
          sets,
          images.map(({ key }) => key),
        ),
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

/** The annotations of an ImageCache that follow from its contents: how to reach its registries, its platform, and whose it is. */
export function contentAnnotations(contents: Unsized): Readonly<Record<string, string>> {
  const { registry, architecture, operatingSystem, owner } = contents;
  return {
    ...Object.fromEntries(registry),
    ...(!isSamePlatform(DEFAULT_PLATFORM, contents) && {
      [CACHE_ARCHITECTURE]: architecture,
      [CACHE_OPERATING_SYSTEM]: operatingSystem,
    }),
    ...(owner && { [NAMESPACES]: owner.namespace }),
  };
}
