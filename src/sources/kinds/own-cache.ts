/** Owns the projection of an ImageCache that the controller made to what its plan needs. */
import { ATTEMPT, FIRST_ATTEMPT, LAST_USED } from '../../core/annotation/keys.ts';
import { isBeingDeleted } from '../../core/being-deleted.ts';
import { readStringMap, readText } from '../../core/json.ts';
import type { OwnCache } from '../../core/provision/own-cache.ts';
import { parseTime } from '../../core/time.ts';
import { readPart, readTime, type Manifest } from './manifest.ts';

export function readOwnCache({ name, metadata, object }: Manifest): OwnCache {
  const status = readPart(object, 'status');
  const annotations = readStringMap(metadata['annotations'], 'metadata.annotations');
  const createdAt = readTime(metadata['creationTimestamp'], 'metadata.creationTimestamp') ?? 0;
  // Anybody may have edited what is read here; what makes no sense is as good as absent.
  const attempt = Number(annotations.get(ATTEMPT));
  return {
    name,
    uid: readText(metadata['uid']) ?? '',
    id: readText(status['imageCacheId']),
    phase: readText(status['phase']) ?? '',
    createdAt,
    updatedAt: readTime(status['lastUpdatedTime'], 'status.lastUpdatedTime') ?? createdAt,
    expiresAt: readTime(status['expireDateTime'], 'status.expireDateTime'),
    deleting: isBeingDeleted(metadata),
    attempt: Number.isInteger(attempt) && attempt > 0 ? attempt : 1,
    firstAttemptAt: parseTime(annotations.get(FIRST_ATTEMPT)) ?? createdAt,
    lastUsedAt: Math.max(parseTime(annotations.get(LAST_USED)) ?? createdAt, createdAt),
  };
}
