/**
 * ECI's API, version 2018-08-08, as far as image caches are concerned: one call as data, answered from a simulated region.
 * The forms are those of the vendor's API reference (DescribeImageCaches, CreateImageCache, UpdateImageCache,
 * DeleteImageCache, ListUsage).
 */
import { FLASH, RETENTION_DAYS, REUSE } from '../annotations.ts';
import { MAX_CACHE_IMAGES } from '../image-cache.ts';
import type { JsonObject } from '../kubernetes/json.ts';
import { formatTime } from '../kubernetes/time.ts';
import { AUTOMATIC } from './automatic-caches.ts';
import type { Region } from './region.ts';
import type { RegionCache } from './region-cache.ts';

export type Parameters = ReadonlyMap<string, string>;

/** Thrown for a call that cannot be answered; the client gets the code and the message. */
export class RpcError extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** Caches a page, if the call does not say; and at most. The vendor does not name the limit: inferred. */
const PAGE = { default: 20, most: 100 };
const MAX_MATCH_IMAGES = 100;

type Call = (parameters: Parameters, region: Region, now: number) => JsonObject;

const CALLS: ReadonlyMap<string, Call> = new Map<string, Call>([
  ['DescribeImageCaches', describeImageCaches],
  ['CreateImageCache', createImageCache],
  ['UpdateImageCache', updateImageCache],
  ['DeleteImageCache', deleteImageCache],
  ['ListUsage', listUsage],
]);

/**
 * Answers a call whose caller is known.
 * @param now milliseconds since 1970
 * @throws RpcError
 */
export function answerCall(parameters: Parameters, region: Region, now: number): JsonObject {
  const action = required(parameters, 'Action');
  const call = CALLS.get(action);
  if (!call || parameters.get('Version') !== '2018-08-08')
    throw new RpcError(
      404,
      'InvalidAction.NotFound',
      `no action ${action} of version ${parameters.get('Version')}`,
    );
  required(parameters, 'RegionId');
  region.advance(now);
  return call(parameters, region, now);
}

function describeImageCaches(parameters: Parameters, region: Region): JsonObject {
  const wanted = listOf(parameters, 'MatchImage');
  if (wanted.length > MAX_MATCH_IMAGES) throw invalid('MatchImage', `at most ${MAX_MATCH_IMAGES} images`);
  const count = numberIn(parameters, 'ImageMatchCountRequest');
  const perfect = parameters.get('ImageFullMatch') === 'true';
  const caches =
    wanted.length === 0
      ? region.caches()
      : region.match({ images: wanted, perfect, count: count ?? null, minimumMatch: 'image' });
  const [id, name, image] = ['ImageCacheId', 'ImageCacheName', 'Image'].map((key) => parameters.get(key));
  const selected = caches.filter(
    (cache) =>
      (id ?? cache.id) === cache.id &&
      (name ?? cache.name) === cache.name &&
      (image === undefined || cache.images.includes(image)),
  );
  const limit = Math.min(numberIn(parameters, 'Limit') ?? PAGE.default, PAGE.most);
  const from = positionOf(parameters.get('NextToken'), selected);
  const page = selected.slice(from, from + limit);
  const last = page.at(-1);
  return {
    TotalCount: selected.length,
    ImageCaches: page.map(describe),
    ...(last && from + limit < selected.length && { NextToken: `after-${last.id}` }),
  };
}

/** Where a page begins. A cache that has gone since the page before begins anew, so that none is left out. */
function positionOf(token: string | undefined, caches: readonly RegionCache[]): number {
  if (token === undefined || token === '') return 0;
  if (!token.startsWith('after-')) throw invalid('NextToken', 'the token of the page before');
  return caches.findIndex(({ id }) => `after-${id}` === token) + 1;
}

