/** How pods use caches: how many pods, when last, of which namespaces, and with which image sets. */
import type { WatchedPod } from './watched-pod.ts';

export interface Usage {
  readonly pods: number;
  /** When the youngest of the pods was created. */
  readonly lastAtMs: number;
  readonly namespaces: ReadonlySet<string>;
  /** When the youngest pod with each image set was created, by the text of the set (watched-pod.ts). */
  readonly sets: ReadonlyMap<string, number>;
}

export type UsageById = ReadonlyMap<string, Usage>;

/** Image sets and namespaces that are told apart for one cache; a cache that the controller made has at most 20 sets. */
const MOST_APART = 1000;

interface Counted {
  pods: number;
  lastAtMs: number;
  readonly namespaces: Set<string>;
  readonly sets: Map<string, number>;
}

/** The uses of caches by pods that were added one after the other. */
export class Uses {
  #byId = new Map<string, Counted>();
  readonly #mostIds: number;

  /** @param mostIds caches that are told apart; the uses of others are not counted */
  constructor(mostIds = Infinity) {
    this.#mostIds = mostIds;
  }

  /** The uses so far; begins anew. */
  take(): UsageById {
    const taken = this.#byId;
    this.#byId = new Map();
    return taken;
  }

  /** Adds a pod that has a node. */
  add({ pointsTo, createdAtMs, subject: { namespace }, imageSets }: WatchedPod): void {
    for (const id of pointsTo) {
      const known = this.#byId.get(id);
      if (!known && this.#byId.size >= this.#mostIds) continue;
      const counted = known ?? { pods: 0, lastAtMs: 0, namespaces: new Set(), sets: new Map() };
      counted.pods += 1;
      counted.lastAtMs = Math.max(counted.lastAtMs, createdAtMs);
      if (counted.namespaces.size < MOST_APART) counted.namespaces.add(namespace);
      for (const set of imageSets) {
        const before = counted.sets.get(set);
        if (before !== undefined || counted.sets.size < MOST_APART)
          counted.sets.set(set, Math.max(before ?? 0, createdAtMs));
      }
      if (!known) this.#byId.set(id, counted);
    }
  }
}

/** How the pods that have a node use each cache, by ID. */
export function usageOf(pods: Iterable<WatchedPod>): UsageById {
  const uses = new Uses();
  for (const pod of pods) if (pod.nodeName !== undefined) uses.add(pod);
  return uses.take();
}
