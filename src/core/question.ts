/** Owns what the steps of a decision hand to each other: the question, once the request is read, and an answer. */
import type { Request } from './annotation/request.ts';
import type { Writing } from './annotation/write.ts';
import type { DecisionConfig } from './config.ts';
import type { ImageCache } from './image-cache.ts';
import type { PodImages } from './image/pod-images.ts';
import type { FilterContext } from './match/filters.ts';
import type { MatchResult } from './match/matcher.ts';
import type { Outcome, ReasonCode } from './match/reason.ts';
import type { Reach } from './match/reach.ts';
import type { Pod } from './pod.ts';
import type { Metadata } from './profile/effect.ts';
import { regionOf, type EciSign } from './scope.ts';
import type { View } from './view.ts';

/** When a decision is made: as a pod is created, or as it is bound to a node. */
export type Moment = 'creation' | 'binding';

export interface Question {
  readonly moment: Moment;
  /** The pod as it came, our own earlier output included. */
  readonly seen: Pod;
  /** The pod as its user wrote it. */
  readonly user: Pod;
  /** What the decision writes into: the same, and at a binding with the labels and containers that it has by now. */
  readonly base: Pod;
  /** Its annotations and labels with the profile's effects. */
  readonly metadata: Metadata;
  /** What shows that the pod goes to ECI; undefined where only its annotations make it ours. */
  readonly sign: EciSign | undefined;
  /** Whether it is left for the binding to decide, when the node is known. */
  readonly waitsForNode: boolean;
  /** Names of the selectors whose effects were applied. */
  readonly effects: readonly string[];
  readonly request: Request;
  readonly images: PodImages;
  readonly view: View;
  readonly config: DecisionConfig;
  /** Milliseconds since 1970. */
  readonly now: number;
}

export interface Answer {
  readonly outcome: Outcome;
  readonly reason: ReasonCode;
  /** One sentence. */
  readonly why: string;
  readonly warnings: readonly string[];
  readonly cacheId?: string | undefined;
  readonly cache?: ImageCache | undefined;
  readonly match?: MatchResult | undefined;
  /** Until when this is the answer if nothing but the time changes, as long as the index is up to date; absent: for ever. */
  readonly validUntil?: number;
  /** Which ImageCaches it depends on; absent: on any. */
  readonly reach?: Reach | undefined;
  /** Absent: nothing is written but the profile's effects. */
  readonly writing?: Writing | undefined;
}

/** Why the index cannot be taken for true at this moment; undefined where it can. */
export interface Staleness {
  readonly reason: 'IndexNotSynced' | 'IndexStale';
  readonly why: string;
}

export function stalenessOf({
  view,
  config: { maxStaleness },
  now,
}: Pick<Question, 'view' | 'config' | 'now'>): Staleness | undefined {
  const freshAt = view.freshAt();
  if (freshAt === undefined)
    return { reason: 'IndexNotSynced', why: 'the ImageCaches have not been read yet' };
  if (now - freshAt <= maxStaleness) return undefined;
  return {
    reason: 'IndexStale',
    why: `the ImageCaches were last confirmed more than ${maxStaleness / 1000} s ago`,
  };
}

/** @param expiryMarginMs how much longer than now a cache must live */
export function filterContext(question: Question, expiryMarginMs: number): FilterContext {
  const { user, view, config, request, images, now } = question;
  return {
    requirement: request.requirement,
    minimumMatch: config.minimumMatch,
    imageCount: images.count,
    storageBytes: request.storageBytes,
    region: regionOf(user, view, config.region),
    now,
    expiryMarginMs,
  };
}

export function denied(reason: ReasonCode, why: string, cacheId?: string, cache?: ImageCache): Answer {
  return { outcome: 'denied', reason, why, cacheId, cache, warnings: [] };
}
