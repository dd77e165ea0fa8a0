/**
 * Automatic matching: what the best match means for the pod, and what ECI's own matching is told. Which cache is best
 * is decided in match/.
 */
import { imageSetHash, type PodImages } from '../image/image-set.ts';
import { filterContext, indexStaleness, type DecisionContext, type StepResult } from './context.ts';
import { describeMatch } from './match/diagnosis.ts';
import { findBestMatch } from './match/matcher.ts';
import { quote } from '../kubernetes/problem.ts';

/** @param pinWarning set if automatic matching replaces a pin: the warning that says so */
export function decideByMatching(context: DecisionContext, pinWarning?: string): StepResult {
  const { view, options, images, request } = context;
  // With pin.notReady: auto, a pin is replaced even if automatic matching is switched off; that annotation is then left
  // alone.
  const auto = request.auto ? true : undefined;
  const staleness = indexStaleness(context);
  if (staleness) {
    const why = `${staleness.why}: the choice is left to ECI`;
    return {
      outcome: 'skipped',
      reason: staleness.reason,
      why,
      warnings: [`no image cache chosen: ${why}`],
      writing: { pin: undefined, auto, createOnMiss: undefined },
    };
  }

  // An image of unknown size counts as 0.
  const targetBytes = images.references.reduce((sum, { key }) => sum + (view.imageSize(key) ?? 0), 0);
  const filtering = filterContext(context, options.expiryMarginMs);
  const match = findBestMatch({ ...filtering, images: images.references, targetBytes }, view);
  const found = {
    why: describeMatch(match, images.count),
    warnings: [...(pinWarning === undefined ? [] : [pinWarning]), ...impossibleRequests(context)],
    match,
  };

  if (match.winner?.cache.id === undefined) {
    return {
      ...found,
      outcome: 'miss',
      reason: match.considered === 0 ? 'NoCacheHoldsImages' : 'NoCacheQualifies',
      writing: {
        pin: pinWarning === undefined ? undefined : 'none',
        // If our controller makes the cache, ECI must not make a second one.
        auto: options.createOnMiss.by === 'controller' ? false : auto,
        createOnMiss: createOnMissMarker(images),
      },
    };
  }
  const { cache, degree } = match.winner;
  const incomplete = options.createOnMiss.when === 'incomplete' && degree.exact < images.count;
  return {
    ...found,
    outcome: 'hit',
    reason: 'BestMatch',
    cacheId: cache.id,
    cache,
    writing: {
      pin: { id: match.winner.cache.id },
      auto,
      createOnMiss: incomplete ? createOnMissMarker(images) : undefined,
    },
  };
}

/** Warnings about requests that no cache can ever satisfy. */
function impossibleRequests({ request: { requirement }, images }: DecisionContext): string[] {
  const warnings = images.invalid.map(
    (text) => `image ${quote(text)} is no valid reference: no image cache can hold it`,
  );
  if (requirement.kind === 'count' && requirement.count > images.count) {
    warnings.push(
      `the pod asks for ${requirement.count} matching images and has ${images.count}: no image cache can qualify`,
    );
  }
  return warnings;
}

/** Undefined if an image is no valid reference: nothing can pull it, so no cache can be made. */
function createOnMissMarker(images: PodImages): string | undefined {
  return images.invalid.length > 0 ? undefined : imageSetHash(images.references);
}
