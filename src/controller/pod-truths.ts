/**
 * Compares what the webhook predicted with what ECI did, pod by pod, as the controller sees them: once when ECI has placed a
 * pod, and for each image that the kubelet says it has pulled. The results are for metrics and the log.
 */
import type { Clock } from '../clock.ts';
import type { DecisionOptions } from '../core/decision/options.ts';
import type { View } from '../core/decision/view.ts';
import type { JsonObject } from '../core/kubernetes/json.ts';
import { Memory } from '../core/memoize.ts';
import { truthOf, type PodTruth } from '../core/truth/pod-truth.ts';
import type { Pull } from '../core/truth/pull.ts';
import { isUnanswered, type WebhookScope } from '../core/truth/unanswered.ts';

export interface TruthEvents {
  readonly onStart: (truth: PodTruth) => void;
  /** No replica of the webhook answered for the pod. */
  readonly onUnanswered: (truth: PodTruth) => void;
  /** @param start `warm` if ECI started the pod from a cache */
  readonly onPull: (pull: Pull, start: 'warm' | 'cold') => void;
}

/** Pods that are remembered, at least; a pod's images are pulled within minutes. */
const MOST_PODS = 5000;
/** Pods of which an Event came before the pod was seen as placed, at least; and Events of one of them, at most. */
const MOST_EARLY = { pods: 1000, pulls: 100 };
/** Milliseconds. An older Event was counted before, or is another replica's to count. */
const OLDEST = 120_000;

export class PodTruths {
  readonly #view: View;
  readonly #options: DecisionOptions;
  readonly #events: TruthEvents;
  readonly #clock: Clock;
  readonly #starts = new Memory<'warm' | 'cold'>(MOST_PODS);
  readonly #early = new Memory<Pull[]>(MOST_EARLY.pods);
  readonly #counted = new Memory<true>(MOST_PODS);
  #scope: WebhookScope | undefined;

  constructor(view: View, options: DecisionOptions, events: TruthEvents, clock: Clock) {
    this.#view = view;
    this.#options = options;
    this.#events = events;
    this.#clock = clock;
  }

  /** @param scope undefined if it is not known which pods the webhook is asked about */
  setScope(scope: WebhookScope | undefined): void {
    this.#scope = scope;
  }

  /** Call it once for each pod, when ECI has placed it. */
  placed(pod: JsonObject): void {
    const truth = truthOf(pod);
    if (!truth) return;
    this.#events.onStart(truth);
    const scope = this.#scope;
    if (scope && isUnanswered(pod, scope, this.#view, this.#options, this.#clock.now()))
      this.#events.onUnanswered(truth);
    const start = truth.used === undefined ? 'cold' : 'warm';
    this.#starts.set(truth.uid, start);
    const early = this.#early.get(truth.uid);
    if (!early) return;
    for (const pull of early) this.#events.onPull(pull, start);
    this.#early.set(truth.uid, []);
  }

  /** Call it with each Event; the same one may come again. */
  pulled(pull: Pull): void {
    if (this.#clock.now() - pull.atMs > OLDEST) return;
    // A container that starts again finds its image present: that says nothing about the start of the pod.
    const key = `${pull.podUid} ${pull.image}`;
    if (this.#counted.get(key)) return;
    this.#counted.set(key, true);
    const start = this.#starts.get(pull.podUid);
    if (start !== undefined) {
      this.#events.onPull(pull, start);
      return;
    }
    const early = this.#early.get(pull.podUid) ?? [];
    if (early.length < MOST_EARLY.pulls) this.#early.set(pull.podUid, [...early, pull]);
  }
}
