/**
 * The filters of automatic matching, in order. Each accepts a candidate or refuses it, and can say why; the first
 * refusal counts. To add a rule, add an entry.
 */
import { describePhase, READY } from '../../image-cache.ts';
import { formatBytes } from '../../kubernetes/quantity.ts';
import { formatTime } from '../../kubernetes/time.ts';
import type { Candidate } from '../view.ts';
import type { FilterCode } from '../reasons.ts';
import type { Degree } from './degree.ts';

/** How many of the pod's images a cache must hold. `perfect` wins over `count`. */
export type Requirement =
  | { readonly kind: 'perfect' }
  | { readonly kind: 'count'; readonly count: number }
  | { readonly kind: 'minimum' };

/**
 * What a cache must hold if the pod asks for no more: `image`, one of its images; `repository`, or another version of
 * one.
 */
export type MinimumMatch = 'image' | 'repository';

export interface FilterContext {
  readonly requirement: Requirement;
  readonly minimumMatch: MinimumMatch;
  /** How many distinct images the pod has. */
  readonly imageCount: number;
  /** The pod's storage: 30 GiB and what its annotation adds. */
  readonly storageBytes: number;
  readonly region: string | undefined;
  readonly nowMs: number;
  readonly expiryMarginMs: number;
}

interface Filter {
  readonly code: FilterCode;
  readonly refuses: (candidate: Candidate, context: FilterContext) => boolean;
  /** Why it refuses a candidate, as a clause about the cache. Called only for candidates that it refuses. */
  readonly describe: (candidate: Candidate, context: FilterContext) => string;
}

export const FILTERS: readonly Filter[] = [
  {
    code: 'NotReady',
    refuses: ({ cache }) => cache.phase !== READY || cache.id === undefined,
    describe: ({ cache }) =>
      cache.phase === READY ? 'is Ready but has no imageCacheId' : `is ${describePhase(cache)}, not Ready`,
  },
  {
    code: 'Expiring',
    refuses: ({ cache: { expiresAtMs } }, { nowMs, expiryMarginMs }) =>
      expiresAtMs !== undefined && expiresAtMs <= nowMs + expiryMarginMs,
    describe: ({ cache: { expiresAtMs = 0 } }, { nowMs }) =>
      `${expiresAtMs <= nowMs ? 'expired' : 'expires'} at ${formatTime(expiresAtMs)}`,
  },
  {
    code: 'BeingDeleted',
    refuses: ({ cache }) => cache.deleting,
    describe: () => 'is being deleted',
  },
  {
    code: 'OtherRegion',
    refuses: ({ cache }, { region }) =>
      cache.region !== undefined && region !== undefined && cache.region !== region,
    describe: ({ cache }, { region }) => `is in ${cache.region}, the pod in ${region}`,
  },
  {
    code: 'TooLarge',
    refuses: ({ cache }, { storageBytes }) => cache.sizeBytes > storageBytes,
    describe: ({ cache }, { storageBytes }) =>
      `is ${formatBytes(cache.sizeBytes)}, more than the ${formatBytes(storageBytes)} of the pod's storage`,
  },
  {
    code: 'NotEnoughImages',
    refuses: ({ degree }, context) => !reachesRequirement(degree, context),
    describe: ({ degree }, { imageCount, requirement }) =>
      `holds ${degree.exact} of ${imageCount} images, ${describeRequirement(requirement)} wanted`,
  },
];

/** Whether a degree is enough. If a degree is not enough, no lower degree is, so that a matcher may stop there. */
export function reachesRequirement(degree: Degree, context: FilterContext): boolean {
  switch (context.requirement.kind) {
    case 'perfect':
      return degree.exact === context.imageCount;
    case 'count':
      return degree.exact >= context.requirement.count;
    case 'minimum':
      return reachesMinimum(degree, context.minimumMatch);
  }
}

/** Whether a cache with this degree holds anything of the pod's images at all. */
export function reachesMinimum(degree: Degree, minimumMatch: MinimumMatch): boolean {
  return degree.exact > 0 || (minimumMatch === 'repository' && degree.sameRepository > 0);
}

/** `all`, `at least 2`, `at least 1`: how many of the pod's images a cache must hold. */
export function describeRequirement(requirement: Requirement): string {
  switch (requirement.kind) {
    case 'perfect':
      return 'all';
    case 'count':
      return `at least ${requirement.count}`;
    case 'minimum':
      return 'at least 1';
  }
}

export interface Refusal {
  readonly code: FilterCode;
  /** A clause about the cache: `is Creating 40%, not Ready`. */
  readonly message: string;
}

/** The filters that a pinned cache must pass too: ECI fails a pod whose cache one of them refuses. */
export const PIN_FILTERS: readonly Filter[] = FILTERS.filter(
  ({ code }) => code === 'NotReady' || code === 'Expiring' || code === 'BeingDeleted',
);

/**
 * The first filter that refuses a candidate; undefined if all accept it. Makes no text, because thousands may be
 * refused.
 */
export function refusingFilter(
  candidate: Candidate,
  context: FilterContext,
  filters: readonly Filter[] = FILTERS,
): Filter | undefined {
  return filters.find(({ refuses }) => refuses(candidate, context));
}

/** The first refusal in the order of the filters, in words. */
export function refusalOf(
  candidate: Candidate,
  context: FilterContext,
  filters: readonly Filter[] = FILTERS,
): Refusal | undefined {
  const filter = refusingFilter(candidate, context, filters);
  return filter && { code: filter.code, message: filter.describe(candidate, context) };
}
