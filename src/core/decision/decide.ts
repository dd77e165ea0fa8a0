/**
 * The decision: runs its steps (scope, profile effects, request, pin or automatic match, write), each of which has a
 * file of its own. The decision is a pure function of the pod, view, options and time (docs/architecture.md, "The
 * decision").
 */
import type { ImageCache } from '../image-cache.ts';
import { MAX_POD_IMAGES, podImages, type PodImages } from '../image/image-set.ts';
import type { StringMap } from '../kubernetes/json.ts';
import { MAX_ANNOTATION_BYTES } from '../kubernetes/metadata-syntax.ts';
import { Unreadable } from '../kubernetes/problem.ts';
import { readPod, UNREAD_POD, type Pod } from '../pod.ts';
import { decideByMatching } from './auto-match.ts';
import { denied, type DecisionContext, type Moment, type StepResult } from './context.ts';
import type { Refusal } from './match/filters.ts';
import { degreeOf, NO_MATCH, wantedImages, type Degree } from './match/degree.ts';
import type { MatchResult } from './match/matcher.ts';
import type { DecisionOptions, Maker } from './options.ts';
import { decideOnPin } from './pin.ts';
import { applyEffects, matchingSelectors } from './profile/effects.ts';
import { asUserWroteIt, withAdditionsOf, MAX_RECORD_BYTES } from './provenance.ts';
import {
  containersThatPullAnyway,
  enforceIfNotPresent,
  MAX_ENFORCED_CONTAINERS,
  pullWarning,
} from './pull-policy.ts';
import type { Outcome, ReasonCode } from './reasons.ts';
import { asksForImageCache, describeMalformed, readRequest, type Request } from './request.ts';
import { placementOf, type Placement } from './placement.ts';
import { isAcsPod, signOfEci, type EciSign } from './scope.ts';
import type { View } from './view.ts';
import { limitWarnings } from './warnings.ts';
import { saysOff } from './write.ts';
import { writtenPod } from './written-pod.ts';

export interface Decision {
  readonly outcome: Outcome;
  readonly reason: ReasonCode;
  /** One sentence. */
  readonly why: string;
  /** The ID of the cache that the pod starts from; if the pod is denied, the ID that it pinned. */
  readonly cacheId: string | undefined;
  /** The object of that cache, if the cluster has one. */
  readonly cache: ImageCache | undefined;
  readonly degree: Degree;
  /** Few, and short enough for an AdmissionResponse. */
  readonly warnings: readonly string[];
  /** The pod as it should become; of no use if the pod is denied. */
  readonly pod: Pod;
  /** The sign of ECI. This field and those below are undefined if the decision ended before it read the request. */
  readonly sign?: string | undefined;
  /** Names of the profile selectors whose effects were applied. */
  readonly effects?: readonly string[];
  readonly request?: Request;
  readonly images?: PodImages;
  /** Where the pod runs, as far as it is known. */
  readonly placement?: Placement;
  readonly match?: MatchResult | undefined;
  /** Why the filters refuse the cache that the user pinned; undefined if there is no pin, or its cache is not known. */
  readonly pinRefusals?: readonly Refusal[] | undefined;
  /** The hash of the image set that a cache should be made for. */
  readonly createOnMiss?: string | undefined;
  /** Who is asked to make it. */
  readonly maker?: Maker | undefined;
  /** How many milliseconds the pod waits for it; undefined if it does not. */
  readonly waitMs?: number | undefined;
}

