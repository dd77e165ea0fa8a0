/**
 * The pin: the ID that the user wrote. ECI fails the pod if the pinned cache is not Ready, but an ID that the cluster
 * does not know may be valid, because ECI also makes caches without an object (docs/domain.md, "Pins").
 */
import { EXTRA_STORAGE, PIN } from '../annotations.ts';
import { decideByMatching } from './auto-match.ts';
import { denied, filterContext, indexStaleness, type DecisionContext, type StepResult } from './context.ts';
import { NO_MATCH } from './match/degree.ts';
import { describePinRefusal } from './match/diagnosis.ts';
import { PIN_FILTERS, refusalOf, PIN_WARNING_FILTERS, type Refusal } from './match/filters.ts';
import type { ImageCache } from '../image-cache.ts';
import { quote } from '../kubernetes/problem.ts';
import { isHidden, ownerOf, tenantOf } from './sharing.ts';
import type { Writing } from './write.ts';

export function decideOnPin(context: DecisionContext, id: string): StepResult {
  const { user, view, options, request } = context;
  // If the user switched automatic matching off under one name, it is switched off under the dialect's names too.
  const auto = request.autoKey !== undefined && !request.auto ? false : undefined;
  const writing: Writing = { pin: { id }, auto, createOnMiss: undefined };
  const kept = { outcome: 'pinned', cacheId: id, writing } as const;

  const staleness = indexStaleness(context);
  if (staleness) {
    const why = `${quote(id)} is kept unchecked: ${staleness.why}`;
    const warnings = [`image cache ${why}`, ...pinWarnings(context, undefined, id)];
    return { ...kept, reason: 'PinnedUnchecked', why, warnings };
  }

  const tenant = tenantOf(user.namespace, view, options.sharing.mode);
  // What ECI's API alone knows decides no pin: replicas may have read other lists, and `imc explain` shows it.
  const claimants = view.cachesById(id).filter(({ knownFrom }) => knownFrom !== 'api');
  const cache = claimants.find((each) => !isHidden(each, tenant));
  if (!cache && claimants.some((each) => ownerOf(each, tenant) === 'others')) {
    // Names only what the user wrote: the cache itself is another namespace's.
    const why = `image cache ${quote(id)} belongs to another namespace`;
    return denied('NotShared', `${why}: remove ${PIN.modern}, or ask for one of your own`, id);
  }
  if (!cache && claimants.length > 0) {
    const why = `${quote(id)} is kept unchecked: it was made with pull secrets of another namespace`;
    return { ...kept, reason: 'PinnedUnchecked', why, warnings: [`image cache ${why}`] };
  }
  if (!cache) {
    const why = `${quote(id)} has no ImageCache in this cluster`;
    if (options.pin.unknown === 'deny') return denied('ImageCacheNotFound', `image cache ${why}`, id);
    const hint = `image cache ${why}; if ECI does not know it either, the pod fails`;
    return {
      ...kept,
      reason: 'PinnedUnknown',
      why,
      warnings: [hint, ...pinWarnings(context, undefined, id)],
    };
  }

  // What the API says may be a minute old: that is no reason to deny a pod.
  const asObject = { ...cache, apiPhase: undefined };
  const refusal = refusalOf({ cache: asObject, degree: NO_MATCH }, filterContext(context, 0), PIN_FILTERS);
  if (refusal) {
    const why = describePinRefusal(cache, refusal);
    const pinRefusals = [refusal];
    switch (options.pin.notReady) {
      case 'deny': {
        const advice = `wait until it is, or remove ${PIN.modern}`;
        return { ...denied('ImageCacheNotComplete', `${why}: ${advice}`, id, cache), pinRefusals };
      }
      case 'warn': {
        const warnings = [`${why}; ECI fails such a pod`, ...pinWarnings(context, cache, id)];
        return { ...kept, reason: 'PinnedNotReady', why, cache, warnings, pinRefusals };
      }
      case 'auto': {
        const replaced =
          auto === false
            ? removedPin(context, why)
            : decideByMatching(context, `${why}; it is replaced by automatic matching`);
        return { ...replaced, pinRefusals };
      }
    }
  }

  return {
    ...kept,
    reason: 'Pinned',
    why: `the pod pins ImageCache ${cache.name}, which is Ready`,
    cache,
    warnings: pinWarnings(context, cache, id),
    pinRefusals: mismatches(context, cache),
  };
}

/** The result with pin.notReady: auto, if the pod switches automatic matching off: the pin is removed, not replaced. */
function removedPin({ request }: DecisionContext, why: string): StepResult {
  const removed = `${why}; the pin is removed, and ${request.autoKey} switches automatic matching off`;
  return {
    outcome: 'skipped',
    reason: 'AutoMatchOff',
    why: removed,
    warnings: [removed],
    writing: { pin: 'none', auto: false, createOnMiss: undefined },
  };
}

/** What of a pinned cache does not suit the pod, though ECI honours the pin. */
function mismatches(context: DecisionContext, cache: ImageCache): Refusal[] {
  const filtering = filterContext(context, 0);
  return PIN_WARNING_FILTERS.flatMap(
    (filter) => refusalOf({ cache, degree: NO_MATCH }, filtering, [filter]) ?? [],
  );
}

/** @param cache undefined if it is not known */
function pinWarnings(context: DecisionContext, cache: ImageCache | undefined, id: string): string[] {
  const refusals = cache ? mismatches(context, cache) : [];
  const warnings = refusals.map(({ code, message }) => {
    const advice = code === 'TooLarge' ? `: set ${EXTRA_STORAGE}` : '';
    return `image cache ${quote(id)} ${message}${advice}`;
  });
  return context.request.encrypted
    ? [...warnings, `the pod asks for encrypted storage, which it does not get with image cache ${quote(id)}`]
    : warnings;
}
