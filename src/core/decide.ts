/**
 * Owns the decision: scope, profile effects, request, pin or match, write, in that order (design.md, "The decision, in
 * order"). Each step lives in its own file; this one puts them in order and gathers what they found.
 * Pure: same pod, same view, same options, same time, same answer.
 */
import { AUTO, CREATE_ON_MISS, DECISION } from './annotation/keys.ts';
import { asUserWroteIt, recordDecision } from './annotation/provenance.ts';
import { asksForImageCache, readRequest, type Request } from './annotation/request.ts';
import { withoutRemovals, writeAnnotations } from './annotation/write.ts';
import { answerAutoMatch } from './answer-auto-match.ts';
import { answerPin } from './answer-pin.ts';
import type { DecisionConfig } from './config.ts';
import type { ImageCache } from './image-cache.ts';
import { podImages, type PodImages } from './image/pod-images.ts';
import type { MatchResult } from './match/matcher.ts';
import { NO_REACH, type Reach } from './match/reach.ts';
import type { Outcome, ReasonCode } from './match/reason.ts';
import { degreeOf, NO_MATCH, wantedImages, type Degree } from './match/score.ts';
import { readPod, UNREAD_POD, type Pod } from './pod.ts';
import { applyEffects, matchingSelectors } from './profile/effect.ts';
import { containersThatPullAnyway, enforceIfNotPresent, pullWarning } from './pull-policy.ts';
import { denied, type Answer, type Moment, type Question } from './question.ts';
import { signOfEci } from './scope.ts';
import { Unreadable, type StringMap } from './json.ts';
import type { View } from './view.ts';
import { limitWarnings } from './warnings.ts';

export interface Decision {
  readonly outcome: Outcome;
  readonly reason: ReasonCode;
  /** One sentence. */
  readonly why: string;
  /** The cache that the pod starts from, or was denied; undefined where there is none. */
  readonly cacheId: string | undefined;
  /** Its object, where the cluster has one. */
  readonly cache: ImageCache | undefined;
  readonly degree: Degree;
  /** Few, and short enough for an AdmissionResponse. */
  readonly warnings: readonly string[];
  /**
   * Until when the same pod has the same decision if nothing but the time changes, as long as the index is up to date
   * or is not; in milliseconds since 1970.
   */
  readonly validUntil: number;
  /** Which ImageCaches it depends on; undefined: on any. */
  readonly reach: Reach | undefined;
  /** The pod as it is to be; the patch is its difference to the pod as it was seen. Means nothing where denied. */
  readonly pod: Pod;
  /** What shows that the pod goes to ECI. This and what follows are undefined where the decision did not get so far. */
  readonly sign?: string | undefined;
  /** Names of the profile selectors whose effects were applied. */
  readonly effects?: readonly string[];
  readonly request?: Request;
  readonly images?: PodImages;
  readonly match?: MatchResult | undefined;
  /** The hash of the image set that a cache is asked for. */
  readonly createOnMiss?: string | undefined;
}

/**
 * Decides which ImageCache a pod starts from.
 * @param seen the pod as the API server sent it, our own earlier output included
 * @param now milliseconds since 1970
 */
export function decide(
  seen: Pod,
  view: View,
  config: DecisionConfig,
  now: number,
  moment: Moment = 'creation',
): Decision {
  const profile = view.profile();
  const user = asUserWroteIt(seen, profile);
  const matching = matchingSelectors(profile, user.labels, view.namespaceLabels(user.namespace));
  const sign = signOfEci(user, view, matching, config.scope);
  const waitsForNode =
    config.bindTime && moment === 'creation' && user.nodeName === undefined && sign?.certain !== true;
  // Effects are for pods that go to ECI; without a sign no selector picked this one out.
  const applied = sign === undefined || waitsForNode ? [] : matching;
  // At a binding nothing but annotations can be written: the rest is as it has become.
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

  const { request, malformed, conflicts } = readRequest(metadata.annotations, sign !== undefined);
  const question: Question = {
    moment,
    seen,
    user,
    base,
    metadata,
    sign,
    waitsForNode,
    effects: applied.map((selector) => selector.name),
    request,
    images: podImages(user.containers),
    view,
    config,
    now,
  };
  const answer =
    malformed.length > 0 && config.onInvalidAnnotation === 'deny'
      ? denied('InvalidAnnotation', malformed.join('; '))
      : answerRequest(question);
  return conclude(question, {
    ...answer,
    warnings: [
      ...malformed,
      ...conflicts,
      ...labelsLost(effects.labels, metadata.labels),
      ...answer.warnings,
    ],
  });
}

/**
 * Reads a pod from JSON and decides on it; one that cannot be read is left alone, with a warning.
 * @param namespace the namespace of the request; undefined where it names none
 */
