/**
 * Automatic matching: goes through the candidates in order to the first that passes every filter, and records what it
 * considered. filters.ts has the filters, degree.ts the degree, order.ts the order.
 */
import type { ImageReference } from '../../image/reference.ts';
import type { ImageCache } from '../../image-cache.ts';
import type { Candidate, CandidateLevel, View } from '../view.ts';
import {
  reachesMinimum,
  reachesRequirement,
  refusalOf,
  refusingFilter,
  type FilterContext,
  type Refusal,
} from './filters.ts';
import { compareDegree, compareTies, firstInOrder, nextBetter, whyBefore } from './order.ts';
import type { FilterCode } from '../reasons.ts';
import { NO_MATCH, type Degree } from './degree.ts';

/** What the pod needs of a cache. */
export interface MatchRequest extends FilterContext {
  /** The pod's images, distinct by key. */
  readonly images: readonly ImageReference[];
  /** The total size of the pod's images in bytes; an image of unknown size counts as 0. */
  readonly targetBytes: number;
}

/** A candidate with the result of the filters. */
export interface Verdict extends Candidate {
  /** Undefined if it passed every filter: it is the winner, or the winner comes before it. */
  readonly refusal: Refusal | undefined;
  /** Set for a candidate that passed and lost: why the winner comes before it. */
  readonly lostBecause: string | undefined;
}

export interface MatchResult {
  readonly request: MatchRequest;
  readonly winner: Candidate | undefined;
  /** The best considered candidates: usable caches first, with the winner among them, then unusable ones. */
  readonly verdicts: readonly Verdict[];
  /** How many candidates were considered; candidates that can change nothing are not. */
  readonly considered: number;
  /** How many of the considered candidates each filter refused. */
  readonly refused: ReadonlyMap<FilterCode, number>;
}

/** How many candidates of each kind are kept as verdicts: enough to say what broke a tie, or what came close. */
const NAMED = 4;

/** Finds the best cache for a pod. Looks at every candidate of a degree that can win, and makes text for a few. */
export function findBestMatch(request: MatchRequest, view: View): MatchResult {
  const levels = view.candidates(request.images);
  const account = new Account(request);
  const winner = considerUsable(levels, account);
  // An unusable cache is never chosen, but "the cache for this is at 40%" explains a cold start.
  considerUnusable(levels, account, winner && nextBetter(winner.degree));
  const { verdicts, considered, refused } = account;
  return { request, winner, verdicts, considered, refused };
}

/** Collects what a MatchResult reports. */
class Account {
  readonly request: MatchRequest;
  readonly verdicts: Verdict[] = [];
  readonly refused = new Map<FilterCode, number>();
  considered = 0;

  constructor(request: MatchRequest) {
    this.request = request;
  }

  /**
   * Counts caches of one degree by the filter that refuses them. Filters are listed in the order of the first cache
   * that each refused.
   */
  count(byFilter: ReadonlyMap<FilterCode | undefined, readonly ImageCache[]>): void {
    const { targetBytes } = this.request;
    const firsts = Array.from(byFilter, ([code, caches]) => ({
      code,
      count: caches.length,
      first: firstInOrder(caches, 1, targetBytes)[0]!,
    }));
    for (const { code, count } of firsts.toSorted((a, b) => compareTies(a.first, b.first, targetBytes))) {
      this.considered += count;
      if (code !== undefined) this.refused.set(code, (this.refused.get(code) ?? 0) + count);
    }
  }

  name(candidate: Candidate, winner?: Candidate): void {
    this.verdicts.push(verdictOn(candidate, this.request, winner));
  }

  countAndName(caches: readonly ImageCache[], degree: Degree, winner?: Candidate): void {
    this.count(byRefusingFilter(degree, caches, this.request));
    for (const cache of caches) this.name({ cache, degree }, winner);
  }
}

/** @returns the first candidate that passes, from the best degree down to one that is not enough */
function considerUsable(levels: readonly CandidateLevel[], account: Account): Candidate | undefined {
  const { request } = account;
  for (const { degree, usable } of levels) {
    if (usable.length === 0) continue;
    if (!reachesRequirement(degree, request)) {
      // Degrees fall, so nothing can win any more. If nothing was considered yet, a few candidates show what came
      // closest.
      if (account.considered === 0 && reachesMinimum(degree, request.minimumMatch))
        account.countAndName(firstInOrder(usable, NAMED, request.targetBytes), degree);
      return undefined;
    }
    const winner = considerLevel(degree, usable, account);
    if (winner) return winner;
  }
  return undefined;
}

