/** Reads an ImageCache that the controller made into the fields that the plan needs. */
import { ATTEMPT, FIRST_ATTEMPT, LAST_USED } from '../../core/annotations.ts';
import { isBeingDeleted } from '../../core/kubernetes/object.ts';
import { readStringMap, readText } from '../../core/kubernetes/json.ts';
import type { OwnCache } from '../../core/controller/own-cache.ts';
import { parseTime } from '../../core/kubernetes/time.ts';
import { readExpiry } from './image-cache.ts';
import { readPart, readTime, type Manifest } from './manifest.ts';

export function readOwnCache(manifest: Manifest): OwnCache {
  const { name, metadata, object } = manifest;
  const status = readPart(object, 'status');
  const annotations = readStringMap(metadata['annotations'], 'metadata.annotations');
  const createdAtMs = readTime(metadata['creationTimestamp'], 'metadata.creationTimestamp') ?? 0;
  // Anybody may have edited these annotations; a senseless value counts as absent.
  const attempt = Number(annotations.get(ATTEMPT));
  return {
    name,
    uid: readText(metadata['uid']) ?? '',
    id: readText(status['imageCacheId']),
    phase: readText(status['phase']) ?? '',
    createdAtMs,
    updatedAtMs: readTime(status['lastUpdatedTime'], 'status.lastUpdatedTime') ?? createdAtMs,
    expiresAtMs: readExpiry(manifest),
    deleting: isBeingDeleted(metadata),
    attempt: Number.isInteger(attempt) && attempt > 0 ? attempt : 1,
    firstAttemptAtMs: parseTime(annotations.get(FIRST_ATTEMPT)) ?? createdAtMs,
    lastUsedAtMs: Math.max(parseTime(annotations.get(LAST_USED)) ?? createdAtMs, createdAtMs),
  };
}
