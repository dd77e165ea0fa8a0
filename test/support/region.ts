/** A stand-in for ECI's API over real HTTP, and the vendor's SDK as its client. */
import { afterAll, vi } from 'vitest';
import { Region, type Quotas } from '../../src/core/simulation/region.ts';
import type { RpcError } from '../../src/core/simulation/rpc.ts';
import { startStandIn, type StandIn, type StandInOptions } from '../../src/runtime/stand-in-api.ts';
import { connectRegionApi, type RegionApi } from '../../src/sources/region/region-api.ts';

export const KEY = { id: 'stand-in', secret: 'a-secret-of-the-stand-in' };
export const REGION = 'cn-beijing';
/** How long a cache takes to be made, in milliseconds. */
export const CREATION_TIME = 60_000;

export interface PlayedRegion {
  readonly region: Region;
  readonly standIn: StandIn;
  /** The actions that were called, in order. */
  readonly calls: string[];
  /** Errors for the next calls, the first one first. */
  readonly faults: RpcError[];
  /** The time of the stand-in; the client's is the system's. */
  readonly clock: { now: number };
  readonly connect: () => RegionApi;
  readonly settings: (api?: boolean) => Record<string, string>;
}

/** Starts a stand-in, and stops it after the tests of the file. */
export async function playRegion(
  change: { quotas?: Quotas } & Partial<Pick<StandInOptions, 'callsPerMinute'>> = {},
): Promise<PlayedRegion> {
  const region = new Region({ creationTime: CREATION_TIME, failing: ['broken'] }, change.quotas);
  const calls: string[] = [];
  const faults: RpcError[] = [];
  const clock = { now: Date.now() };
  const standIn = await startStandIn(region, {
    port: 0,
    accessKey: KEY,
    callsPerMinute: change.callsPerMinute ?? 1_000_000,
    now: () => clock.now,
    onCall: (action) => {
      calls.push(action);
      const fault = faults.shift();
      if (fault) throw fault;
    },
  });
  afterAll(standIn.stop);
  const endpoint = `http://${standIn.endpoint}`;
  return {
    region,
    standIn,
    calls,
    faults,
    clock,
    connect: () => connectRegionApi({ region: REGION, endpoint }),
    settings: () => ({ 'region.name': REGION, 'region.api': 'true', 'region.endpoint': endpoint }),
  };
}

/** Gives the SDK an access key by its environment variables. */
export function useKey(id = KEY.id, secret = KEY.secret): void {
  vi.stubEnv('ALIBABA_CLOUD_ACCESS_KEY_ID', id);
  vi.stubEnv('ALIBABA_CLOUD_ACCESS_KEY_SECRET', secret);
  vi.stubEnv('HOME', '/nonexistent');
}

/** Makes a manual cache of the region, Ready at the next call. @returns its ID */
export function makeCache(
  { region, clock }: PlayedRegion,
  name: string,
  images: readonly string[],
  change: { sizeGiB?: number; isLru?: boolean } = {},
): string {
  const spec = { images, imageCacheSize: change.sizeGiB ?? 20 };
  const made = clock.now - CREATION_TIME;
  const id = region.create({ metadata: { name }, spec }, change.isLru === true, made);
  if (id === undefined) throw new Error('the quota is used up');
  return id;
}
