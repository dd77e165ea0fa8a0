/**
 * The decision: scope, profile effects, request, pin or automatic match, write, in that order (docs/architecture.md,
 * "The decision"). Each step has its own file; this file puts them in order and gathers what they found.
 * Pure: the same pod, view, options and time give the same decision.
 */
import { AUTO, CREATE_ON_MISS, DECISION } from '../annotations.ts';
import type { ImageCache } from '../image-cache.ts';
import { MAX_POD_IMAGES, podImages, type PodImages } from '../image/image-set.ts';
import type { StringMap } from '../kubernetes/json.ts';
import { Unreadable } from '../kubernetes/problem.ts';
import { readPod, UNREAD_POD, type Pod } from '../pod.ts';
import { decideByMatching } from './auto-match.ts';
import { denied, type DecisionContext, type Moment, type StepResult } from './context.ts';
import { degreeOf, NO_MATCH, wantedImages, type Degree } from './match/degree.ts';
import type { MatchResult } from './match/matcher.ts';
import type { DecisionOptions } from './options.ts';
import { decideOnPin } from './pin.ts';
import { applyEffects, matchingSelectors } from './profile/effects.ts';
import { asUserWroteIt, recordDecision } from './provenance.ts';
import {
  containersThatPullAnyway,
  enforceIfNotPresent,
  MAX_ENFORCED_CONTAINERS,
  pullWarning,
} from './pull-policy.ts';
import type { Outcome, ReasonCode } from './reasons.ts';
import { asksForImageCache, readRequest, type Request } from './request.ts';
import { signOfEci } from './scope.ts';
import type { View } from './view.ts';
import { limitWarnings } from './warnings.ts';
import { withoutRemovals, writeAnnotations } from './write.ts';

export interface Decision {
  readonly outcome: Outcome;
  readonly reason: ReasonCode;
  /** One sentence. */
  readonly why: string;
  /** The ID of the cache that the pod starts from, or of the one that it asked for and was denied. */
  readonly cacheId: string | undefined;
  /** The object of that cache, if the cluster has one. */
  readonly cache: ImageCache | undefined;
  readonly degree: Degree;
  /** Few, and short enough for an AdmissionResponse. */
  readonly warnings: readonly string[];
  /** The pod as it should become. Means nothing if the pod is denied. */
  readonly pod: Pod;
  /** What shows that the pod goes to ECI. This and the following are undefined if the decision ended before. */
  readonly sign?: string | undefined;
  /** Names of the profile selectors whose effects were applied. */
  readonly effects?: readonly string[];
  readonly request?: Request;
  readonly images?: PodImages;
  readonly match?: MatchResult | undefined;
  /** The hash of the image set that a cache should be made for. */
  readonly createOnMiss?: string | undefined;
}

/**
 * Decides which ImageCache a pod starts from.
 * @param seen the pod as the API server sent it, with what an earlier decision of ours wrote
 */
export function decide(
  seen: Pod,
  view: View,
  options: DecisionOptions,
  nowMs: number,
  moment: Moment = 'creation',
): Decision {
  const profile = view.profile();
  const user = asUserWroteIt(seen, profile);
  const matching = matchingSelectors(profile, user.labels, view.namespaceLabels(user.namespace));
  const sign = signOfEci(user, view, matching, options.scope);
  const waitsForNode =
    options.bindTime && moment === 'creation' && user.nodeName === undefined && sign?.certain !== true;
  // Effects are for pods that go to ECI. Without a sign of ECI, only selectors without constraints match.
  const applied = sign === undefined || waitsForNode ? [] : matching;
  // A binding can change annotations only, so labels and containers stay as they are.
  const base = moment === 'creation' ? user : { ...user, labels: seen.labels, containers: seen.containers };
  const effects = applyEffects(base, applied);
  const metadata = moment === 'creation' ? effects : { ...effects, labels: base.labels };
  if (sign === undefined && !asksForImageCache(metadata.annotations)) {
    return leftAlone(user, 'NotForEci', 'the pod is not bound for ECI and asks for no image cache');
  }

  if (!view.supportsImageCaches()) {
    const why = 'image caches are not supported here: the cluster does not have the ImageCache resource';
    const asks = asksForImageCache(user.annotations);
    return leftAlone(user, 'ImageCachesUnsupported', why, asks ? [why] : []);
  }

  const images = podImages(user.containers);
  if (!images) {
    const why = `the pod has more than ${MAX_POD_IMAGES} distinct images: no image cache is chosen for it`;
    return leftAlone(user, 'TooManyImages', why, [why]);
  }

  const { request, malformed, conflicts } = readRequest(metadata.annotations, sign !== undefined);
  const context: DecisionContext = {
    moment,
    seen,
    user,
    base,
    metadata,
    sign,
    waitsForNode,
    effects: applied.map((selector) => selector.name),
    request,
    images,
    view,
    options,
    nowMs,
  };
  const result =
    malformed.length > 0 && options.onInvalidAnnotation === 'deny'
      ? denied('InvalidAnnotation', malformed.join('; '))
      : decideOnRequest(context);
  return conclude(context, {
    ...result,
    warnings: [
      ...malformed,
      ...conflicts,
      ...lostLabels(effects.labels, metadata.labels),
      ...result.warnings,
    ],
  });
}

