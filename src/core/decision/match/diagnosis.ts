/** Says in a sentence why a cache was chosen, or why no cache was chosen. */
import type { ImageCache } from '../../image-cache.ts';
import type { Refusal } from './filters.ts';
import type { MatchResult, Verdict } from './matcher.ts';
import { compareDegree } from './order.ts';

/** `ImageCache web (imc-1) holds 2 of 2 images; before web-old, as it is newer`. */
export function describeMatch(match: MatchResult, imageCount: number): string {
  const { winner, verdicts } = match;
  if (winner) {
    const { cache, degree } = winner;
    const other = degree.sameRepository > 0 ? ` and ${degree.sameRepository} in another version` : '';
    const runnerUp = verdicts.find((verdict) => verdict.lostBecause !== undefined);
    const tie = runnerUp ? `; before ${runnerUp.cache.name}, as it ${runnerUp.lostBecause}` : '';
    const better = verdicts.find((each) => each.refusal && compareDegree(each.degree, degree) < 0);
    const missed = better?.refusal
      ? `; a better match, ${describeCache(better.cache)}, ${better.refusal.message}`
      : '';
    return `${describeCache(cache)} holds ${degree.exact} of ${imageCount} images${other}${tie}${missed}`;
  }
  if (match.considered === 0) return "no ImageCache in this cluster holds any of the pod's images";
  const counts = Array.from(match.refused, ([code, count]) => `${count} ${code}`).join(', ');
  return `no ImageCache qualifies: ${counts}; ${mostInformative(verdicts)}`;
}

/**
 * A clause about the refused candidate that explains the miss best: it has the most exact images, and, if possible,
 * was refused for something else than NotEnoughImages.
 */
function mostInformative(verdicts: readonly Verdict[]): string {
  const most = Math.max(...verdicts.map((verdict) => verdict.degree.exact));
  const best = verdicts.filter((verdict) => verdict.degree.exact === most);
  const verdict = best.find(({ refusal }) => refusal?.code !== 'NotEnoughImages') ?? best[0];
  return verdict ? `${describeCache(verdict.cache)} ${verdict.refusal?.message ?? 'lost'}` : '';
}

export function describePinRefusal(cache: ImageCache, refusal: Refusal): string {
  // If the phase is not the reason for the refusal, the sentence names the phase too.
  const state = refusal.code === 'NotReady' ? '' : ` (phase ${cache.phase}, progress ${cache.progress})`;
  return `the pod pins ${describeCache(cache)}, which ${refusal.message}${state}`;
}

function describeCache(cache: ImageCache): string {
  return `ImageCache ${cache.name}${cache.id === undefined ? '' : ` (${cache.id})`}`;
}
