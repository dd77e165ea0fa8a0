/**
 * The pin: an ID that the user wrote is a hard reference, and ECI fails the pod if that cache is not Ready
 * (docs/domain.md, "Pins"). ECI also makes caches that have no object in the cluster, so an unknown ID may be right.
 */
import { EXTRA_STORAGE, PIN } from '../annotations.ts';
import { formatBytes } from '../kubernetes/quantity.ts';
import { decideByMatching } from './auto-match.ts';
import { denied, filterContext, indexStaleness, type DecisionContext, type StepResult } from './context.ts';
import { NO_MATCH } from './match/degree.ts';
import { describePinRefusal } from './match/diagnosis.ts';
import { PIN_FILTERS, refusalOf } from './match/filters.ts';
import { quote } from '../kubernetes/problem.ts';
import type { Writing } from './write.ts';

export function decideOnPin(context: DecisionContext, id: string): StepResult {
  const { view, options, request } = context;
  const writing: Writing = { pin: { id }, auto: undefined, createOnMiss: undefined };
  const kept = { outcome: 'pinned', cacheId: id, writing } as const;

  const staleness = indexStaleness(context);
  if (staleness) {
    const why = `${quote(id)} is kept unchecked: ${staleness.why}`;
    return { ...kept, reason: 'PinnedUnchecked', why, warnings: [`image cache ${why}`] };
  }

  const cache = view.cacheById(id);
  if (!cache) {
    const why = `${quote(id)} has no ImageCache in this cluster`;
    if (options.pin.unknown === 'deny') return denied('ImageCacheNotFound', `image cache ${why}`, id);
    const hint = `image cache ${why}; if ECI does not know it either, the pod fails`;
    return { ...kept, reason: 'PinnedUnknown', why, warnings: [hint] };
  }

  const refusal = refusalOf({ cache, degree: NO_MATCH }, filterContext(context, 0), PIN_FILTERS);
  if (refusal) {
    const why = describePinRefusal(cache, refusal);
    switch (options.pin.notReady) {
      case 'deny': {
        const advice = `wait until it is, or remove ${PIN.modern}`;
        return denied('ImageCacheNotComplete', `${why}: ${advice}`, id, cache);
      }
      case 'warn':
        return { ...kept, reason: 'PinnedNotReady', why, cache, warnings: [`${why}; ECI fails such a pod`] };
      case 'auto':
        return decideByMatching(context, `${why}; it is replaced by automatic matching`);
    }
  }

  const storage = formatBytes(request.storageBytes);
  const tooLarge = `image cache ${quote(id)} is ${formatBytes(cache.sizeBytes)}, more than the pod's storage of ${storage}: set ${EXTRA_STORAGE}`;
  return {
    ...kept,
    reason: 'Pinned',
    why: `the pod pins ImageCache ${cache.name}, which is Ready`,
    cache,
    warnings: cache.sizeBytes > request.storageBytes ? [tooLarge] : [],
  };
}