/**
 * Reads a pod from JSON and decides on it.
 * @param namespace the namespace of the request; undefined if it names none
 */
export function decideOnJson(
  object: unknown,
  namespace: string | undefined,
  view: View,
  options: DecisionOptions,
  nowMs: number,
): { readonly seen: Pod; readonly decision: Decision } {
  try {
    const seen = readPod(object, namespace);
    return { seen, decision: decide(seen, view, options, nowMs) };
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    return { seen: UNREAD_POD, decision: decideOnUnreadable(error) };
  }
}

/** The decision for a pod that cannot be read: it is left alone, and the API server refuses it itself. */
export function decideOnUnreadable({ message }: Unreadable): Decision {
  const why = `the pod cannot be read: ${message}`;
  return leftAlone(UNREAD_POD, 'PodUnreadable', why, [why]);
}

/** Warns about the profile's labels that a binding cannot write. */
function lostLabels(wanted: StringMap, kept: StringMap): string[] {
  if (wanted === kept) return [];
  const keys = [...wanted.keys()].filter((key) => !kept.has(key));
  if (keys.length === 0) return [];
  return [`the profile's labels ${keys.join(', ')} are not added: a binding takes annotations alone`];
}

/** A decision that ends before the request is read. */
export function leftAlone(
  pod: Pod,
  reason: ReasonCode,
  why: string,
  warnings: readonly string[] = [],
): Decision {
  return {
    outcome: 'skipped',
    reason,
    why,
    cacheId: undefined,
    cache: undefined,
    degree: NO_MATCH,
    warnings: limitWarnings(warnings),
    pod,
  };
}

function decideOnRequest(context: DecisionContext): StepResult {
  const { request, sign, waitsForNode } = context;
  if (waitsForNode) {
    const why = 'the pod may come to run on a normal node: it is decided when it is bound';
    return { outcome: 'skipped', reason: 'NodeNotKnown', why, warnings: [] };
  }
  if (request.pin !== undefined) return decideOnPin(context, request.pin);
  if (request.auto) return decideByMatching(context);
  if (request.autoKey !== undefined) {
    const why = `${request.autoKey} switches automatic matching off`;
    return { outcome: 'skipped', reason: 'AutoMatchOff', why, warnings: [] };
  }
  const why = 'the pod is not known to go to ECI, and no annotation switches automatic matching on';
  const wantsMore = sign === undefined && request.requirement.kind !== 'minimum';
  const hint = `the requested match degree has no effect without ${AUTO.modern}: "true"`;
  return { outcome: 'skipped', reason: 'AutoMatchOff', why, warnings: wantsMore ? [hint] : [] };
}

/** Writes the result into the pod, and puts together what readers of a decision want. */
function conclude(context: DecisionContext, result: StepResult): Decision {
  const { moment, user, base, sign, effects, request, images, options } = context;
  const { outcome, reason, why, cacheId, cache, match, writing } = result;
  const pulling =
    cache && writing && options.pullPolicy !== 'keep'
      ? containersThatPullAnyway(base.containers, cache, images)
      : [];
  const enforces =
    options.pullPolicy === 'enforce' && moment === 'creation' && pulling.length <= MAX_ENFORCED_CONTAINERS;
  const pullWarnings = pulling.length > 0 && !enforces ? [pullWarning(pulling)] : [];
  const pod = enforceIfNotPresent(base, enforces ? pulling : []);
  const degree =
    match?.winner?.degree ?? (cache ? degreeOf(wantedImages(images.references), cache.images) : NO_MATCH);
  return {
    outcome,
    reason,
    why,
    cacheId,
    cache,
    degree,
    warnings: limitWarnings([...result.warnings, ...pullWarnings]),
    pod: outcome === 'denied' ? user : writtenPod(context, result, pod),
    sign: sign?.text,
    effects,
    request,
    images,
    match,
    createOnMiss: writing?.createOnMiss,
  };
}

function writtenPod(
  { moment, seen, user, metadata, request, options }: DecisionContext,
  { outcome, why, writing }: StepResult,
  pod: Pod,
): Pod {
  // Effects only ever add, so equal sizes mean that nothing was written, and nothing needs a record.
  const { annotations: asked, labels: labelled } = metadata;
  const isUntouched = asked.size === user.annotations.size && labelled.size === user.labels.size;
  if (!writing && isUntouched && (moment === 'creation' || user === seen)) return pod;
  const wanted = writing ? writeAnnotations(asked, request, writing, options.dialect) : new Map(asked);
  const annotations = moment === 'binding' ? withoutRemovals(seen.annotations, wanted) : wanted;
  const marker = moment === 'creation' ? writing?.createOnMiss : undefined;
  const labels = marker === undefined ? labelled : new Map(labelled).set(CREATE_ON_MISS, marker);
  const written = { ...pod, annotations, labels };
  annotations.set(DECISION, recordDecision({ outcome, why }, user, written));
  return written;
}
