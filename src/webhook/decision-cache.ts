/**
 * Remembers the answers for pods, because a workload creates hundreds of pods that are equal to a decision. This file
 * knows on which data an answer depends, and when a change makes it invalid (docs/decisions/decision-cache.md).
 */
import type { Decision } from '../core/decision/decide.ts';
import type { DecisionOptions } from '../core/decision/options.ts';
import type { TrackedView } from '../core/decision/view.ts';
import { Memory } from '../core/memoize.ts';
import type { Pod } from '../core/pod.ts';
import { stalenessOf } from '../core/staleness.ts';

/** The ImageCaches whose changes make an answer invalid: those with at least `atLeast` of the names, or all. */
type Dependency = 'any cache' | { readonly names: readonly string[]; readonly atLeast: number };

interface Entry<T> {
  readonly answer: T;
  readonly dependency: Dependency;
  /** The cacheGeneration up to which the answer is known to hold. */
  generation: number;
}

/** The memory keeps at least this many answers, and at most twice as many, of a few kB each. */
const ENTRIES = 2000;
/** Characters. Longer pods are not remembered, because a few thousand of them would use too much memory. */
const LONGEST_POD = 8000;

/** An answer, and the decision that it follows from. The decision is not kept: thousands of them slow a process down. */
export interface Decided<T> {
  readonly answer: T;
  readonly decision: Decision;
}

export class DecisionCache<T> {
  readonly #view: TrackedView;
  readonly #options: DecisionOptions;
  readonly #entries = new Memory<Entry<T>>(ENTRIES);
  #clusterGeneration = -1;

  constructor(view: TrackedView, options: DecisionOptions) {
    this.#view = view;
    this.#options = options;
  }

  /**
   * @param decideAnew called if no valid answer for an equal pod is remembered
   * @param isKept whether a new answer is remembered
   */
  remembered(pod: Pod, nowMs: number, decideAnew: () => Decided<T>, isKept: boolean): T {
    const { expiryMarginMs, maxStalenessMs } = this.#options;
    // A decision does not use a stale index, so the remembered answers, which did use the index, are not valid.
    if (stalenessOf(this.#view.confirmedAtMs(), maxStalenessMs, nowMs)) return decideAnew().answer;
    const key = podKey(pod);
    if (key === undefined) return decideAnew().answer;
    const clusterGeneration = this.#view.clusterGeneration();
    if (clusterGeneration !== this.#clusterGeneration) this.#entries.clear();
    this.#clusterGeneration = clusterGeneration;
    const generation = this.#view.cacheGeneration(nowMs, expiryMarginMs);
    const known = this.#entries.get(key);
    if (known && this.#stillHolds(known, generation)) return known.answer;
    const { answer, decision } = decideAnew();
    // Whether a pod waits depends on whether the controller is there at this moment.
    const holds = decision.request?.waitMs === undefined;
    if (isKept && holds) this.#entries.set(key, { answer, dependency: dependencyOf(decision), generation });
    return answer;
  }

  #stillHolds(entry: Entry<T>, generation: number): boolean {
    if (entry.generation === generation) return true;
    const { dependency } = entry;
    if (dependency === 'any cache') return false;
    const { names, atLeast } = dependency;
    if (this.#view.cachesChangedSince(entry.generation, names, atLeast)) return false;
    entry.generation = generation;
    return true;
  }
}

/**
 * Only a change to a cache that holds at least as many of the pod's images as the chosen cache can change the answer or
 * its explanation.
 */
function dependencyOf({ request, images, match }: Decision): Dependency {
  if (request?.pin !== undefined) return 'any cache';
  if (!match || !images) return { names: [], atLeast: 1 };
  const exact = match.winner?.degree.exact ?? 0;
  return exact > 0
    ? { names: images.references.map(({ key }) => key), atLeast: exact }
    : { names: images.references.map(({ repository }) => repository), atLeast: 1 };
}

/** All data of a pod that a decision reads, as one text; undefined if the text is too long to be remembered. */
function podKey(pod: Pod): string | undefined {
  // The name of the pod is left out, because no decision depends on it.
  const { namespace, labels, annotations, nodeName, nodeSelector, containers, present } = pod;
  const { nodeTerms, operatingSystem, storageRequestBytes, imageVolumes, gates } = pod;
  const maps = [labels, annotations, nodeSelector];
  const isPlain =
    nodeTerms.length + imageVolumes.length + gates.length + storageRequestBytes === 0 &&
    operatingSystem === undefined;
  let length = namespace.length + (nodeName?.length ?? 0);
  for (const map of maps) for (const [name, value] of map) length += name.length + value.length;
  for (const { name, image, imagePullPolicy, pointer } of containers)
    length += name.length + image.length + (imagePullPolicy?.length ?? 0) + pointer.length;
  for (const text of [...imageVolumes, ...gates]) length += text.length;
  for (const { key, values } of nodeTerms.flat()) length += key.length + values.length;
  // This quick check comes first, so that the key of a very long pod is never built.
  if (length > LONGEST_POD) return undefined;
  const key = JSON.stringify([
    namespace,
    nodeName,
    // Most pods state none of these, and a text for each would be most of the cost of the key.
    isPlain ? 0 : [nodeTerms, operatingSystem, storageRequestBytes, imageVolumes, gates],
    present,
    ...maps.map((map) => [...map]),
    containers.map((each) => [each.name, each.image, each.imagePullPolicy, each.pointer]),
  ]);
  return key.length > LONGEST_POD ? undefined : key;
}
