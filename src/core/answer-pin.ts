/**
 * Owns step 4, the pin: an ID that the user wrote is a hard reference, and ECI fails the pod if that cache is not
 * Ready (seed 000, "Specify an image cache"). Caches that ECI made by itself have no object in the cluster.
 */
import { EXTRA_STORAGE, PIN } from './annotation/keys.ts';
import { quote } from './annotation/request.ts';
import type { Writing } from './annotation/write.ts';
import { answerAutoMatch } from './answer-auto-match.ts';
import { nextChangeOf, PIN_FILTERS, refusalOf } from './match/filters.ts';
import { NO_MATCH } from './match/score.ts';
import { pinSentence } from './match/why.ts';
import { formatBytes } from './quantity.ts';
import { denied, filterContext, stalenessOf, type Answer, type Question } from './question.ts';

export function answerPin(question: Question, id: string): Answer {
  const { view, config, request } = question;
  const writing: Writing = { pin: { id }, auto: undefined, createOnMiss: undefined };
  const kept = { outcome: 'pinned', cacheId: id, writing } as const;

  const staleness = stalenessOf(question);
  if (staleness) {
    const why = `${quote(id)} is kept unchecked: ${staleness.why}`;
    return { ...kept, reason: 'PinnedUnchecked', why, warnings: [`image cache ${why}`] };
  }

  const cache = view.cacheById(id);
  if (!cache) {
    const why = `${quote(id)} has no ImageCache in this cluster`;
    if (config.pin.unknown === 'deny') return denied('ImageCacheNotFound', `image cache ${why}`, id);
    const hint = `image cache ${why}; if ECI does not know it either, the pod fails`;
    return { ...kept, reason: 'PinnedUnknown', why, warnings: [hint] };
  }

  const context = filterContext(question, 0);
  const validUntil = nextChangeOf(cache, context);
  const refusal = refusalOf({ cache, degree: NO_MATCH }, context, PIN_FILTERS);
  if (refusal) {
    const why = pinSentence(cache, refusal);
    switch (config.pin.notReady) {
      case 'deny':
        return {
          ...denied('ImageCacheNotComplete', `${why}: wait until it is, or remove ${PIN.modern}`, id, cache),
          validUntil,
        };
      case 'warn':
        return {
          ...kept,
          reason: 'PinnedNotReady',
          why,
          cache,
          warnings: [`${why}; ECI fails such a pod`],
          validUntil,
        };
      case 'auto': {
        const answer = answerAutoMatch(question, `${why}; it is replaced by automatic matching`);
        return {
          ...answer,
          validUntil: Math.min(validUntil, answer.validUntil ?? Infinity),
          // The pinned cache, too, may become another.
          reach: undefined,
        };
      }
    }
  }

  const storage = formatBytes(request.storageBytes);
  const tooLarge = `image cache ${quote(id)} is ${formatBytes(cache.sizeBytes)}, more than the pod's storage of ${storage}: set ${EXTRA_STORAGE}`;
  const warnings = cache.sizeBytes > request.storageBytes ? [tooLarge] : [];
  return {
    ...kept,
    reason: 'Pinned',
    why: `the pod pins ImageCache ${cache.name}, which is Ready`,
    cache,
    warnings,
    validUntil,
  };
}
