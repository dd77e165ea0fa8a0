/** The explanation: a view of a decision as plain data. The log and the CLI show it, so that both say the same. */
import type { Request } from './request.ts';
import type { Decision } from './decide.ts';
import { describeRequirement } from './match/filters.ts';
import type { Candidate } from './view.ts';
import type { Verdict } from './match/matcher.ts';
import type { FilterCode, Outcome, ReasonCode } from './reasons.ts';
import type { Degree } from './match/degree.ts';

export interface Explanation {
  readonly outcome: Outcome;
  readonly reason: ReasonCode;
  /** One sentence. */
  readonly why: string;
  readonly cacheId: string | null;
  readonly cacheName: string | null;
  readonly degree: Degree & { /** How many distinct images the pod has. */ readonly images: number };
  /** What shows that the pod goes to ECI. */
  readonly boundForEci: string | null;
  /** Profile selectors whose effects were applied, in order. */
  readonly effects: readonly string[];
  /** Null if the decision ended before. */
  readonly request: ExplainedRequest | null;
  /** The pod's distinct images, normalised; invalid ones as they are written. */
  readonly images: readonly string[];
  /** The images that still have to be pulled; see lackingImages. */
  readonly lacking: readonly string[];
  /** How many caches were considered, and how many of them each filter refused. */
  readonly considered: number;
  readonly refused: Readonly<Partial<Record<FilterCode, number>>>;
  /** The best of the considered caches, the best first. */
  readonly candidates: readonly ExplainedCandidate[];
  readonly createOnMiss: string | null;
  readonly warnings: readonly string[];
}

export interface ExplainedRequest {
  readonly pin: string | null;
  readonly auto: boolean;
  /** The annotation that decided `auto`; null if the default did. */
  readonly autoFrom: string | null;
  /** How many of the pod's images the cache must hold: `all`, `at least 2`. */
  readonly match: string;
  readonly storageBytes: number;
}

export interface ExplainedCandidate {
  readonly name: string;
  readonly id: string | null;
  readonly phase: string;
  readonly progress: string;
  readonly degree: Degree;
  readonly sizeBytes: number;
  /** ISO 8601; null if unknown. */
  readonly createdAt: string | null;
  readonly verdict: 'chosen' | 'refused' | 'beaten';
  /** The filter that refused the candidate. */
  readonly filter: FilterCode | null;
  /** Why it was refused, or why the chosen cache comes before it. */
  readonly because: string;
}

/** @param verdicts the candidates to name, if more are wanted than the decision itself named */
export function explanationOf(decision: Decision, verdicts = decision.match?.verdicts ?? []): Explanation {
  const { outcome, reason, why, cacheId, cache, degree, images, request, match, warnings } = decision;
  return {
    outcome,
    reason,
    why,
    cacheId: cacheId ?? null,
    cacheName: cache?.name ?? null,
    degree: { ...degree, images: images?.count ?? 0 },
    boundForEci: decision.sign ?? null,
    effects: decision.effects ?? [],
    request: request ? explainRequest(request) : null,
    images: images ? [...images.references.map(({ key }) => key), ...images.invalid] : [],
    lacking: lackingImages(decision),
    considered: match?.considered ?? 0,
    refused: Object.fromEntries(match?.refused ?? []),
    candidates: verdicts.map((verdict) => explainVerdict(verdict, match?.winner)),
    createOnMiss: decision.createOnMiss ?? null,
    warnings,
  };
}

/** The images that have to be pulled after automatic matching: the chosen cache lacks them, or there is none. */
export function lackingImages({ outcome, images, cache, degree }: Decision): readonly string[] {
  if (!images || (outcome !== 'hit' && outcome !== 'miss') || degree.exact === images.count) return [];
  const held = new Set(outcome === 'hit' ? cache?.images.map(({ key }) => key) : []);
  return images.references.map(({ key }) => key).filter((key) => !held.has(key));
}

function explainRequest({ pin, auto, autoKey, requirement, storageBytes }: Request): ExplainedRequest {
  return {
    pin: pin ?? null,
    auto,
    autoFrom: autoKey ?? null,
    match: describeRequirement(requirement),
    storageBytes,
  };
}

function explainVerdict(
  { cache, degree, refusal, lostBecause }: Verdict,
  winner: Candidate | undefined,
): ExplainedCandidate {
  const chosen = winner?.cache === cache;
  return {
    name: cache.name,
    id: cache.id ?? null,
    phase: cache.phase,
    progress: cache.progress,
    degree,
    sizeBytes: cache.sizeBytes,
    createdAt: cache.createdAtMs === 0 ? null : new Date(cache.createdAtMs).toISOString(),
    verdict: chosen ? 'chosen' : refusal ? 'refused' : 'beaten',
    filter: refusal?.code ?? null,
    because: refusal?.message ?? lostBecause ?? '',
  };
}
