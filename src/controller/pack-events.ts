/** Events on the ImageCaches that the controller merges, takes apart, or makes anew. */
import { IMAGE_CACHE_API_VERSION } from '../core/image-cache.ts';
import type { OwnCache } from '../core/controller/own-cache.ts';
import type { Merge } from '../core/controller/packing.ts';
import type { Refresh } from '../core/controller/refresh.ts';
import type { RecordEvent } from './cluster.ts';

/** Tells each part of a new pack; a pack has at most 20 parts, and two are in the making. */
export function tellParts({ name, parts, sets }: Merge, recordEvent: RecordEvent): void {
  const [first] = parts;
  const others = parts.length - 1;
  const message =
    first && others === 0
      ? `${first.sets.length - sets.length} of its ${first.sets.length} image sets were not used for 7 days: ImageCache ${name} is being made for the others, and takes its place once it is Ready`
      : `the quota is nearly used up: ImageCache ${name} is being made for the image sets of this one and ${others} others, and takes their places once it is Ready`;
  const reason = others === 0 ? 'ImageCacheSplit' : 'ImageCacheMerged';
  for (const part of parts) recordEvent(referenceTo(part), 'Normal', reason, message);
}

/** Tells a cache that it is made anew. */
export function tellMoved(name: string, { cache, images }: Refresh, recordEvent: RecordEvent): void {
  const message = `the tag of ${images.join(', ')} has moved: ImageCache ${name} is being made, and takes the place of this one once it is Ready`;
  recordEvent(referenceTo(cache), 'Normal', 'ImageCacheRefreshed', message);
}

function referenceTo({ name, uid }: OwnCache): Parameters<RecordEvent>[0] {
  return { apiVersion: IMAGE_CACHE_API_VERSION, kind: 'ImageCache', namespace: '', name, uid };
}
