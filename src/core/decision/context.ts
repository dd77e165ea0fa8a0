/** The data that the steps of a decision share: the context that each step reads, and the result that it returns. */
import { insecureRegistriesOf, type ImageCache } from '../image-cache.ts';
import type { PodImages } from '../image/image-set.ts';
import type { Pod } from '../pod.ts';
import { stalenessOf, type Staleness } from '../staleness.ts';
import type { FilterContext, Refusal } from './match/filters.ts';
import type { MatchResult } from './match/matcher.ts';
import type { DecisionOptions, Maker } from './options.ts';
import type { Metadata } from './profile/effects.ts';
import type { Outcome, ReasonCode } from './reasons.ts';
import type { Placement } from './placement.ts';
import type { Request } from './request.ts';
import type { EciSign } from './scope.ts';
import { tenantOf } from './sharing.ts';
import type { View } from './view.ts';
import type { Writing } from './write.ts';

/** When a decision is made: when the pod is created, or when it is bound to a node. */
export type Moment = 'creation' | 'binding';

export interface DecisionContext {
  readonly moment: Moment;
  /** The pod as it arrived, with the changes of an earlier decision of ours. */
  readonly seen: Pod;
  /** The pod as its user wrote it. */
  readonly user: Pod;
  /** The pod that the decision changes: `user`; at a binding, with the labels and containers of `seen`. */
  readonly base: Pod;
  /** The pod that a decision returns if it writes nothing. */
  readonly untouched: Pod;
  /** The annotations and labels of `base` with the profile's effects. */
  readonly metadata: Metadata;
  /** The sign that the pod goes to ECI; undefined if the pod only has image-cache annotations. */
  readonly sign: EciSign | undefined;
  /** Whether the decision waits for the binding, when the node is known. */
  readonly waitsForNode: boolean;
  /** Names of the selectors whose effects were applied. */
  readonly effects: readonly string[];
  readonly request: Request;
  readonly images: PodImages;
  readonly placement: Placement;
  readonly view: View;
  readonly options: DecisionOptions;
  readonly nowMs: number;
}

export interface StepResult {
  readonly outcome: Outcome;
  readonly reason: ReasonCode;
  /** One sentence. */
  readonly why: string;
  readonly warnings: readonly string[];
  readonly cacheId?: string | undefined;
  readonly cache?: ImageCache | undefined;
  readonly match?: MatchResult | undefined;
  /** Why the filters refuse the cache that the user pinned; undefined if there is no pin, or its cache is not known. */
  readonly pinRefusals?: readonly Refusal[] | undefined;
  /** Who is asked to make a cache; undefined if nobody is. */
  readonly maker?: Maker | undefined;
  /** How many milliseconds the pod waits for the cache; undefined if it does not. */
  readonly waitMs?: number | undefined;
  /** Undefined: nothing is written except the profile's effects. */
  readonly writing?: Writing | undefined;
}

export function indexStaleness({ view, options, nowMs }: DecisionContext): Staleness | undefined {
  return stalenessOf(view.confirmedAtMs(), options.maxStalenessMs, nowMs);
}

/** @param expiryMarginMs a cache that expires within this time from now is refused */
export function filterContext(context: DecisionContext, expiryMarginMs: number): FilterContext {
  const { user, view, options, metadata, request, images, placement, nowMs } = context;
  return {
    requirement: request.requirement,
    minimumMatch: options.minimumMatch,
    imageCount: images.count,
    storageBytes: request.storageBytes,
    placement,
    tenant: tenantOf(user.namespace, view, options.sharing.mode),
    insecureRegistries: insecureRegistriesOf(metadata.annotations),
    nowMs,
    expiryMarginMs,
  };
}

export function denied(reason: ReasonCode, why: string, cacheId?: string, cache?: ImageCache): StepResult {
  return { outcome: 'denied', reason, why, cacheId, cache, warnings: [] };
}
