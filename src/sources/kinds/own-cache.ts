/** Reads an ImageCache that the controller made into the fields that the plan needs. */
import {
  ATTEMPT,
  CACHE_ARCHITECTURE,
  CACHE_OPERATING_SYSTEM,
  COPIES,
  DO_NOT_EVICT,
  FIRST_ATTEMPT,
  HITS,
  IMAGE_SET,
  IMAGE_SETS,
  LAST_USED,
  MADE_FOR,
  NAMESPACE_UID,
  NAMESPACES,
  REGISTRY_KEYS,
  RETIRING,
  USERS,
} from '../../core/annotations.ts';
import type { Unsized } from '../../core/controller/desired-cache.ts';
import { readSets } from '../../core/controller/image-sets.ts';
import { DEFAULT_PLATFORM } from '../../core/decision/placement.ts';
import { parseImageReference } from '../../core/image/reference.ts';
import { readCopies } from '../../core/controller/held-copies.ts';
import { FAILED, phaseOf, READY } from '../../core/image-cache.ts';
import { isBeingDeleted, resourceVersionOf } from '../../core/kubernetes/object.ts';
import {
  isObject,
  readStringMap,
  readText,
  textsIn,
  type JsonObject,
  type StringMap,
} from '../../core/kubernetes/json.ts';
import {
  DELETION_REASONS,
  MOST_USERS,
  type OwnCache,
  type Retiring,
} from '../../core/controller/own-cache.ts';
import { parseTime } from '../../core/kubernetes/time.ts';
import { readExpiry } from './image-cache.ts';
import { readLabels, readPart, readTime, type Manifest } from './manifest.ts';

/** @throws Unreadable */
export function readOwnCache(manifest: Manifest): OwnCache {
  const { name, metadata, object } = manifest;
  const status = readPart(object, 'status');
  const annotations = readStringMap(metadata['annotations'], 'metadata.annotations');
  const stated = readText(status['phase']) ?? '';
  const phase = phaseOf(stated, annotations.has(COPIES));
  const size = readPart(object, 'spec')['imageCacheSize'];
  const createdAtMs = readTime(metadata['creationTimestamp'], 'metadata.creationTimestamp') ?? 0;
  const contents = contentsOf(manifest, annotations);
  // Anybody may have edited these annotations; a senseless value counts as absent.
  return {
    name,
    uid: readText(metadata['uid']) ?? '',
    resourceVersion: resourceVersionOf(object),
    id: readText(status['imageCacheId']),
    phase,
    isMade: stated === READY,
    copies: readCopies(annotations.get(COPIES)),
    createdAtMs,
    updatedAtMs: readTime(status['lastUpdatedTime'], 'status.lastUpdatedTime') ?? createdAtMs,
    expiresAtMs: readExpiry(manifest),
    deleting: isBeingDeleted(metadata),
    sizeGib: typeof size === 'number' ? size : 0,
    attempt: countIn(annotations.get(ATTEMPT)) ?? 1,
    firstAttemptAtMs: parseTime(annotations.get(FIRST_ATTEMPT)) ?? createdAtMs,
    failedForSpace: phase === FAILED && saysNoSpace(status),
    lastUsedAtMs: Math.max(parseTime(annotations.get(LAST_USED)) ?? createdAtMs, createdAtMs),
    hits: countIn(annotations.get(HITS)) ?? 0,
    madeFor: annotations.get(MADE_FOR) ?? annotations.get(NAMESPACES) ?? '',
    users: annotations.get(USERS)?.split(',').slice(0, MOST_USERS) ?? [],
    contents,
    sets: readSets(
      annotations.get(IMAGE_SETS),
      contents.images.map(({ key }) => key),
      createdAtMs,
    ),
    // A failed cache is nothing to keep.
    doNotEvict: annotations.get(DO_NOT_EVICT) === 'true' && phase !== FAILED,
    retiring: retiringIn(annotations.get(RETIRING)),
  };
}

/** What the cache was made of; an image that is no reference, which ECI cannot pull, is left out. */
function contentsOf({ metadata, object }: Manifest, annotations: StringMap): Unsized {
  const { images, imagePullSecrets } = readPart(object, 'spec');
  const namespace = annotations.get(NAMESPACES);
  return {
    images: textsIn(images).flatMap((text) => {
      const key = parseImageReference(text)?.key;
      return key === undefined ? [] : { key, text };
    }),
    imageSet: readLabels(metadata).get(IMAGE_SET) ?? '',
    architecture: annotations.get(CACHE_ARCHITECTURE) ?? DEFAULT_PLATFORM.architecture,
    operatingSystem: annotations.get(CACHE_OPERATING_SYSTEM) ?? DEFAULT_PLATFORM.operatingSystem,
    pullSecrets: textsIn(imagePullSecrets),
    registry: new Map([...annotations].filter(([key]) => REGISTRY_KEYS.includes(key))),
    owner: namespace === undefined ? undefined : { namespace, uid: annotations.get(NAMESPACE_UID) },
  };
}

function countIn(text: string | undefined): number | undefined {
  const count = Number(text);
  return Number.isInteger(count) && count > 0 ? count : undefined;
}

/** Any mark counts, because the webhook gives nobody a cache with a mark; an unreadable one counts as very old. */
function retiringIn(text: string | undefined): Retiring | undefined {
  if (text === undefined) return undefined;
  const [name, since] = text.split(' ');
  return {
    reason: DELETION_REASONS.find((reason) => reason === name) ?? 'Idle',
    sinceMs: parseTime(since) ?? 0,
  };
}

/** What ECI, and the programs below it, say if a disk is full. Inferred: the vendor documents no such text. */
const NO_SPACE =
  /no space left|disk (?:is )?full|(?:insufficient|not enough)[\w ]{0,40} (?:space|storage|disk)/i;
/** Events of a status, and characters of a message, that are read. */
const MAX_EVENTS = 50;
const MAX_MESSAGE = 2048;

/** Whether the status says that the images did not fit. */
function saysNoSpace(status: JsonObject): boolean {
  const events: unknown = status['events'];
  const told: readonly unknown[] = Array.isArray(events) ? events.slice(-MAX_EVENTS) : [];
  const texts = [status, ...told].filter(isObject).flatMap(({ reason, message }) => [reason, message]);
  return texts.some((text) => typeof text === 'string' && NO_SPACE.test(text.slice(0, MAX_MESSAGE)));
}
