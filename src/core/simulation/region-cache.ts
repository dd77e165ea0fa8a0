/** A cache of the simulated region, read from an object in the form of an ImageCache. */
import { CACHE_ARCHITECTURE, CACHE_OPERATING_SYSTEM, CACHE_SIZE } from '../annotations.ts';
import { DEFAULT_CACHE_GIB } from '../image-cache.ts';
import { objectName } from '../kubernetes/object.ts';
import { objectsIn, partOf, readText, textsIn, type JsonObject } from '../kubernetes/json.ts';
import { parseTime } from '../kubernetes/time.ts';
import type { Matchable } from './matching.ts';

/** A cache of the region. `created` and the other times are milliseconds since 1970. */
export interface RegionCache extends Matchable {
  readonly id: string;
  readonly phase: string;
  readonly progress: string;
  readonly expires: number | undefined;
  readonly madeBy: 'object' | 'api' | 'eci';
  /** ECI removes it if there is no room. */
  readonly isLru: boolean;
  readonly lastMatched: number | undefined;
  readonly architecture: string;
  readonly system: string;
  /** Its Events, in the form of Kubernetes' Events. */
  readonly events: readonly JsonObject[];
}

/** The ID that ECI has given the cache; empty if it has given none yet. */
export function idOf(object: JsonObject): string {
  return readText(partOf(object, 'status')['imageCacheId']) ?? '';
}

type Stated = Omit<RegionCache, 'id' | 'madeBy' | 'isLru' | 'lastMatched'>;

/** Each page of a list reads all caches; an object that changes is another object. */
const known = new WeakMap<JsonObject, Stated>();

/** What stands in the object itself. */
export function readCache(object: JsonObject): Stated {
  const stated = known.get(object) ?? readAnew(object);
  known.set(object, stated);
  return stated;
}

function readAnew(object: JsonObject): Stated {
  const metadata = partOf(object, 'metadata');
  const spec = partOf(object, 'spec');
  const status = partOf(object, 'status');
  const annotations = partOf(metadata, 'annotations');
  const sizes = [spec['imageCacheSize'], annotations[CACHE_SIZE]].map(Number).filter((each) => each > 0);
  return {
    name: objectName(object),
    images: textsIn(spec['images']),
    sizeGiB: sizes.length === 0 ? DEFAULT_CACHE_GIB : Math.max(...sizes),
    phase: readText(status['phase']) ?? '',
    progress: readText(status['progress']) ?? '',
    created: parseTime(metadata['creationTimestamp']) ?? parseTime(status['startTime']) ?? 0,
    expires: parseTime(status['expireDateTime']),
    architecture: readText(annotations[CACHE_ARCHITECTURE])?.toLowerCase() ?? 'amd64',
    system: readText(annotations[CACHE_OPERATING_SYSTEM])?.toLowerCase() ?? 'linux',
    events: objectsIn(status['events']),
  };
}
