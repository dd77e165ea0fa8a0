/**
 * Owns steps 5 and 6, automatic matching, as an answer: what the matcher found, what it means for the pod, and what
 * ECI is told. Filters, degree and order are match/'s.
 */
import { quote } from './annotation/request.ts';
import { imageSetHash, type PodImages } from './image/pod-images.ts';
import { matchImages } from './match/matcher.ts';
import { matchSentence } from './match/why.ts';
import { filterContext, stalenessOf, type Answer, type Question } from './question.ts';

/** @param pinDropped the warning about a pin that automatic matching replaces, if there is one */
export function answerAutoMatch(question: Question, pinDropped?: string): Answer {
  const { view, config, images, request } = question;
  /** What ECI is told about matching by itself. A pin may be replaced although the user has switched it off. */
  const auto = request.auto ? true : undefined;
  const staleness = stalenessOf(question);
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

  const targetBytes = images.references.reduce((sum, { key }) => sum + (view.imageSize(key) ?? 0), 0);
  const match = matchImages(
    { ...filterContext(question, config.expiryMargin), images: images.references, targetBytes },
    view,
  );
  const found = {
    why: matchSentence(match, images.count),
    warnings: [...(pinDropped === undefined ? [] : [pinDropped]), ...hopelessWishes(question)],
    match,
    validUntil: match.validUntil,
    reach: match.reach,
  };

  if (match.winner?.cache.id === undefined) {
    return {
      ...found,
      outcome: 'miss',
      reason: match.considered === 0 ? 'NoCacheHoldsImages' : 'NoCacheQualifies',
      writing: {
        pin: pinDropped === undefined ? undefined : 'none',
        // Where our controller makes the cache, ECI must not make a second one.
        auto: config.createOnMiss.by === 'controller' ? false : auto,
        createOnMiss: markerOf(images),
      },
    };
  }
  const { cache, degree } = match.winner;
  const incomplete = config.createOnMiss.when === 'incomplete' && degree.exact < images.count;
  return {
    ...found,
    outcome: 'hit',
    reason: 'BestMatch',
    cacheId: cache.id,
    cache,
    writing: {
      pin: { id: match.winner.cache.id },
      auto,
      createOnMiss: incomplete ? markerOf(images) : undefined,
    },
  };
}

/** Requests that no cache can ever fulfil. */
function hopelessWishes({ request: { requirement }, images }: Question): string[] {
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

/** Undefined where an image is no valid reference: nothing can pull it, so no cache can be made. */
function markerOf(images: PodImages): string | undefined {
  return images.invalid.length > 0 ? undefined : imageSetHash(images.references);
}
