/**
 * The calls of ECI's API that are needed here, on the vendor's SDK (version 2018-08-08, RPC style). The SDK is an optional
 * dependency, and is loaded only if the API is asked.
 */
import { isObject, objectsIn, partOf, readText, type JsonObject } from '../../core/kubernetes/json.ts';
import { loadCredentials } from './credentials.ts';
import { codeOf, RegionApiError } from './region-error.ts';
import { loadSdk } from './sdk.ts';

export interface RegionApiOptions {
  /** `cn-hangzhou` */
  readonly region: string;
  /** `HOST[:PORT]`, or `http://HOST:PORT` for a stand-in; empty: the region's own. */
  readonly endpoint: string;
}

/** What a pod asks of ECI's own matcher. */
export interface MatchQuestion {
  readonly images: readonly string[];
  readonly perfect: boolean;
  readonly count: number | undefined;
}

/** The region's quotas; undefined if the API does not say. */
export interface RegionUsage {
  readonly manual: Quota | undefined;
  readonly automatic: Quota | undefined;
}

export interface Quota {
  readonly used: number;
  readonly most: number;
}

const VERSION = '2018-08-08';
/** Caches a page, and pages of one list: 10,000 caches, twenty times the usual quota. */
const PAGE = { size: 50, most: 200 };
/** Milliseconds. */
const TIMEOUTS = { connectTimeout: 5000, readTimeout: 10_000 };

type Call = (action: string, query: Readonly<Record<string, string>>) => Promise<JsonObject>;

export class RegionApi {
  readonly #call: Call;
  readonly #region: string;

  constructor(call: Call, region: string) {
    this.#call = call;
    this.#region = region;
  }

  /**
   * All caches of the region, as the API describes them.
   * @throws RegionApiError; then nothing of the list is known
   */
  caches(): Promise<JsonObject[]> {
    return this.#list({});
  }

  /**
   * The caches that ECI's own matcher finds, the best first.
   * @throws RegionApiError
   */
  match({ images, perfect, count }: MatchQuestion): Promise<JsonObject[]> {
    const wanted = Object.fromEntries(images.map((image, i) => [`MatchImage.${i + 1}`, image]));
    return this.#list({
      ...wanted,
      ...(perfect && { ImageFullMatch: 'true' }),
      ...(!perfect && count !== undefined && { ImageMatchCountRequest: `${count}` }),
    });
  }

  async #list(filters: Readonly<Record<string, string>>): Promise<JsonObject[]> {
    const byId = new Map<string, JsonObject>();
    let token: string | undefined;
    for (let page = 0; page < PAGE.most; page++) {
      const query = { ...filters, Limit: `${PAGE.size}`, ...(token !== undefined && { NextToken: token }) };
      // oxlint-disable-next-line no-await-in-loop -- each page names the next
      const answer = await this.#ask('DescribeImageCaches', query);
      for (const cache of objectsIn(answer['ImageCaches'])) {
        const id = readText(cache['ImageCacheId']);
        if (id !== undefined) byId.set(id, cache);
      }
      if (byId.size > PAGE.size * PAGE.most) throw new RegionApiError('TooManyPages', 'DescribeImageCaches');
      const next = readText(answer['NextToken']);
      if (next === undefined) return [...byId.values()];
      if (next === token) throw new RegionApiError('RepeatedToken', 'DescribeImageCaches');
      token = next;
    }
    throw new RegionApiError('TooManyPages', 'DescribeImageCaches');
  }

  /**
   * Has ECI keep this many snapshots of a cache, and update it for that.
   * @throws RegionApiError
   */
  async copy(id: string, count: number): Promise<void> {
    await this.#ask('UpdateImageCache', { ImageCacheId: id, StandardCopyCount: `${count}` });
  }

  /** @throws RegionApiError */
  async usage(): Promise<RegionUsage> {
    const attributes = partOf(await this.#ask('ListUsage', {}), 'Attributes');
    return {
      manual: quotaOf(attributes['UsedImageCacheCount'], attributes['MaxImageCacheCount']),
      automatic: quotaOf(attributes['UsedAutoImageCacheCount'], attributes['MaxAutoImageCacheCount']),
    };
  }

  #ask(action: string, query: Readonly<Record<string, string>>): Promise<JsonObject> {
    return this.#call(action, { RegionId: this.#region, ...query });
  }
}

function quotaOf(used: unknown, most: unknown): Quota | undefined {
  return typeof used === 'number' && typeof most === 'number' ? { used, most } : undefined;
}

/** @throws Error if the SDK is not installed */
export function connectRegionApi({ region, endpoint }: RegionApiOptions): RegionApi {
  const sdk = loadSdk('@alicloud/openapi-client');
  const isPlain = endpoint.startsWith('http://');
  const client = new sdk.default(
    new sdk.Config({
      credential: loadCredentials(),
      regionId: region,
      endpoint: endpoint === '' ? `eci.${region}.aliyuncs.com` : endpoint.replace(/^https?:\/\//, ''),
      protocol: isPlain ? 'HTTP' : 'HTTPS',
      ...TIMEOUTS,
    }),
  );
  return new RegionApi(async (action, query) => {
    const params = new sdk.Params({
      action,
      version: VERSION,
      protocol: isPlain ? 'HTTP' : 'HTTPS',
      pathname: '/',
      method: 'POST',
      authType: 'AK',
      style: 'RPC',
      reqBodyType: 'formData',
      bodyType: 'json',
    });
    try {
      const answer: unknown = await client.callApi(params, new sdk.OpenApiRequest({ query }), NO_RETRIES);
      return isObject(answer) ? partOf(answer, 'body') : {};
    } catch (error) {
      throw new RegionApiError(codeOf(error), action);
    }
  }, region);
}

/** The callers wait and try again by themselves. */
// oxlint-disable-next-line typescript/no-unsafe-type-assertion, typescript/no-explicit-any -- RuntimeOptions of a package of the SDK
const NO_RETRIES = { autoretry: false, ...TIMEOUTS } as any;
