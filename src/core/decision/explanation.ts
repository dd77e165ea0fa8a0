/** The explanation: a view of a decision as plain data. The log and the CLI show it, so that both say the same. */
import { MAX_POD_IMAGES } from '../image/image-set.ts';
import type { KnownFrom } from '../image-cache.ts';
import { describeAllowed, type Placement } from './placement.ts';
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
  /** Null if the decision ended before the request was read. */
  readonly request: ExplainedRequest | null;
  /** Where the pod runs. Null if the decision ended before. */
  readonly placement: ExplainedPlacement | null;
  /** The pod's distinct images, normalised; invalid ones as they are written. */
  readonly images: readonly string[];
  /** The distinct images of volumes, as written, at most 100; they are among the images only if they count. */
  readonly imageVolumes: readonly string[];
  /** The images that still have to be pulled; see lackingImages. */
  readonly lacking: readonly string[];
  /** How many caches were considered, and how many of them each filter refused. */
  readonly considered: number;
  readonly refused: Readonly<Partial<Record<FilterCode, number>>>;
  /** The best candidates, the best first. */
  readonly candidates: readonly ExplainedCandidate[];
  readonly createOnMiss: string | null;
  /** Who is asked to make a cache: `eci` or `controller`; null if nobody is. */
  readonly madeBy: Decision['maker'] | null;
  /** How many seconds the pod waits for it at most; null if it does not wait. */
  readonly waitSeconds: number | null;
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
  readonly encrypted: boolean;
}

export interface ExplainedPlacement {
  /** `linux/amd64`; null if the pod allows several platforms, or several regions. */
  readonly platform: string | null;
  /** Null if the region is not known. */
  readonly region: string | null;
  /** What is not known, and the values that the pod allows: `architecture: amd64, arm64`. */
  readonly unknown: string | null;
}

export interface ExplainedCandidate {
  readonly name: string;
  readonly id: string | null;
  readonly phase: string;
  readonly progress: string;
  readonly knownFrom: KnownFrom;
  /** The phase that ECI's API says; null if the API is not asked, or does not know the cache. */
  readonly apiPhase: string | null;
  readonly degree: Degree;
  readonly sizeBytes: number;
  /** ISO 8601; null if unknown. */
  readonly createdAt: string | null;
  /** `left`: the candidate is the best one, but the choice is left to ECI. */
  readonly verdict: 'chosen' | 'left' | 'refused' | 'beaten';
  /** The filter that refused the candidate. */
  readonly filter: FilterCode | null;
  /** Why it was refused, or why the chosen cache comes before it. */
  readonly because: string;
}

/** @param verdicts the candidates to list; by default, the few that the decision itself kept */
export function explanationOf(decision: Decision, verdicts = decision.match?.verdicts ?? []): Explanation {
  const { outcome, reason, why, cacheId, cache, degree, images, request, match, warnings } = decision;
  const { placement, pod } = decision;
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
    placement: placement ? explainPlacement(placement) : null,
    images: images ? [...images.references.map(({ key }) => key), ...images.invalid] : [],
    imageVolumes: [...new Set(pod.imageVolumes)].slice(0, MAX_POD_IMAGES),
    lacking: lackingImages(decision),
    considered: match?.considered ?? 0,
    refused: Object.fromEntries(match?.refused ?? []),
    candidates: verdicts.map((verdict) => explainVerdict(verdict, match?.winner, cacheId === undefined)),
    ...explainAsking(decision),
    warnings,
  };
}

/**
 * The images that have to be pulled after automatic matching: the images that the best cache lacks, or all images if no
 * cache qualifies. If a partial match is left to ECI, ECI may find a cache that lacks fewer images.
 */
export function lackingImages({ outcome, images, match, degree }: Decision): readonly string[] {
  const isMatched = outcome === 'hit' || outcome === 'partial' || outcome === 'miss';
  if (!images || !isMatched || degree.exact === images.count) return [];
  const held = new Set(match?.winner?.cache.images.map(({ key }) => key));
  return images.references.map(({ key }) => key).filter((key) => !held.has(key));
}

function explainAsking({
  createOnMiss,
  maker,
  waitMs,
}: Decision): Pick<Explanation, 'createOnMiss' | 'madeBy' | 'waitSeconds'> {
  return {
    createOnMiss: createOnMiss ?? null,
    madeBy: maker ?? null,
    waitSeconds: waitMs === undefined ? null : waitMs / 1000,
  };
}

function explainRequest({
  pin,
  auto,
  autoKey,
  requirement,
  storageBytes,
  encrypted,
}: Request): ExplainedRequest {
  return {
    pin: pin ?? null,
    auto,
    autoFrom: autoKey ?? null,
    match: describeRequirement(requirement),
    storageBytes,
    encrypted,
  };
}

function explainPlacement(placement: Placement): ExplainedPlacement {
  const { architecture, operatingSystem, region, unknown } = placement;
  const isKnown = architecture !== undefined && operatingSystem !== undefined;
  return {
    platform: isKnown ? `${operatingSystem}/${architecture}` : null,
    region: region ?? null,
    unknown: unknown ? `${unknown.name}: ${describeAllowed(unknown)}` : null,
  };
}

function explainVerdict(
  { cache, degree, refusal, lostBecause }: Verdict,
  winner: Candidate | undefined,
  isLeftToEci: boolean,
): ExplainedCandidate {
  const best = isLeftToEci ? 'left' : 'chosen';
  const isWinner = winner?.cache === cache;
  return {
    name: cache.name,
    id: cache.id ?? null,
    phase: cache.phase,
    progress: cache.progress,
    knownFrom: cache.knownFrom,
    apiPhase: cache.apiPhase ?? null,
    degree,
    sizeBytes: cache.sizeBytes,
    createdAt: cache.createdAtMs === 0 ? null : new Date(cache.createdAtMs).toISOString(),
    verdict: isWinner ? best : refusal ? 'refused' : 'beaten',
    filter: refusal?.code ?? null,
    because: refusal?.message ?? lostBecause ?? '',
  };
}