/**
 * Decides which ImageCache a pod starts from.
 * @param seen the pod as the API server sent it, with the changes of an earlier decision of ours
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
  const kept = withAdditionsOf(seen, user, profile);
  const matching = matchingSelectors(profile, user.labels, view.namespaceLabels(user.namespace));
  const sign = signOfEci(user, view, matching, options.scope);
  // A Binding cannot take back what an earlier decision wrote, so there the pod is left as it arrived.
  const untouched = moment === 'creation' ? kept : seen;
  const left = whyLeftAlone(user, sign, view);
  if (left) return leftAlone(untouched, left.reason, left.why, left.isWarning ? [left.why] : []);

  const images = podImages(user, options.imageVolumes);
  if (!images) {
    const why = `the pod has more than ${MAX_POD_IMAGES} distinct images: no image cache is chosen for it`;
    return leftAlone(untouched, 'TooManyImages', why, [why]);
  }

  const placement = placementOf(user, view, options.region.name);
  const waitsForNode =
    options.bindTime &&
    moment === 'creation' &&
    user.nodeName === undefined &&
    (sign?.certain !== true || placement.unknown !== undefined);
  // Effects are for pods that go to ECI. If there is no sign of ECI, the matching selectors have no constraints, or
  // send their pods to normal nodes.
  const applied = sign?.certain === true || (sign && !waitsForNode) ? matching : [];
  // A binding can change annotations only, so labels and containers stay as they are.
  const base = moment === 'creation' ? kept : { ...kept, labels: seen.labels, containers: seen.containers };
  const effects = applyEffects(base, applied);
  const metadata = moment === 'creation' ? effects : { ...effects, labels: base.labels };
  const {
    request,
    conflicts,
    malformed: faults,
  } = readRequest(metadata.annotations, sign !== undefined, user.storageRequestBytes);
  const malformed = faults.map(describeMalformed);
  const context: DecisionContext = {
    moment,
    seen,
    user,
    base,
    untouched,
    metadata,
    sign,
    waitsForNode,
    effects: applied.map((selector) => selector.name),
    request,
    images,
    placement,
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

const ACS_POD = 'the pod runs on ACS, for which the image-cache annotations of ECI mean nothing';

interface LeftAlone {
  readonly reason: ReasonCode;
  readonly why: string;
  readonly isWarning: boolean;
}

/** Why the pod is left alone, whatever it asks for; undefined if it is not. */
function whyLeftAlone(user: Pod, sign: EciSign | undefined, view: View): LeftAlone | undefined {
  const asks = asksForImageCache(user.annotations);
  if (isAcsPod(user.labels)) return { reason: 'AcsPod', why: ACS_POD, isWarning: asks };
  if (sign === undefined && !asks) {
    const why = 'nothing shows that the pod goes to ECI, and it asks for no image cache';
    return { reason: 'NotForEci', why, isWarning: false };
  }
  if (view.supportsImageCaches()) return undefined;
  const why = 'image caches are not supported here: the cluster does not have the ImageCache resource';
  return { reason: 'ImageCachesUnsupported', why, isWarning: asks };
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

/** The decision for a pod that cannot be read: the webhook allows it unchanged, and the API server refuses it. */
export function decideOnUnreadable({ message }: Unreadable): Decision {
  const why = `the pod cannot be read: ${message}`;
  return leftAlone(UNREAD_POD, 'PodUnreadable', why, [why]);
}

/** Warns about the labels of profile effects that the pod lacks, because a binding cannot write labels. */
function lostLabels(wanted: StringMap, kept: StringMap): string[] {
  if (wanted === kept) return [];
  const keys = [...wanted.keys()].filter((key) => !kept.has(key));
  if (keys.length === 0) return [];
  return [`the profile's labels ${keys.join(', ')} are not added: a binding takes annotations alone`];
}

/** A skipped decision, which changes nothing in the pod. */
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
  const { user, sign, request, waitsForNode, metadata, options } = context;
  // A pin means the same on every node of ECI.
  if (waitsForNode && !(sign?.certain === true && request.pin !== undefined)) {
    const why =
      'the pod may still run on different nodes: the webhook decides when the pod is bound to a node';
    return { outcome: 'skipped', reason: 'NodeNotKnown', why, warnings: [] };
  }
  // The effects of a profile may have added the label.
  if (isAcsPod(metadata.labels)) {
    const warnings = asksForImageCache(user.annotations) ? [ACS_POD] : [];
    return { outcome: 'skipped', reason: 'AcsPod', why: ACS_POD, warnings };
  }
  if (request.pin !== undefined) return decideOnPin(context, request.pin);
  if (request.auto) return decideByMatching(context);
  const off = { outcome: 'skipped', reason: 'AutoMatchOff', warnings: [] } as const;
  if (request.autoKey !== undefined) {
    const why = `${request.autoKey} switches automatic matching off`;
    if (saysOff(metadata.annotations, options.dialect)) return { ...off, why };
    return { ...off, why, writing: { pin: undefined, auto: false, createOnMiss: undefined } };
  }
  const why = 'the pod is not known to go to ECI, and no annotation switches automatic matching on';
  return { ...off, why };
}

/** Writes the result of the last step into the pod, and builds the Decision. */
function conclude(context: DecisionContext, result: StepResult): Decision {
  const { moment, user, base, untouched, sign, effects, request, images, placement, options } = context;
  const { outcome, reason, why, cacheId, cache, match, writing, maker, waitMs } = result;
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
  const written = outcome === 'denied' ? user : writtenPod(context, result, pod);
  const known = { sign: sign?.text, request, images, placement, match, pinRefusals: result.pinRefusals };
  if (!written) {
    const tooLarge = `nothing is written into the pod: its annotations would exceed ${MAX_ANNOTATION_BYTES} bytes, or the record of the changes ${MAX_RECORD_BYTES} bytes`;
    return {
      ...leftAlone(untouched, 'AnnotationsTooLarge', tooLarge, [tooLarge]),
      ...known,
    };
  }
  return {
    outcome,
    reason,
    why,
    cacheId,
    cache,
    degree,
    warnings: limitWarnings([...result.warnings, ...pullWarnings]),
    pod: written,
    ...known,
    effects,
    createOnMiss: writing?.createOnMiss,
    maker,
    waitMs,
  };
}