function describe(cache: RegionCache): JsonObject {
  const { id, name, images, sizeGiB, phase, progress, created, expires, lastMatched, isLru } = cache;
  return {
    ImageCacheId: id,
    ImageCacheName: name,
    Images: images,
    ImageCacheSize: sizeGiB,
    Status: phase,
    Progress: progress,
    CreationTime: formatTime(created),
    ...(expires !== undefined && { ExpireDateTime: formatTime(expires) }),
    ...(lastMatched !== undefined && { LastMatchedTime: formatTime(lastMatched) }),
    ...(isLru && { EliminationStrategy: 'LRU' }),
    ...(name.startsWith(AUTOMATIC.namePrefix) && {
      ContainerGroupId: name.slice(AUTOMATIC.namePrefix.length),
    }),
    SnapshotId: `s-${id.replace('imc-', '')}`,
    Events: cache.events.map(({ reason, message, type, firstTimestamp, lastTimestamp, count }) => ({
      Name: reason,
      Message: message,
      Type: type,
      FirstTimestamp: firstTimestamp,
      LastTimestamp: lastTimestamp,
      Count: count,
    })),
  };
}

function createImageCache(parameters: Parameters, region: Region, now: number): JsonObject {
  const images = imagesOf(parameters);
  const [flash, reuse, days, size] = ['Flash', 'AutoMatchImageCache', 'RetentionDays', 'ImageCacheSize'].map(
    (key) => parameters.get(key),
  );
  const object = {
    metadata: {
      name: required(parameters, 'ImageCacheName'),
      annotations: {
        ...(flash === 'true' && { [FLASH]: flash }),
        ...(reuse === 'true' && { [REUSE]: reuse }),
        ...(days !== undefined && { [RETENTION_DAYS]: days }),
      },
    },
    spec: { images, ...(size !== undefined && { imageCacheSize: Number(size) }) },
  };
  const id = region.create(object, parameters.get('EliminationStrategy') === 'LRU', now);
  if (id === undefined)
    throw new RpcError(403, 'QuotaExceeded.ImageCache', 'the quota of manual image caches is used up');
  return { ImageCacheId: id };
}

function updateImageCache(parameters: Parameters, region: Region, now: number): JsonObject {
  const id = required(parameters, 'ImageCacheId');
  const images = parameters.has('Image.1') ? { images: imagesOf(parameters) } : {};
  switch (region.update(id, images, numberIn(parameters, 'StandardCopyCount'), now)) {
    case 'unknown':
      throw notFound(id);
    case 'not done yet':
      throw new RpcError(
        400,
        'IncorrectStatus',
        `image cache ${id} must be Ready or UpdateFailed to be updated`,
      );
    case 'done':
      return {};
  }
}

function deleteImageCache(parameters: Parameters, region: Region): JsonObject {
  const id = required(parameters, 'ImageCacheId');
  if (!region.delete(id)) throw notFound(id);
  return {};
}

function listUsage(_parameters: Parameters, region: Region): JsonObject {
  const { used, most } = region.usage();
  return {
    Attributes: {
      UsedImageCacheCount: used.manual,
      MaxImageCacheCount: most.manual,
      UsedAutoImageCacheCount: used.automatic,
      MaxAutoImageCacheCount: most.automatic,
    },
  };
}

function imagesOf(parameters: Parameters): string[] {
  const images = listOf(parameters, 'Image');
  if (images.length === 0 || images.length > MAX_CACHE_IMAGES)
    throw invalid('Image', `1 to ${MAX_CACHE_IMAGES} images`);
  return images;
}

/** `Image.1`, `Image.2` and so on. */
function listOf(parameters: Parameters, name: string): string[] {
  const list: string[] = [];
  for (;;) {
    const value = parameters.get(`${name}.${list.length + 1}`);
    if (value === undefined) return list;
    list.push(value);
  }
}

function numberIn(parameters: Parameters, name: string): number | undefined {
  const text = parameters.get(name);
  if (text === undefined) return undefined;
  if (!/^[1-9]\d{0,5}$/.test(text)) throw invalid(name, 'a positive whole number');
  return Number(text);
}

function required(parameters: Parameters, name: string): string {
  const value = parameters.get(name);
  if (value === undefined || value === '')
    throw new RpcError(400, 'MissingParameter', `the parameter ${name} is missing`);
  return value;
}

function invalid(name: string, allowed: string): RpcError {
  return new RpcError(400, `InvalidParameter.${name}`, `${name} must be ${allowed}`);
}

function notFound(id: string): RpcError {
  return new RpcError(404, 'InvalidParameter.ImageCacheId.NotFound', `image cache ${id} does not exist`);
}
