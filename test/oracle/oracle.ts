/**
 * A plain and slow matcher, which applies every rule of docs/architecture.md and docs/domain.md to every cache. It
 * shares no code with src/, so that a mistake on either side shows as a difference.
 */

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

interface Graded {
  readonly cache: OracleCache;
  readonly exact: number;
  readonly other: number;
}

interface Normalised {
  readonly name: string;
  readonly version: string;
}

const normalised = new Map<string, Normalised>();

/** Remembers each result, because a population has the same images a thousand times. */
export function normalise(image: string): Normalised {
  const known = normalised.get(image) ?? normaliseAnew(image);
  normalised.set(image, known);
  return known;
}

/** Normalises only images of the form that the generators make: `[registry/]name[:tag][@digest]`. */
function normaliseAnew(image: string): Normalised {
  const [beforeDigest = '', digest] = image.split('@');
  const parts = beforeDigest.split('/');
  const [last = '', tag = 'latest'] = (parts.pop() ?? '').split(':');
  let path = [...parts, last];
  const first = path[0] ?? '';
  const hasRegistry =
    path.length > 1 && (first.includes('.') || first.includes(':') || first === 'localhost');
  if (!hasRegistry) path = ['docker.io', ...path];
  if (path[0] === 'docker.io' && path.length === 2) path = ['docker.io', 'library', path[1] ?? ''];
  return { name: path.join('/'), version: digest === undefined ? `:${tag}` : `@${digest}` };
}

export function oracle(pod: OraclePod, caches: readonly OracleCache[], options: OracleOptions): OracleAnswer {
  const wanted = new Map(
    pod.images.map((image) => [normalise(image).name + normalise(image).version, normalise(image)]),
  );
  if (wanted.size > 100) return { outcome: 'skipped', cacheId: null, order: [] };
  const storage = Math.max(30 + pod.extraGiB, pod.requestedGiB);
  const system = pod.system ?? 'linux';
  const [architecture, ...others] = architecturesOf(pod);

  const degree = (cache: OracleCache): { exact: number; other: number } => {
    const held = cache.images.map(normalise);
    let exact = 0;
    let other = 0;
    for (const image of wanted.values()) {
      if (held.some((each) => each.name === image.name && each.version === image.version)) exact++;
      else if (held.some((each) => each.name === image.name)) other++;
    }
    return { exact, other };
  };
  const qualifies = ({ cache, exact, other }: Graded): boolean => {
    if (cache.phase !== 'Ready' || cache.id === null) return false;
    if (cache.expires !== null && cache.expires <= options.now + options.expiryMargin) return false;
    if (cache.deleting) return false;
    if (cache.region !== null && options.region !== '' && cache.region !== options.region) return false;
    if (cache.architecture !== architecture || cache.system !== system) return false;
    if (cache.sizeGiB > storage) return false;
    if (pod.perfect) return exact === wanted.size;
    if (pod.count !== null) return exact >= pod.count;
    return exact >= 1 || (options.minimumMatch === 'repository' && other >= 1);
  };
  const total = [...wanted.keys()].reduce((sum, key) => sum + (options.sizes[key] ?? 0), 0);
  const order = caches
    .map((cache) => ({ cache, ...degree(cache), distance: Math.abs(cache.sizeGiB * 1024 ** 3 - total) }))
    .filter(qualifies)
    .sort((x, y) => {
      if (x.exact !== y.exact) return y.exact - x.exact;
      if (x.other !== y.other) return y.other - x.other;
      if (x.distance !== y.distance) return x.distance - y.distance;
      if (x.cache.created !== y.cache.created) return y.cache.created - x.cache.created;
      return x.cache.name < y.cache.name ? -1 : 1;
    })
    .map(({ cache }) => cache);

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
  if (degree(best).exact === wanted.size) return { outcome: 'hit', cacheId: best.id, order: names };
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
