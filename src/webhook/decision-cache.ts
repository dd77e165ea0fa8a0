/**
 * Remembers what was answered to a pod, because the pods of one workload come by the hundred and are the same to a
 * decision. `decide` knows nothing of it: this file knows what an answer depends on, and when it no longer holds.
 */
import type { Decision } from '../core/decision/decide.ts';
import type { DecisionOptions } from '../core/decision/options.ts';
import { Memory } from '../core/memoize.ts';
import type { Pod } from '../core/pod.ts';
import { stalenessOf } from '../core/staleness.ts';

/** How the index tells that something changed: each generation grows with each change. */
export interface Changes {
  confirmedAtMs(): number | undefined;
  /** Of everything that a decision looks up, except the ImageCaches. */
  clusterGeneration(): number;
  /** Grows with each change to an ImageCache; its expiry, and the start of the margin before it, count as changes. */
  cacheGeneration(nowMs: number, expiryMarginMs: number): number;
  /** Whether a cache with at least `atLeast` of these images or repositories has changed since a cacheGeneration. */
  cachesChangedSince(generation: number, names: readonly string[], atLeast: number): boolean;
}

/** Which changes to ImageCaches end an answer: those to at least `atLeast` of the names, or to any cache. */
type Dependency = 'any cache' | { readonly names: readonly string[]; readonly atLeast: number };

interface Entry<T> {
  readonly answer: T;
  readonly dependency: Dependency;
  /** The cacheGeneration up to which the answer is known to hold. */
  generation: number;
}

/** Between this many answers and twice as many are kept, of a few kB each. */
const ENTRIES = 2000;
/** Characters. Longer pods are not remembered, because a few thousand of them would use too much memory. */
const LONGEST_POD = 8000;

/** An answer, and the decision that it follows from. The decision is not kept: thousands of them slow a process down. */
export interface Decided<T> {
  readonly answer: T;
  readonly decision: Decision;
}

export class DecisionCache<T> {
  readonly #changes: Changes;
  readonly #options: DecisionOptions;
  readonly #entries = new Memory<Entry<T>>(ENTRIES);
  #clusterGeneration = -1;

  constructor(changes: Changes, options: DecisionOptions) {
    this.#changes = changes;
    this.#options = options;
  }

  /**
   * @param decideAnew called if no answer for such a pod is remembered and still holds
   * @param isKept whether a new answer is remembered
   */
  remembered(pod: Pod, nowMs: number, decideAnew: () => Decided<T>, isKept: boolean): T {
    const { expiryMarginMs, maxStalenessMs } = this.#options;
    // A stale index is trusted for nothing, and then a decision looks at no cache.
    if (stalenessOf(this.#changes.confirmedAtMs(), maxStalenessMs, nowMs)) return decideAnew().answer;
    const key = podKey(pod);
    if (key === undefined) return decideAnew().answer;
    const clusterGeneration = this.#changes.clusterGeneration();
    if (clusterGeneration !== this.#clusterGeneration) this.#entries.clear();
    this.#clusterGeneration = clusterGeneration;
    const generation = this.#changes.cacheGeneration(nowMs, expiryMarginMs);
    const known = this.#entries.get(key);
    if (known && this.#stillHolds(known, generation)) return known.answer;
    const { answer, decision } = decideAnew();
    if (isKept) this.#entries.set(key, { answer, dependency: dependencyOf(decision), generation });
    return answer;
  }

  #stillHolds(entry: Entry<T>, generation: number): boolean {
    if (entry.generation === generation) return true;
    const { dependency } = entry;
    if (dependency === 'any cache') return false;
    const { names, atLeast } = dependency;
    if (this.#changes.cachesChangedSince(entry.generation, names, atLeast)) return false;
    entry.generation = generation;
    return true;
  }
}

/**
 * Only a cache that holds at least as many of the pod's images as the chosen one can change the answer or its
 * explanation.
 */
function dependencyOf({ request, images, match }: Decision): Dependency {
  if (request?.pin !== undefined) return 'any cache';
  if (!match || !images) return { names: [], atLeast: 1 };
  const exact = match.winner?.degree.exact ?? 0;
  return exact > 0
    ? { names: images.references.map(({ key }) => key), atLeast: exact }
    : { names: images.references.map(({ repository }) => repository), atLeast: 1 };
}

/** All that a decision reads of a pod, as one text; undefined if it is too long to be remembered. */
function podKey(pod: Pod): string | undefined {
  // The name of the pod is left out, because it decides nothing.
  const { namespace, labels, annotations, nodeName, nodeSelector, containers, present } = pod;
  const maps = [labels, annotations, nodeSelector];
  let length = namespace.length + (nodeName?.length ?? 0);
  for (const map of maps) for (const [name, value] of map) length += name.length + value.length;
  for (const { name, image, imagePullPolicy, pointer } of containers)
    length += name.length + image.length + (imagePullPolicy?.length ?? 0) + pointer.length;
  // This quick check comes first, so that the key of a very long pod is never built.
  if (length > LONGEST_POD) return undefined;
  const key = JSON.stringify([
    namespace,
    nodeName,
    present,
    ...maps.map((map) => [...map]),
    containers.map((each) => [each.name, each.image, each.imagePullPolicy, each.pointer]),
  ]);
  return key.length > LONGEST_POD ? undefined : key;
}
