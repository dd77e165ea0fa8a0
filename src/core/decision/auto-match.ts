/**
 * Automatic matching: turns the best match into the outcome, and into annotations for ECI. The folder match/ finds the
 * best match.
 */
import { sizesOf } from '../cache-size.ts';
import { MAX_CACHE_IMAGES, type ImageCache } from '../image-cache.ts';
import { imageSetHash, type PodImages } from '../image/image-set.ts';
import { quote } from '../kubernetes/problem.ts';
import { filterContext, indexStaleness, type DecisionContext, type StepResult } from './context.ts';
import { describeMatch } from './match/diagnosis.ts';
import { findBestMatch, type MatchResult } from './match/matcher.ts';
import { makerOf, type ChosenMaker } from './maker.ts';
import { describeAllowed } from './placement.ts';
import type { Candidate } from './view.ts';
import { NO_WAIT, waitingFor } from './wait.ts';

/** @param pinWarning set if automatic matching replaces a pin: the warning that says so */
export function decideByMatching(context: DecisionContext, pinWarning?: string): StepResult {
  const { view, images } = context;
  const obstacle = whyNotMatched(context);
  if (obstacle) {
    const warnings = pinWarning === undefined ? obstacle.warnings : [pinWarning, ...obstacle.warnings];
    return { ...obstacle, warnings, writing: { ...obstacle.writing, pin: removalOf(pinWarning) } };
  }

  // An image of unknown size counts as 0.
  const { knownBytes, unknown } = sizesOf(
    images.references.map(({ key }) => key),
    view,
  );
  const match = findBestMatch(
    {
      ...filterContext(context, context.options.expiryMarginMs),
      images: images.references,
      targetBytes: knownBytes,
      knownSizes: images.references.length - unknown,
    },
    view,
  );
  const result = resultOf(context, match, pinWarning);
  const waiting = result.outcome === 'hit' ? NO_WAIT : waitingFor(context, result.maker);
  const warnings = pinWarning === undefined ? [] : [pinWarning];
  return {
    ...result,
    match,
    waitMs: waiting.waitMs,
    warnings: [...warnings, ...impossibleRequests(context), ...waiting.warnings],
    why: `${describeMatch(match, images.count)}${result.why}${waiting.why}`,
  };
}

function resultOf(
  context: DecisionContext,
  match: MatchResult,
  pinWarning: string | undefined,
): MatchedResult {
  const { winner } = match;
  if (!winner) return miss(context, match, pinWarning);
  const isComplete = winner.degree.exact === context.images.count;
  return isComplete ? completeHit(context, winner) : partialHit(context, winner, pinWarning);
}

/** A pin that automatic matching replaces is removed, because it would fail the pod. */
function removalOf(pinWarning: string | undefined): 'none' | undefined {
  return pinWarning === undefined ? undefined : 'none';
}

interface Obstacle extends StepResult {
  readonly writing: NonNullable<StepResult['writing']>;
}

/** The result if the webhook must not look for a cache at all; undefined if it may. */
function whyNotMatched(context: DecisionContext): Obstacle | undefined {
  const { user, request, placement } = context;
  const nothing = { pin: undefined, createOnMiss: undefined };
  if (request.encrypted) {
    // A profile may have switched matching on; only the user's own word counts.
    const wanted = request.auto && request.autoKey !== undefined && user.annotations.has(request.autoKey);
    const rest = wanted
      ? `${request.autoKey} leaves ECI's own matching on`
      : "ECI's own matching is switched off";
    const why = `the pod asks for encrypted storage, and a pod that starts from an ImageCache is not encrypted: ${rest}`;
    return {
      outcome: 'skipped',
      reason: 'Encrypted',
      why,
      warnings: wanted ? [`no image cache chosen: ${why}`] : [],
      writing: { ...nothing, auto: wanted },
    };
  }
  const leftToEci = { outcome: 'skipped', writing: { ...nothing, auto: autoOf(context) } } as const;
  const staleness = indexStaleness(context);
  if (staleness) {
    const why = `${staleness.why}: the choice is left to ECI`;
    return { ...leftToEci, reason: staleness.reason, why, warnings: [`no image cache chosen: ${why}`] };
  }
  if (placement.unknown) {
    const { name } = placement.unknown;
    const why = `the pod's ${name} is not known, as it allows ${describeAllowed(placement.unknown)}: the choice is left to ECI`;
    return { ...leftToEci, reason: 'PlacementNotKnown', why, warnings: [] };
  }
  return undefined;
}

/**
 * The value for ECI's own matching: true if the pod asks for matching. Undefined, which changes nothing, if only
 * pin.notReady: auto makes the webhook match.
 */
function autoOf({ request }: DecisionContext): true | undefined {
  return request.auto ? true : undefined;
}

/**
 * The marker, and the value for ECI's own matching: off if our controller makes the cache, so that ECI makes none. The maker
 * is undefined if nobody is asked.
 */
function askForCache(context: DecisionContext): {
  readonly auto: boolean | undefined;
  readonly createOnMiss: string | undefined;
  readonly maker: ChosenMaker | undefined;
} {
  const createOnMiss = createOnMissMarker(context);
  const maker = createOnMiss === undefined ? undefined : makerOf(context);
  return { auto: maker?.by === 'controller' ? false : autoOf(context), createOnMiss, maker };
}