export function decideOnJson(
  object: unknown,
  namespace: string | undefined,
  view: View,
  config: DecisionConfig,
  now: number,
): { readonly seen: Pod; readonly decision: Decision } {
  try {
    const seen = readPod(object, namespace);
    return { seen, decision: decide(seen, view, config, now) };
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    const why = `the pod cannot be read: ${error.message}`;
    return { seen: UNREAD_POD, decision: leftAlone(UNREAD_POD, 'PodUnreadable', why, [why]) };
  }
}

/** The profile's labels that cannot be written. */
function labelsLost(wanted: StringMap, kept: StringMap): string[] {
  if (wanted === kept) return [];
  const keys = [...wanted.keys()].filter((key) => !kept.has(key));
  if (keys.length === 0) return [];
  return [`the profile's labels ${keys.join(', ')} are not added: a binding takes annotations alone`];
}

/** A decision that was over before there was a request. */
function leftAlone(pod: Pod, reason: ReasonCode, why: string, warnings: readonly string[] = []): Decision {
  return {
    outcome: 'skipped',
    reason,
    why,
    cacheId: undefined,
    cache: undefined,
    degree: NO_MATCH,
    warnings: limitWarnings(warnings),
    validUntil: Infinity,
    reach: NO_REACH,
    pod,
  };
}

function answerRequest(question: Question): Answer {
  const { request, sign, waitsForNode } = question;
  if (waitsForNode) {
    const why = 'the pod may come to run on a normal node: it is decided when it is bound';
    return { outcome: 'skipped', reason: 'NodeNotKnown', why, warnings: [] };
  }
  if (request.pin !== undefined) return answerPin(question, request.pin);
  if (request.auto) return answerAutoMatch(question);
  if (request.autoKey !== undefined) {
    const why = `${request.autoKey} switches automatic matching off`;
    return { outcome: 'skipped', reason: 'AutoMatchOff', why, warnings: [] };
  }
  const why = 'the pod is not known to go to ECI, and no annotation switches automatic matching on';
  const wantsMore = sign === undefined && request.requirement.kind !== 'minimum';
  const hint = `the requested match degree has no effect without ${AUTO.modern}: "true"`;
  return { outcome: 'skipped', reason: 'AutoMatchOff', why, warnings: wantsMore ? [hint] : [] };
}

/** Step 7: the answer written into the pod, and the decision as its readers want it. */
function conclude(question: Question, answer: Answer): Decision {
  const { moment, user, base, sign, effects, request, images, config } = question;
  const { outcome, reason, why, cacheId, cache, match, writing } = answer;
  const pulling =
    cache && writing && config.pullPolicy !== 'keep'
      ? containersThatPullAnyway(base.containers, cache, images)
      : [];
  const enforces = config.pullPolicy === 'enforce' && moment === 'creation';
  const pullWarnings = pulling.length > 0 && !enforces ? [pullWarning(pulling)] : [];
  const pod = enforceIfNotPresent(base, enforces ? pulling : []);
  return {
    outcome,
    reason,
    why,
    cacheId,
    cache,
    degree:
      match?.winner?.degree ?? (cache ? degreeOf(wantedImages(images.references), cache.images) : NO_MATCH),
    warnings: limitWarnings([...answer.warnings, ...pullWarnings]),
    validUntil: answer.validUntil ?? Infinity,
    reach: answer.reach,
    pod: outcome === 'denied' ? user : written(question, answer, pod),
    sign: sign?.text,
    effects,
    request,
    images,
    match,
    createOnMiss: writing?.createOnMiss,
  };
}

function written(
  { moment, seen, user, metadata, request, config }: Question,
  { outcome, why, writing }: Answer,
  pod: Pod,
): Pod {
  // Effects only ever add, so equal sizes mean that nothing was written, and nothing needs to be remembered.
  const { annotations: asked, labels: labelled } = metadata;
  const isUntouched = asked.size === user.annotations.size && labelled.size === user.labels.size;
  if (!writing && isUntouched && (moment === 'creation' || user === seen)) return pod;
  const wanted = writing ? writeAnnotations(asked, request, writing, config.dialect) : asked;
  const annotations = moment === 'binding' ? withoutRemovals(seen.annotations, wanted) : wanted;
  const labels = new Map(labelled);
  if (writing?.createOnMiss !== undefined && moment === 'creation')
    labels.set(CREATE_ON_MISS, writing.createOnMiss);
  const changed = { ...pod, annotations, labels };
  const record = recordDecision({ outcome, why }, user, changed);
  return { ...changed, annotations: new Map(annotations).set(DECISION, record) };
}
