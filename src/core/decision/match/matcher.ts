/**
 * Automatic matching: finds the first candidate in the order (order.ts) that passes every filter (filters.ts), and
 * records the candidates that explain the result.
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
import { isHidden } from '../sharing.ts';
import { NO_MATCH, type Degree } from './degree.ts';

/** What the pod needs of a cache. */
export interface MatchRequest extends FilterContext {
  /** The pod's images, distinct by key. */
  readonly images: readonly ImageReference[];
  /** The total size of the pod's images in bytes; an image of unknown size counts as 0. */
  readonly targetBytes: number;
  /** The number of the pod's images whose size is known. */
  readonly knownSizes: number;
}

/** A candidate with the result of the filters. */
export interface Verdict extends Candidate {
  /** Undefined if the candidate passed every filter: then it is the winner, or the winner comes before it. */
  readonly refusal: Refusal | undefined;
  /** Set for a candidate that passed and lost: why the winner comes before it. */
  readonly lostBecause: string | undefined;
}

export interface MatchResult {
  readonly request: MatchRequest;
  readonly winner: Candidate | undefined;
  /** The best considered candidates: usable caches first, with the winner among them, then unusable ones. */
  readonly verdicts: readonly Verdict[];
  /** How many candidates were counted: those that could have won or that help to explain the result. */
  readonly considered: number;
  /** How many of the considered candidates each filter refused. */
  readonly refused: ReadonlyMap<FilterCode, number>;
}

/** The most refused candidates that become verdicts, for usable caches, and again for unusable caches. */
const NAMED = 4;

/** Finds the best cache for a pod. Filters all candidates of a degree together, but makes text for only a few. */
export function findBestMatch(request: MatchRequest, view: View): MatchResult {
  const levels = visibleLevels(view.candidates(request.images), request);
  const account = new Account(request);
  const winner = considerUsable(levels, account);
  // An unusable cache is never chosen, but "the cache for this is at 40%" explains a cold start.
  considerUnusable(levels, account, winner && nextBetter(winner.degree));
  const { verdicts, considered, refused } = account;
  return { request, winner, verdicts, considered, refused };
}

/**
 * The levels without the caches of other namespaces, and without those that ECI's API alone knows and the pod does not get:
 * nothing of a decision may show them.
 */
function visibleLevels(levels: readonly CandidateLevel[], request: MatchRequest): readonly CandidateLevel[] {
  const { tenant } = request;
  return levels.map((level) => ({
    degree: level.degree,
    get usable() {
      return level.usable.filter((cache) =>
        cache.knownFrom === 'api'
          ? refusingFilter({ cache, degree: level.degree }, request) === undefined
          : !isHidden(cache, tenant),
      );
    },
    get unusable() {
      return level.unusable.filter((cache) => cache.knownFrom !== 'api' && !isHidden(cache, tenant));
    },
  }));
}

/** Collects the verdicts and counts of a MatchResult. */
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

/** @returns the first candidate that passes every filter; stops at the first degree that is not enough */
function considerUsable(levels: readonly CandidateLevel[], account: Account): Candidate | undefined {
  const { request } = account;
  for (const { degree, usable } of levels) {
    if (usable.length === 0) continue;
    if (!reachesRequirement(degree, request)) {
      // The levels that follow have lower degrees, so no candidate can win any more. If no candidate has been counted
      // yet, a few show which caches came closest.
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
 * Finds the first candidate of one degree that passes every filter. Counts the refused candidates before it, and keeps
 * the candidate after it, to say what broke the tie.
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
  // One that the API alone knows is named only if it is chosen.
  const after = caches.filter(
    (cache) => cache.knownFrom !== 'api' && compareTies(best, cache, targetBytes) < 0,
  );
  account.countAndName(firstInOrder(after, 1, targetBytes), degree, winner);
  return winner;
}

/** Groups caches by the filter that refuses them; the key undefined holds the caches that pass every filter. */
function byRefusingFilter(
  degree: Degree,
  caches: readonly ImageCache[],
  request: MatchRequest,
): Map<FilterCode | undefined, ImageCache[]> {
  return Map.groupBy(caches, (cache) => refusingFilter({ cache, degree }, request)?.code);
}

/** Removes the refused caches that come after the best cache: without the refusal, they would have lost to it. */
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
  const lostBecause = beaten ? whyBefore(winner, candidate, request) : undefined;
  return { ...candidate, refusal, lostBecause };
}

/**
 * Up to `limit` usable candidates, the best first, then up to `limit` unusable candidates, each with its verdict. For
 * `imc explain`, which also shows candidates that could not change the result.
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