/** Continues the sentence about a miss, if the maker is chosen for each pod. */
function whoMakesOne({ options }: DecisionContext, maker: ChosenMaker | undefined): string {
  if (maker === undefined || options.createOnMiss.by !== 'auto') return '';
  return `; ${maker.by === 'eci' ? 'ECI makes one' : 'the controller is asked for one'}, as ${maker.because}`;
}

/** What follows from a match; `why` continues the sentence that describes it. */
type MatchedResult = Omit<StepResult, 'warnings' | 'match'>;

function miss(
  context: DecisionContext,
  { considered }: MatchResult,
  pinWarning: string | undefined,
): MatchedResult {
  const { maker, ...writing } = askForCache(context);
  return {
    outcome: 'miss',
    reason: considered === 0 ? 'NoCacheHoldsImages' : 'NoCacheQualifies',
    why: whoMakesOne(context, maker),
    writing: { pin: removalOf(pinWarning), ...writing },
    maker: maker?.by,
  };
}

function completeHit(context: DecisionContext, { cache }: Candidate): MatchedResult {
  return {
    outcome: 'hit',
    reason: 'BestMatch',
    why: '',
    cacheId: cache.id,
    cache,
    writing: { pin: pinOf(cache), auto: autoOf(context), createOnMiss: undefined },
  };
}

/**
 * The result if the best cache lacks some of the images. ECI itself may find a complete cache in the whole region, or
 * make one, but an ID that the webhook writes would prevent both (docs/domain.md, "Partial matches").
 */
function partialHit(
  context: DecisionContext,
  { cache }: Candidate,
  pinWarning: string | undefined,
): MatchedResult {
  const { when, by } = context.options.createOnMiss;
  const createOnMiss = when === 'incomplete' ? createOnMissMarker(context) : undefined;
  const maker = makerOf(context);
  const isMade = createOnMiss !== undefined && maker.by === 'controller';
  const made = isMade ? ', and the controller is asked for a complete one' : '';
  const writing = { auto: autoOf(context), createOnMiss };
  const common = { maker: createOnMiss === undefined ? undefined : maker.by };
  const use = whyPartialIsUsed(context, maker);
  if (use === undefined) {
    const because = by === 'auto' ? `, and ${maker.because}` : '';
    return {
      ...common,
      outcome: 'partial',
      reason: 'PartialMatchLeftToEci',
      why: `; the choice is left to ECI, which knows all caches of the region${made}${because}`,
      writing: { pin: removalOf(pinWarning), ...writing },
    };
  }
  return {
    ...common,
    outcome: 'partial',
    reason: 'PartialMatch',
    why: `; it is used, as ${use}${made}`,
    cacheId: cache.id,
    cache,
    writing: { pin: pinOf(cache), ...writing },
  };
}

/** Undefined if a partial match is left to ECI. */
function whyPartialIsUsed({ options, request }: DecisionContext, maker: ChosenMaker): string | undefined {
  if (options.partialHits === 'use') return 'partialHits is use';
  if (options.partialHits === 'leave') return undefined;
  if (request.requirement.kind !== 'minimum') return 'it has the match degree that the pod asks for';
  return maker.by === 'controller' ? maker.because : undefined;
}

/** Only a cache with an ID passes the filters. */
function pinOf({ id }: ImageCache): { readonly id: string } | undefined {
  return id === undefined ? undefined : { id };
}

/** Warnings about requests that no cache can ever satisfy. */
function impossibleRequests({ request: { requirement }, images }: DecisionContext): string[] {
  const warnings = images.invalid.map(
    (text) => `image ${quote(text)} is no valid reference: no image cache can hold it`,
  );
  if (images.count > MAX_CACHE_IMAGES) {
    warnings.push(
      `the pod has ${images.count} distinct images and an image cache at most ${MAX_CACHE_IMAGES}: none can hold them all`,
    );
  }
  if (requirement.kind === 'count' && requirement.count > mostInOneCache(images)) {
    warnings.push(
      `the pod asks for ${requirement.count} matching images and has ${images.count}: no image cache can qualify`,
    );
  }
  return warnings;
}

/** How many of a pod's images one cache can hold. */
function mostInOneCache({ count }: PodImages): number {
  return Math.min(count, MAX_CACHE_IMAGES);
}

/**
 * The marker that asks for a cache. Undefined if no cache that is made could serve the pod: an image is no valid
 * reference, or the pod asks for more images than a cache can hold. And undefined if neither a sign of ECI nor an
 * annotation says that the pod is for ECI, because a cache costs money.
 */
function createOnMissMarker({ images, sign, request }: DecisionContext): string | undefined {
  const { autoKey, requirement } = request;
  const needed =
    requirement.kind === 'perfect' ? images.count : requirement.kind === 'count' ? requirement.count : 1;
  const canBeMade = images.invalid.length === 0 && needed <= mostInOneCache(images);
  const isMeantForEci = sign !== undefined || autoKey !== undefined;
  return canBeMade && isMeantForEci ? imageSetHash(images.references) : undefined;
}
