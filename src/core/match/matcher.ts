/**
 * Owns automatic matching: candidates in order, through the filters, to the first that passes; and the account of
 * it. Filters: filters.ts. Degree: score.ts. Order: pick.ts.
 */
import type { ImageReference } from '../image/reference.ts';
import type { ImageCache } from '../image-cache.ts';
import type { Candidate, CandidateLevel, View } from '../view.ts';
import {
  nextChangeOf,
  reachesMinimum,
  reachesRequirement,
  refusalOf,
  refusingFilter,
  type FilterContext,
  type Refusal,
} from './filters.ts';
import { compareDegree, compareTies, firstInOrder, nextBetter, whyBefore } from './pick.ts';
import type { Depth, Reach } from './reach.ts';
import type { FilterCode } from './reason.ts';
import { NO_MATCH, type Degree } from './score.ts';

/** What is asked of the caches. */
export interface MatchQuestion extends FilterContext {
  /** The pod's images, distinct by key. */
  readonly images: readonly ImageReference[];
  /** Their total size in bytes; one of unknown size counts 0. */
  readonly targetBytes: number;
}

/** A candidate and what became of it. */
export interface Verdict extends Candidate {
  /** Undefined where it passed every filter: the winner, or one that the winner comes before. */
  readonly refusal: Refusal | undefined;
  /** For one that passed and lost: why the winner comes before it. */
  readonly lostBecause: string | undefined;
}

export interface MatchResult {
  readonly question: MatchQuestion;
  readonly winner: Candidate | undefined;
  /** The best of what was considered: usable caches, the best first, the winner among them; then unusable ones. */
  readonly verdicts: readonly Verdict[];
  /** How many candidates were considered; those that can change nothing are not. */
  readonly considered: number;
  /** How many of those each filter removed. */
  readonly refused: ReadonlyMap<FilterCode, number>;
  /** The caches that could have a say. */
  readonly reach: Reach;
  /** Until when all of this holds if nothing but the time changes, in milliseconds since 1970. */
  readonly validUntil: number;
}

/** How many candidates of each kind an account names: enough to say what broke a tie, or what came close. */
const NAMED = 4;

/** Picks the best cache for a pod: looks at each candidate of a degree that can win, and puts into words only a few. */
export function matchImages(question: MatchQuestion, view: View): MatchResult {
  const { images, targetBytes } = question;
  const levels = view.candidates(images);
  const account = new Account(question);
  const usable = considerUsable(levels, account);
  // Never a choice, but "the cache for this is at 40%" is what someone with a cold pod wants to hear.
  const unusable = considerUnusable(levels, account, usable.winner && nextBetter(usable.winner.degree));
  return {
    question,
    winner: usable.winner,
    verdicts: account.verdicts,
    considered: account.considered,
    refused: account.refused,
    reach: { images, targetBytes, usable: usable.depth, unusable },
    validUntil: account.validUntil,
  };
}

/** What is said of the candidates in the end. */
class Account {
  readonly question: MatchQuestion;
  readonly verdicts: Verdict[] = [];
  readonly refused = new Map<FilterCode, number>();
  considered = 0;
  validUntil = Infinity;

  constructor(question: MatchQuestion) {
    this.question = question;
  }

  /** Counts some caches of a degree. Whatever refuses the first of them in the order is listed first. */
  count(degree: Degree, caches: readonly ImageCache[]): void {
    const { targetBytes } = this.question;
    const byCode = Map.groupBy(caches, (cache) => refusingFilter({ cache, degree }, this.question)?.code);
    const firsts = Array.from(byCode, ([code, refused]) => ({
      code,
      count: refused.length,
      first: firstInOrder(refused, 1, targetBytes)[0]!,
    }));
    for (const { code, count } of firsts.toSorted((a, b) => compareTies(a.first, b.first, targetBytes)))
      if (code !== undefined) this.refused.set(code, (this.refused.get(code) ?? 0) + count);
    this.considered += caches.length;
    for (const cache of caches)
      this.validUntil = Math.min(this.validUntil, nextChangeOf(cache, this.question));
  }

  name(candidate: Candidate, winner?: Candidate): void {
    this.verdicts.push(verdictOn(candidate, this.question, winner));
  }
}

interface Considered {
  readonly winner: Candidate | undefined;
  /** What comes after makes no difference. */
  readonly depth: Depth;
}

