/**
 * A plain and slow decision, which applies every rule of docs/architecture.md and docs/domain.md to every cache. It shares
 * no code with the webhook's decision: only the matcher of the stand-in, which does not either. So a mistake on either side
 * shows as a difference.
 */
import { distinctImages, gradeOf, matchesOf } from '../../src/core/simulation/matching.ts';

export interface OracleCache {
  readonly name: string;
  readonly id: string | null;
  readonly images: readonly string[];
  readonly sizeGiB: number;
  readonly architecture: string;
  readonly system: string;
  readonly phase: string;
  readonly created: number;
  readonly expires: number | null;
  readonly deleting: boolean;
  readonly region: string | null;
}

export interface OraclePod {
  readonly images: readonly string[];
  readonly perfect: boolean;
  readonly count: number | null;
  readonly extraGiB: number;
  /** GiB that the containers request together. */
  readonly requestedGiB: number;
  /** The architectures that each alternative of its affinity allows; an empty list allows any. */
  readonly architectures: readonly (readonly string[])[];
  readonly system: string | null;
  readonly pin: string | null;
}

export interface OracleOptions {
  readonly minimumMatch: 'image' | 'repository';
  readonly partialHits: 'auto' | 'use' | 'leave';
  /** No lives of pods are known, so `auto` is the same as `eci`. */
  readonly by: 'eci' | 'controller' | 'auto';
  readonly expiryMargin: number;
  readonly region: string;
  readonly notReady: 'deny' | 'warn' | 'auto';
  readonly unknown: 'warn' | 'deny';
  /** The bytes of each image, by the reference as the oracle normalises it. */
  readonly sizes: Readonly<Record<string, number>>;
  readonly now: number;
}

export interface OracleAnswer {
  readonly outcome: string;
  readonly cacheId: string | null;
  /** All caches that qualify, the best first. */
  readonly order: readonly string[];
}

export function oracle(pod: OraclePod, caches: readonly OracleCache[], options: OracleOptions): OracleAnswer {
  const wanted = distinctImages(pod.images);
  if (wanted.length > 100) return { outcome: 'skipped', cacheId: null, order: [] };
  const storage = Math.max(30 + pod.extraGiB, pod.requestedGiB);
  const system = pod.system ?? 'linux';
  const [architecture, ...others] = architecturesOf(pod);

  const fits = (cache: OracleCache): boolean => {
    if (cache.phase !== 'Ready' || cache.id === null) return false;
    if (cache.expires !== null && cache.expires <= options.now + options.expiryMargin) return false;
    if (cache.deleting) return false;
    if (cache.region !== null && options.region !== '' && cache.region !== options.region) return false;
    if (cache.architecture !== architecture || cache.system !== system) return false;
    return cache.sizeGiB <= storage;
  };
  const order = matchesOf(caches.filter(fits), {
    images: pod.images,
    perfect: pod.perfect,
    count: pod.count,
    minimumMatch: options.minimumMatch,
    sizes: options.sizes,
  });

  const names = order.map((cache) => cache.name);
  if (pod.pin !== null) {
    const [pinned] = caches
      .filter((cache) => cache.id === pod.pin)
      .sort((a, b) => (a.name < b.name ? -1 : 1));
    if (!pinned) {
      return { outcome: options.unknown === 'deny' ? 'denied' : 'pinned', cacheId: pod.pin, order: [] };
    }
    const expired = pinned.expires !== null && pinned.expires <= options.now;
    const usable = pinned.phase === 'Ready' && !pinned.deleting && !expired;
    if (usable || options.notReady === 'warn') return { outcome: 'pinned', cacheId: pod.pin, order: [] };
    if (options.notReady === 'deny') return { outcome: 'denied', cacheId: pod.pin, order: [] };
  }
  if (others.length > 0) return { outcome: 'skipped', cacheId: null, order: [] };
  const [best] = order;
  if (!best) return { outcome: 'miss', cacheId: null, order: names };
  if (gradeOf(wanted, best).exact === wanted.length)
    return { outcome: 'hit', cacheId: best.id, order: names };
  return { outcome: 'partial', cacheId: usesPartial(pod, options) ? best.id : null, order: names };
}

/** The architectures on which the pod may run. */
function architecturesOf({ architectures }: OraclePod): Set<string> {
  const named = architectures.flat();
  if (named.length === 0) return new Set(['amd64']);
  const allowsAny = architectures.some((each) => each.length === 0);
  return new Set(allowsAny ? ['amd64', 'arm64', ...named] : named);
}

function usesPartial(pod: OraclePod, { partialHits, by }: OracleOptions): boolean {
  if (partialHits !== 'auto') return partialHits === 'use';
  return by === 'controller' || pod.perfect || pod.count !== null;
}
