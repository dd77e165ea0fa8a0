/**
 * Owns the decisions that still hold, so that the pods of one workload, which come by the hundred, are decided once.
 * What a decision depends on is the pod as read, the index, whether that is up to date, and the options, which never
 * change; and on the time, of which each decision says how long it holds. Of the ImageCaches it depends on a few, and
 * says on which, so that it outlives changes to the others.
 */
import type { DecisionConfig } from '../core/config.ts';
import { decideOnJson } from '../core/decide.ts';
import { explain, type Explanation } from '../core/explain.ts';
import { hashOf, lengthOf, podFingerprint, type PodFingerprint } from '../core/pod-fingerprint.ts';
import { isSameList } from '../core/json.ts';
import { stalenessOf } from '../core/question.ts';
import { remembering } from '../core/remembering.ts';
import type { Reach } from '../core/match/reach.ts';
import type { View } from '../core/view.ts';
import type { Recordable } from './record.ts';
import { encodeAnswer, type EncodedAnswer } from './admission-review.ts';

export interface Decided extends Recordable {
  readonly answer: EncodedAnswer;
}

interface Held extends Decided {
  readonly fingerprint: PodFingerprint;
  readonly validUntil: number;
  readonly reach: Reach | undefined;
  /** The cachesVersion up to which it is known to hold. */
  cachesVersion: number;
}

/** A few kB each. */
const LIMIT = 4000;
/** Up to so many are kept without having come again: most clusters have fewer workloads. */
const KEPT_AT_ONCE = 1000;
/** Letters. Pods with more are not remembered: annotations may have 256 kB, and dry runs of such pods cost nobody a thing. */
const LONGEST = 8000;
/** Letters. Longer texts are hardly ever those of another pod too. */
const SHARED_TEXT = 200;

export class RecentDecisions {
  readonly #view: View;
  readonly #config: DecisionConfig;
  /** By the hash of the fingerprint: of two with the same one, the later is kept. */
  readonly #held = new Map<number, Held>();
  /** Pods that were decided on once, and whose decision was not kept, by the same. */
  readonly #met = new Set<number>();
  /** One of each text: workloads share most of theirs, and what is compared with has to be fetched from memory. */
  readonly #sharedText = remembering(LIMIT, (text) => text);
  #version = Number.NaN;
  #staleness: string | undefined;

  constructor(view: View, config: DecisionConfig) {
    this.#view = view;
    this.#config = config;
  }

  /**
   * @param namespace the namespace of the request; undefined where it names none
   * @param now milliseconds since 1970
   */
  decide(object: unknown, namespace: string | undefined, now: number): Decided {
    this.#forgetWhatNoLongerHolds(now);
    const fingerprint = podFingerprint(object, namespace);
    if (fingerprint === undefined) return this.#decideAnew(object, namespace, now);
    const hash = hashOf(fingerprint);
    const known = this.#held.get(hash);
    if (known && isSameList(known.fingerprint, fingerprint) && this.#stillHolds(known, now)) return known;
    const decided = this.#decideAnew(object, namespace, now);
    if (!this.#isWorthKeeping(hash) || lengthOf(fingerprint) > LONGEST) return decided;
    const held = { ...decided, fingerprint: fingerprint.map((part) => this.#shared(part)) };
    this.#held.set(hash, held);
    return held;
  }

  #shared(part: PodFingerprint[number]): PodFingerprint[number] {
    return typeof part === 'string' && part.length <= SHARED_TEXT ? this.#sharedText(part) : part;
  }

  #decideAnew(object: unknown, namespace: string | undefined, now: number): Omit<Held, 'fingerprint'> {
    const { seen, decision } = decideOnJson(object, namespace, this.#view, this.#config, now);
    const { validUntil, reach } = decision;
    return {
      ...answered(explain(decision, seen)),
      validUntil,
      reach,
      cachesVersion: this.#view.cachesVersion(),
    };
  }

  #stillHolds(known: Held, now: number): boolean {
    if (now >= known.validUntil) return false;
    const version = this.#view.cachesVersion();
    if (known.cachesVersion === version) return true;
    if (!known.reach || this.#view.cachesChanged(known.cachesVersion, known.reach)) return false;
    known.cachesVersion = version;
    return true;
  }

  /** To remember thousands that never come again would only make work for the garbage collector. */
  #isWorthKeeping(hash: number): boolean {
    if (this.#held.size < KEPT_AT_ONCE || this.#met.has(hash)) return true;
    if (this.#met.size >= LIMIT) this.#met.clear();
    this.#met.add(hash);
    return false;
  }

  #forgetWhatNoLongerHolds(now: number): void {
    const version = this.#view.version();
    const staleness = stalenessOf({ view: this.#view, config: this.#config, now })?.reason;
    if (version === this.#version && staleness === this.#staleness && this.#held.size < LIMIT) return;
    this.#held.clear();
    this.#version = version;
    this.#staleness = staleness;
  }
}

/** A decision in the words of an admission response. Pods that are not ours leave no trace in the audit log either. */
export function answered(explanation: Explanation): Decided {
  const { outcome, reason, why, cacheId, patch, warnings } = explanation;
  const answer = encodeAnswer({
    ...(outcome === 'denied' && { denial: { code: 422, reason, message: why } }),
    patch,
    warnings,
    auditAnnotations:
      reason === 'NotForEci' ? {} : { outcome, reason, ...(cacheId !== null && { 'image-cache': cacheId }) },
  });
  return { explanation, answer, increments: undefined };
}