/** From the best degree down to the first with a cache that passes, or to one that is not enough. */
function considerUsable(levels: readonly CandidateLevel[], account: Account): Considered {
  const { question } = account;
  for (const { degree, usable } of levels) {
    if (usable.length === 0) continue;
    if (!reachesRequirement(degree, question)) {
      // Degrees fall: nothing can win any more, and if nothing was considered yet, a few say what came closest.
      if (account.considered > 0 || !reachesMinimum(degree, question.minimumMatch))
        return { winner: undefined, depth: { degree, last: undefined } };
      const last = nameFew(degree, usable, account, NAMED);
      return { winner: undefined, depth: { degree, last } };
    }
    const considered = considerLevel(degree, usable, account);
    if (considered) return considered;
  }
  return { winner: undefined, depth: { degree: NO_MATCH, last: undefined } };
}

/** Finds the first in the order that passes; counts what comes before it, and names the next: it says what broke the tie. */
function considerLevel(
  degree: Degree,
  caches: readonly ImageCache[],
  account: Account,
): Considered | undefined {
  const { question } = account;
  const { targetBytes } = question;
  const passing = caches.filter((cache) => !refusingFilter({ cache, degree }, question));
  const [best] = firstInOrder(passing, 1, targetBytes);
  const isBefore = (cache: ImageCache): boolean => !best || compareTies(cache, best, targetBytes) < 0;
  const refused = caches.filter(isBefore);
  account.count(degree, refused);
  for (const cache of firstInOrder(refused, Math.max(NAMED - account.verdicts.length, 0), targetBytes))
    account.name({ cache, degree });
  if (!best) return undefined;
  const winner = { cache: best, degree };
  account.count(degree, [best]);
  account.name(winner);
  const after = caches.filter((cache) => compareTies(best, cache, targetBytes) < 0);
  const [last] = firstInOrder(after, 1, targetBytes);
  if (last) {
    account.count(degree, [last]);
    account.name({ cache: last, degree }, winner);
  }
  return { winner, depth: { degree, last } };
}

/** @param atLeast beside a cache that was chosen, only what would have been better matters */
function considerUnusable(
  levels: readonly CandidateLevel[],
  account: Account,
  atLeast: Degree = NO_MATCH,
): Depth {
  const { question } = account;
  let named = 0;
  for (const level of levels) {
    const { degree } = level;
    if (compareDegree(degree, atLeast) > 0) break;
    const { unusable } = level;
    if (unusable.length === 0) continue;
    const isEnough = reachesRequirement(degree, question);
    if (!isEnough && (named > 0 || !reachesMinimum(degree, question.minimumMatch)))
      return { degree, last: undefined };
    const before = account.considered;
    const last = nameFew(degree, unusable, account, NAMED - named);
    named += account.considered - before;
    if (last) return { degree, last };
  }
  return { degree: atLeast, last: undefined };
}

/** Counts and names the first few. @returns the last of them, if there are as many */
function nameFew(
  degree: Degree,
  caches: readonly ImageCache[],
  account: Account,
  count: number,
): ImageCache | undefined {
  const few = firstInOrder(caches, count, account.question.targetBytes);
  account.count(degree, few);
  for (const cache of few) account.name({ cache, degree });
  return few[count - 1];
}

function verdictOn(candidate: Candidate, question: MatchQuestion, winner: Candidate | undefined): Verdict {
  const refusal = refusalOf(candidate, question);
  const beaten = !refusal && winner && winner.cache !== candidate.cache;
  const lostBecause = beaten ? whyBefore(winner, candidate, question.targetBytes) : undefined;
  return { ...candidate, refusal, lostBecause };
}

/**
 * Up to `limit` usable candidates, the best first, and as many unusable ones, each with its verdict: for people, who
 * want to see also what could not matter.
 */
export function surveyCandidates({ question, winner }: MatchResult, view: View, limit: number): Verdict[] {
  const levels = view.candidates(question.images);
  const best = (cachesOf: (level: CandidateLevel) => readonly ImageCache[]): Candidate[] => {
    const candidates: Candidate[] = [];
    for (const level of levels) {
      const left = limit - candidates.length;
      if (left === 0) break;
      for (const cache of firstInOrder(cachesOf(level), left, question.targetBytes))
        candidates.push({ cache, degree: level.degree });
    }
    return candidates;
  };
  return [...best(({ usable }) => usable), ...best(({ unusable }) => unusable)].map((candidate) =>
    verdictOn(candidate, question, winner),
  );
}
