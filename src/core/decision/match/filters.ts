/**
 * The filters of automatic matching, in order. Each filter accepts or refuses a candidate, and can say why; if several
 * filters refuse a candidate, the first one counts.
 */
import { describePhase, isReady, READY, TOO_MANY_REGISTRIES } from '../../image-cache.ts';
import { formatBytes } from '../../kubernetes/quantity.ts';
import { formatTime } from '../../kubernetes/time.ts';
import type { Candidate } from '../view.ts';
import type { FilterCode } from '../reasons.ts';
import type { Placement } from '../placement.ts';
import { quote } from '../../kubernetes/problem.ts';
import { isHidden, whyOnlyKnown, type Tenant } from '../sharing.ts';
import type { Degree } from './degree.ts';

/** How many of the pod's images a cache must hold: all, at least a number, or no more than MinimumMatch asks. */
export type Requirement =
  | { readonly kind: 'perfect' }
  | { readonly kind: 'count'; readonly count: number }
  | { readonly kind: 'minimum' };

/**
 * The least that a cache must hold: `image` means one of the pod's images; `repository` means one of the pod's images
 * or another version of one.
 */
export type MinimumMatch = 'image' | 'repository';

export interface FilterContext {
  readonly requirement: Requirement;
  readonly minimumMatch: MinimumMatch;
  /** How many distinct images the pod has. */
  readonly imageCount: number;
  /** The storage of the pod's ECI instance (see Request). */
  readonly storageBytes: number;
  readonly placement: Placement;
  readonly tenant: Tenant;
  /** The pod's annotations for insecure and plain-HTTP registries; see insecureRegistriesOf. */
  readonly insecureRegistries: string;
  readonly nowMs: number;
  readonly expiryMarginMs: number;
}

interface Filter {
  readonly code: FilterCode;
  readonly refuses: (candidate: Candidate, context: FilterContext) => boolean;
  /** Why the filter refuses a candidate, as a clause about the cache; called only if the filter refuses it. */
  readonly describe: (candidate: Candidate, context: FilterContext) => string;
}

export const FILTERS: readonly Filter[] = [
  {
    // A matcher leaves these caches out before anything is counted; only `imc explain` shows the refusal.
    code: 'NotShared',
    refuses: ({ cache }, { tenant }) => isHidden(cache, tenant),
    describe: ({ cache }) =>
      `belongs to the namespaces ${quote(cache.namespaces ?? cache.secretNamespaces)}, and is shown to nobody else`,
  },
  {
    // Left out before anything is counted too, because what the API alone knows is nobody's to see in a cluster.
    code: 'OnlyInRegion',
    refuses: ({ cache, degree }, { imageCount, tenant }) =>
      whyOnlyKnown(cache, degree.exact === imageCount, tenant) !== undefined,
    describe: ({ cache, degree }, { imageCount, tenant }) =>
      `is known from ECI's API alone, and ${whyOnlyKnown(cache, degree.exact === imageCount, tenant)}`,
  },
  {
    code: 'OtherRegistry',
    refuses: ({ cache }, { insecureRegistries }) =>
      cache.insecureRegistries !== '' &&
      (cache.insecureRegistries !== insecureRegistries || insecureRegistries === TOO_MANY_REGISTRIES),
    describe: () => 'is made from an insecure registry, which the pod does not name in the same annotation',
  },
  {
    code: 'NotReady',
    refuses: ({ cache }) => !isReady(cache),
    describe: ({ cache }) => {
      if (cache.phase !== READY) return `is ${describePhase(cache)}, not Ready`;
      return cache.id === undefined ? 'is Ready but has no imageCacheId' : 'is not Ready in the region';
    },
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
    code: 'Retiring',
    refuses: ({ cache }) => cache.retiring,
    describe: () => 'is about to be deleted by the controller',
  },
  {
    code: 'OtherRegion',
    refuses: ({ cache }, { placement }) =>
      cache.region !== undefined && placement.region !== undefined && cache.region !== placement.region,
    describe: ({ cache }, { placement }) => `is in ${cache.region}, the pod in ${placement.region}`,
  },
  {
    code: 'OtherArchitecture',
    refuses: ({ cache }, { placement }) =>
      placement.architecture !== undefined && cache.architecture !== placement.architecture,
    describe: ({ cache }, { placement }) =>
      `is for ${cache.architecture}, the pod runs on ${placement.architecture}`,
  },
  {
    code: 'OtherOperatingSystem',
    refuses: ({ cache }, { placement }) =>
      placement.operatingSystem !== undefined && cache.operatingSystem !== placement.operatingSystem,
    describe: ({ cache }, { placement }) =>
      `is for ${cache.operatingSystem}, the pod runs on ${placement.operatingSystem}`,
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

/** Whether a degree is enough. If a degree is not enough, no lower degree is enough, so the matcher can stop. */
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

/** Whether a cache with this degree holds at least what MinimumMatch asks. */
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

/** The filters that count for a pinned cache too: if one of them refuses the cache, ECI would fail the pod. */
export const PIN_FILTERS = filtersNamed('NotReady', 'Expiring', 'BeingDeleted');

/** The filters that compare a cache with what the pod needs: the user is warned if one refuses a pinned cache. */
export const PIN_WARNING_FILTERS = filtersNamed(
  'OtherRegistry',
  'OtherRegion',
  'OtherArchitecture',
  'OtherOperatingSystem',
  'TooLarge',
);

/** The filters that a cache must pass once it is Ready, or it will not serve the pod. */
export const SUITABILITY_FILTERS = [
  ...filtersNamed('NotShared', 'OnlyInRegion', 'Expiring', 'Retiring'),
  ...PIN_WARNING_FILTERS,
];

function filtersNamed(...codes: readonly FilterCode[]): readonly Filter[] {
  return FILTERS.filter(({ code }) => codes.includes(code));
}

/**
 * The first filter that refuses a candidate; undefined if all filters accept it. Makes no text, because thousands of
 * candidates may be refused.
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