/**
 * Finds the first candidate in the order that passes. Counts those before it, and keeps the next, which shows what
 * broke the tie.
 */
function considerLevel(
  degree: Degree,
  caches: readonly ImageCache[],
  account: Account,
): Candidate | undefined {
  const { request } = account;
  const { targetBytes } = request;
  const byFilter = byRefusingFilter(degree, caches, request);
  const [best] = firstInOrder(byFilter.get(undefined) ?? [], 1, targetBytes);
  byFilter.delete(undefined);
  if (best) keepThoseBefore(best, byFilter, targetBytes);
  account.count(byFilter);
  const refused = [...byFilter.values()].flat();
  for (const cache of firstInOrder(refused, Math.max(NAMED - account.verdicts.length, 0), targetBytes))
    account.name({ cache, degree });
  if (!best) return undefined;
  const winner = { cache: best, degree };
  account.countAndName([best], degree);
  const after = caches.filter((cache) => compareTies(best, cache, targetBytes) < 0);
  account.countAndName(firstInOrder(after, 1, targetBytes), degree, winner);
  return winner;
}

/**
 * Groups caches by the filter that refuses them; the key undefined holds those that pass. Asks the filters once of each
 * cache.
 */
function byRefusingFilter(
  degree: Degree,
  caches: readonly ImageCache[],
  request: MatchRequest,
): Map<FilterCode | undefined, ImageCache[]> {
  return Map.groupBy(caches, (cache) => refusingFilter({ cache, degree }, request)?.code);
}

/** Removes the refused caches that come after the chosen one, which would not be chosen anyway. */
function keepThoseBefore(
  best: ImageCache,
  byFilter: Map<FilterCode | undefined, ImageCache[]>,
  targetBytes: number,
): void {
  for (const [code, caches] of byFilter) {
    const before = caches.filter((cache) => compareTies(cache, best, targetBytes) < 0);
    if (before.length > 0) byFilter.set(code, before);
    else byFilter.delete(code);
  }
}

/** @param atLeast the lowest degree that is still worth mentioning */
function considerUnusable(
  levels: readonly CandidateLevel[],
  account: Account,
  atLeast: Degree = NO_MATCH,
): void {
  const { request } = account;
  let named = 0;
  for (const { degree, unusable } of levels) {
    if (named === NAMED || compareDegree(degree, atLeast) > 0) return;
    if (unusable.length === 0) continue;
    const isEnough = reachesRequirement(degree, request);
    if (!isEnough && (named > 0 || !reachesMinimum(degree, request.minimumMatch))) return;
    const few = firstInOrder(unusable, NAMED - named, request.targetBytes);
    account.countAndName(few, degree);
    named += few.length;
  }
}

function verdictOn(candidate: Candidate, request: MatchRequest, winner: Candidate | undefined): Verdict {
  const refusal = refusalOf(candidate, request);
  const beaten = !refusal && winner && winner.cache !== candidate.cache;
  const lostBecause = beaten ? whyBefore(winner, candidate, request.targetBytes) : undefined;
  return { ...candidate, refusal, lostBecause };
}

/**
 * Up to `limit` usable candidates, the best first, and as many unusable ones, each with its verdict. For people, who
 * also want to see candidates that could not matter.
 */
export function surveyCandidates({ request, winner }: MatchResult, view: View, limit: number): Verdict[] {
  const levels = view.candidates(request.images);
  const best = (cachesOf: (level: CandidateLevel) => readonly ImageCache[]): Candidate[] => {
    const candidates: Candidate[] = [];
    for (const level of levels) {
      const left = limit - candidates.length;
      if (left === 0) break;
      for (const cache of firstInOrder(cachesOf(level), left, request.targetBytes))
        candidates.push({ cache, degree: level.degree });
    }
    return candidates;
  };
  return [...best(({ usable }) => usable), ...best(({ unusable }) => unusable)].map((candidate) =>
    verdictOn(candidate, request, winner),
  );
}
