/**
 * ECI's part of a replay: which cache a pod starts from, and the caches that ECI makes by itself for pods that are left to
 * it (docs/domain.md, "Create on miss").
 */
import { AUTO, PIN } from '../core/annotations.ts';
import { READY, type ImageCache } from '../core/image-cache.ts';
import type { ImageReference } from '../core/image/reference.ts';
import type { StringMap } from '../core/kubernetes/json.ts';
import { DAY } from '../core/kubernetes/time.ts';
import { GIB } from '../core/kubernetes/quantity.ts';
import type { ClusterIndex } from '../index/cluster-index.ts';

/** What a pod starts from. */
export interface Start {
  /** `failed`: the pod points to a cache that is not Ready, so that ECI does not run it. */
  readonly from: 'manual' | 'automatic' | 'nothing' | 'failed';
  /** The keys of the images that need not be pulled. */
  readonly held: ReadonlySet<string>;
  readonly sizeGib: number;
}

interface AutomaticCache {
  readonly keys: ReadonlySet<string>;
  readonly readyAtMs: number;
  /** When a pod last started from it; undefined: none did. */
  usedAtMs: number | undefined;
}

/** The vendor's quota and lives of automatic caches, and their size without extra storage. */
const AUTOMATIC = { quota: 25, unusedFor: 7 * DAY, usedFor: 30 * DAY, gib: 30 };
const NOTHING: Start = { from: 'nothing', held: new Set(), sizeGib: 0 };

export class EciRegion {
  readonly #index: ClusterIndex;
  readonly #creationTimeMs: number;
  /** The least recently used first. */
  #automatic: AutomaticCache[] = [];
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
    this.#letExpire(now);
    const keys = images.map(({ key }) => key);
    const overlap = (cache: AutomaticCache): number => keys.filter((key) => cache.keys.has(key)).length;
    const [automatic] = this.#automatic
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
    if (automatic && best?.from === 'automatic') this.#use(automatic, now);
    if (best?.held.size !== keys.length) this.#make(keys, now);
    return best ?? NOTHING;
  }

  /** ECI makes a cache if none holds all images; the Chinese documentation says so, the English one only if none matches. */
  #make(keys: readonly string[], now: number): void {
    const isMade = this.#automatic.some((cache) => keys.every((key) => cache.keys.has(key)));
    if (isMade) return;
    if (this.#automatic.length >= AUTOMATIC.quota) this.#automatic.shift();
    this.#automatic.push({
      keys: new Set(keys),
      readyAtMs: now + this.#creationTimeMs,
      usedAtMs: undefined,
    });
    this.#made += 1;
  }

  #use(cache: AutomaticCache, now: number): void {
    cache.usedAtMs = now;
    this.#automatic = [...this.#automatic.filter((each) => each !== cache), cache];
  }

  #letExpire(now: number): void {
    this.#automatic = this.#automatic.filter(({ readyAtMs, usedAtMs }) =>
      usedAtMs === undefined ? now - readyAtMs < AUTOMATIC.unusedFor : now - usedAtMs < AUTOMATIC.usedFor,
    );
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
