/**
 * ECI's part of a replay: which cache a pod starts from, and the caches that ECI makes by itself for pods that are left to
 * it (docs/domain.md, "Create on miss").
 */
import { AUTO, PIN } from '../core/annotations.ts';
import { READY, type ImageCache } from '../core/image-cache.ts';
import type { ImageReference } from '../core/image/reference.ts';
import type { StringMap } from '../core/kubernetes/json.ts';
import { GIB } from '../core/kubernetes/quantity.ts';
import { AUTOMATIC, AutomaticCaches, type AutomaticCache } from '../core/simulation/automatic-caches.ts';
import type { ClusterIndex } from '../index/cluster-index.ts';

/** What a pod starts from. */
export interface Start {
  /** `failed`: the pod points to a cache that is not Ready, so that ECI does not run it. */
  readonly from: 'manual' | 'automatic' | 'nothing' | 'failed';
  /** The keys of the images that need not be pulled. */
  readonly held: ReadonlySet<string>;
  readonly sizeGib: number;
}

interface HoldingCache extends AutomaticCache {
  readonly keys: ReadonlySet<string>;
}

const NOTHING: Start = { from: 'nothing', held: new Set(), sizeGib: 0 };

export class EciRegion {
  readonly #index: ClusterIndex;
  readonly #creationTimeMs: number;
  readonly #automatic = new AutomaticCaches<HoldingCache>();
  #made = 0;

  constructor(index: ClusterIndex, creationTimeMs: number) {
    this.#index = index;
    this.#creationTimeMs = creationTimeMs;
  }

  /** How many automatic caches were made. */
  get made(): number {
    return this.#made;
  }

  /** @param annotations of the pod, as the webhook left them @param now milliseconds since 1970 */
  start(annotations: StringMap, images: readonly ImageReference[], now: number): Start {
    const id = annotations.get(PIN.modern) ?? annotations.get(PIN.legacy);
    if (id !== undefined) {
      const cache = this.#index.cacheById(id);
      return cache?.phase === READY ? fromManual(cache, images) : { ...NOTHING, from: 'failed' };
    }
    const auto = annotations.get(AUTO.modern) ?? annotations.get(AUTO.legacy);
    return auto === 'false' ? NOTHING : this.#match(images, now);
  }

  #match(images: readonly ImageReference[], now: number): Start {
    this.#automatic.letExpire(now);
    const keys = images.map(({ key }) => key);
    const overlap = (cache: HoldingCache): number => keys.filter((key) => cache.keys.has(key)).length;
    const [automatic] = this.#automatic.all
      .filter(({ readyAtMs }) => readyAtMs <= now)
      // Of equal ones the most recently used; the vendor does not say which.
      .toReversed()
      .toSorted((a, b) => overlap(b) - overlap(a));
    const manual = this.#index.candidates(images).flatMap(({ usable }) => usable)[0];
    const starts: Start[] = [
      ...(automatic
        ? [{ from: 'automatic' as const, held: heldBy(automatic.keys, keys), sizeGib: AUTOMATIC.gib }]
        : []),
      ...(manual ? [fromManual(manual, images)] : []),
    ];
    const best = starts.toSorted((a, b) => b.held.size - a.held.size).find(({ held }) => held.size > 0);
    if (automatic && best?.from === 'automatic') this.#automatic.use(automatic, now);
    if (best?.held.size !== keys.length) this.#make(keys, now);
    return best ?? NOTHING;
  }

  /** ECI makes a cache if none holds all images; the Chinese documentation says so, the English one only if none matches. */
  #make(keys: readonly string[], now: number): void {
    const isMade = this.#automatic.all.some((cache) => keys.every((key) => cache.keys.has(key)));
    if (isMade) return;
    this.#automatic.add({
      keys: new Set(keys),
      readyAtMs: now + this.#creationTimeMs,
      usedAtMs: undefined,
    });
    this.#made += 1;
  }
}

function fromManual(cache: ImageCache, images: readonly ImageReference[]): Start {
  const keys = new Set(cache.images.map(({ key }) => key));
  const held = heldBy(
    keys,
    images.map(({ key }) => key),
  );
  return { from: 'manual', held, sizeGib: cache.sizeBytes / GIB };
}

function heldBy(cache: ReadonlySet<string>, keys: readonly string[]): Set<string> {
  return new Set(keys.filter((key) => cache.has(key)));
}
