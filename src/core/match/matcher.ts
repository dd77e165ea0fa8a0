/**
 * Owns automatic matching: candidates in order, through the filters, to the first that passes; and the account of
 * it. Filters: filters.ts. Degree: score.ts. Order: pick.ts.
 */
import type { ImageReference } from '../image/reference.ts';
import type { Candidate, DegreeLevel, View } from '../view.ts';
import {
  nextChangeOf,
  reachesMinimum,
  reachesRequirement,
  refusalOf,
  type FilterContext,
  type Refusal,
} from './filters.ts';
import { compareDegree, nextBetter, whyBefore } from './pick.ts';
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

/** Picks the best cache for a pod. Reads no more candidates than the choice and a short account of it take. */
export function matchImages(question: MatchQuestion, view: View): MatchResult {
  const { images, targetBytes } = question;
  const usable = consider(view.usableCandidates(images, targetBytes), question, { mayWin: true });
  // Never a choice, but "the cache for this is at 40%" is what someone with a cold pod wants to hear.
  const unusable = consider(view.unusableCandidates(images, targetBytes), question, {
    mayWin: false,
    atLeast: usable.winner && nextBetter(usable.winner.degree),
  });
  const refused = new Map(usable.refused);
  for (const [code, count] of unusable.refused) refused.set(code, (refused.get(code) ?? 0) + count);
  return {
    question,
    winner: usable.winner,
    verdicts: [...usable.verdicts, ...unusable.verdicts],
    considered: usable.considered + unusable.considered,
    refused,
    reach: { images, targetBytes, usable: usable.depth, unusable: unusable.depth },
    validUntil: Math.min(usable.validUntil, unusable.validUntil),
  };
}

interface Considered extends Omit<MatchResult, 'question' | 'reach'> {
  /** What comes after makes no difference to the rest of this. */
  readonly depth: Depth;
}

interface Considering {
  /** False for caches that no pod can use, of which a few are enough. */
  readonly mayWin: boolean;
  /** Lower degrees do not matter: beside a cache that was chosen, only those that would have been better. */
  readonly atLeast?: Degree | undefined;
}

function consider(
  levels: Iterable<DegreeLevel>,
  question: MatchQuestion,
  { mayWin, atLeast = NO_MATCH }: Considering,
): Considered {
  const verdicts: Verdict[] = [];
  const refused = new Map<FilterCode, number>();
  let considered = 0;
  let winner: Candidate | undefined;
  let validUntil = Infinity;
  let depth: Depth | undefined;
  let lowest = atLeast;
  const matters = (degree: Degree, eligible: boolean): boolean => {
    if (winner || (!mayWin && verdicts.length >= NAMED) || compareDegree(degree, atLeast) > 0) return false;
    // Degrees fall: from the first that is not enough, nothing can win, and one level says what came closest.
    return eligible || (considered === 0 && reachesMinimum(degree, question.minimumMatch));
  };
  for (const { degree, candidates } of levels) {
    const eligible = reachesRequirement(degree, question);
    if (!matters(degree, eligible)) {
      if (compareDegree(degree, lowest) < 0) lowest = degree;
      break;
    }
    for (const candidate of candidates) {
      considered++;
      validUntil = Math.min(validUntil, nextChangeOf(candidate.cache, question));
      const verdict = verdictOn(candidate, question, winner);
      if (verdict.refusal) refused.set(verdict.refusal.code, (refused.get(verdict.refusal.code) ?? 0) + 1);
      // Whoever comes next after the winner is named too: it says what broke the tie.
      if (winner) {
        verdicts.push(verdict);
        depth = { degree, last: candidate.cache };
        break;
      }
      if (!verdict.refusal) winner = candidate;
      // The winner is always named, however many better ones were refused before it.
      if (winner || verdicts.length < NAMED) verdicts.push(verdict);
      if (verdicts.length >= NAMED && (!eligible || !mayWin)) {
        depth = { degree, last: candidate.cache };
        break;
      }
    }
  }
  depth ??= { degree: winner?.degree ?? lowest, last: undefined };
  return { winner, verdicts, considered, refused, validUntil, depth };
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
  const { images, targetBytes } = question;
  const best = (levels: Iterable<DegreeLevel>): Iterable<Candidate> =>
    Iterator.from(levels)
      .flatMap((level) => level.candidates)
      .take(limit);
  return [
    ...best(view.usableCandidates(images, targetBytes)),
    ...best(view.unusableCandidates(images, targetBytes)),
  ].map((candidate) => verdictOn(candidate, question, winner));
}
