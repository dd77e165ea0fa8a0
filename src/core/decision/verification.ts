/**
 * Compares a decision with the answer of ECI's own matcher. A difference is explained if a rule of ours that the matcher does
 * not know refuses what the matcher prefers (docs/region.md, "imc verify").
 */
import { READY } from '../image-cache.ts';
import type { Decision } from './decide.ts';
import { degreeOf, wantedImages } from './match/degree.ts';
import { refusalOf } from './match/filters.ts';
import type { MatchResult } from './match/matcher.ts';
import type { FilterCode, ReasonCode } from './reasons.ts';
import type { View } from './view.ts';

/** What ECI's API says, when it is asked about one pod. */
export interface EciAnswer {
  /** The IDs of the caches that the matcher finds, the best first. */
  readonly matched: readonly string[];
  /** The phase of each cache of the region, by ID. */
  readonly phases: ReadonlyMap<string, string>;
  /** Whether the decision knew what the API alone knows. */
  readonly isRegionRead: boolean;
}

/** A rule of ours, or a reason that lies in the data, for which the decision may differ from the matcher's answer. */
export type VerificationRule =
  | Exclude<FilterCode, 'NotEnoughImages' | 'NotReady'>
  /** The object and the region say different things of a cache, for a while. */
  | 'Staleness'
  /** minimumMatch: repository lets a cache qualify that holds none of the images exactly. */
  | 'MinimumMatch'
  | 'Encrypted'
  | 'PlacementNotKnown';

export interface Verification {
  readonly verdict: 'agrees' | 'differs by rule' | 'differs' | 'not asked';
  /** The ID that the decision prefers; null: none. */
  readonly ours: string | null;
  /** The ID that ECI prefers; null: none. */
  readonly eci: string | null;
  readonly rules: readonly VerificationRule[];
  /** A clause; empty if the two agree. */
  readonly because: string;
}

/** Why ECI's matcher has no answer to compare the decision with; undefined if it has one. */
export function whyNotAsked({ request, images, reason }: Decision): string | undefined {
  if (!request || !images) return `the decision ends before the matching (${reason})`;
  if (request.pin !== undefined) return 'the pod pins a cache, so that nothing is matched';
  if (!request.auto) return 'automatic matching is off for the pod';
  return images.invalid.length > 0 ? 'the pod has an image that is no valid reference' : undefined;
}

export function verify(decision: Decision, view: View, answer: EciAnswer): Verification {
  const eci = answer.matched[0] ?? null;
  const reason = whyNotAsked(decision);
  if (reason !== undefined)
    return { verdict: 'not asked', ours: null, eci: null, rules: [], because: reason };
  const { match } = decision;
  if (!match) {
    const rule = RULE_OF_REASON.get(decision.reason);
    if (eci === null) return { verdict: 'agrees', ours: null, eci, rules: [], because: '' };
    const because = `no cache is looked for: ${decision.why}`;
    const verdict = rule === undefined ? 'differs' : 'differs by rule';
    return { verdict, ours: null, eci, rules: rule === undefined ? [] : [rule], because };
  }
  const ours = match.winner?.cache.id ?? null;
  const rules = new Set<VerificationRule>();
  const reasons: string[] = [];
  for (const id of answer.matched) {
    if (id === ours) return explained(ours, eci, rules, reasons);
    const why = whyNotChosen(id, match, view, answer);
    if (why === undefined) {
      if (isStale(ours, answer)) return explained(ours, eci, rules.add('Staleness'), [STALE]);
      const because = ours === null ? 'the decision finds none' : 'the decision prefers another';
      return { verdict: 'differs', ours, eci, rules: [...rules], because: `ECI prefers ${id}, ${because}` };
    }
    rules.add(why.rule);
    if (reasons.length === 0) reasons.push(`${id} ${why.because}`);
  }
  if (ours === null) return explained(ours, eci, rules, reasons);
  if (isStale(ours, answer)) return explained(ours, eci, rules.add('Staleness'), [STALE]);
  if (match.winner?.degree.exact === 0) {
    const because = 'minimumMatch is repository, and ECI looks for the same image';
    return explained(ours, eci, rules.add('MinimumMatch'), [because]);
  }
  return {
    verdict: 'differs',
    ours,
    eci,
    rules: [...rules],
    because: `ECI's matcher does not find ${ours}${answer.phases.has(ours) ? '' : ', which the region does not list: it is another region or account, or the cache is gone'}`,
  };
}

/** The rules for which a decision looks for no cache at all. */
const RULE_OF_REASON: ReadonlyMap<ReasonCode, VerificationRule> = new Map<ReasonCode, VerificationRule>([
  ['Encrypted', 'Encrypted'],
  ['PlacementNotKnown', 'PlacementNotKnown'],
  ['IndexNotSynced', 'Staleness'],
  ['IndexStale', 'Staleness'],
]);

const STALE = 'the ImageCache object says Ready, and the region has another phase';

function explained(
  ours: string | null,
  eci: string | null,
  rules: ReadonlySet<VerificationRule>,
  reasons: readonly string[],
): Verification {
  const verdict = rules.size === 0 ? 'agrees' : 'differs by rule';
  return { verdict, ours, eci, rules: [...rules], because: reasons.join('; ') };
}

/** Whether the region has the cache, but not Ready, although the decision would use it. */
function isStale(id: string | null, { phases }: EciAnswer): boolean {
  return id !== null && (phases.get(id) ?? READY) !== READY;
}

/** The rule for which the decision does not choose a cache that ECI prefers; undefined if there is none. */
function whyNotChosen(
  id: string,
  { request }: MatchResult,
  view: View,
  { isRegionRead }: EciAnswer,
): { readonly rule: VerificationRule; readonly because: string } | undefined {
  const [cache] = view.cachesById(id);
  if (!cache) {
    return isRegionRead
      ? { rule: 'Staleness', because: 'is not in the list of the region that was read before' }
      : { rule: 'OnlyInRegion', because: 'has no ImageCache object in this cluster, and region.api is off' };
  }
  const degree = degreeOf(wantedImages(request.images), cache.images);
  const refusal = refusalOf({ cache, degree }, request);
  if (!refusal || refusal.code === 'NotEnoughImages') return undefined;
  return { rule: refusal.code === 'NotReady' ? 'Staleness' : refusal.code, because: refusal.message };
}
