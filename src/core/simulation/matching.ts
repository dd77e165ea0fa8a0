/**
 * How ECI matches image caches, as the vendor describes it, for the stand-in and for the oracle of the tests. It is plain
 * and slow, and shares no code with the webhook's decision, so that a mistake on either side shows as a difference.
 */
import { memoize } from '../memoize.ts';

/** A cache as the matcher sees it. */
export interface Matchable {
  readonly name: string;
  readonly images: readonly string[];
  readonly sizeGiB: number;
  /** Milliseconds since 1970. */
  readonly created: number;
}

export interface Question {
  /** The images of a pod, as written. */
  readonly images: readonly string[];
  /** Whether a cache must hold all of them. */
  readonly perfect: boolean;
  /** How many of them a cache must hold; null: one. */
  readonly count: number | null;
  /** What counts as the least that a cache must hold, if neither of the two is asked for. */
  readonly minimumMatch: 'image' | 'repository';
  /** The bytes of each image that is known, by its normalised reference. */
  readonly sizes: Readonly<Record<string, number>>;
}

/** How many of the wanted images a cache holds exactly, and how many of the others in another version. */
export interface Grade {
  readonly exact: number;
  readonly other: number;
}

export interface Normalised {
  readonly name: string;
  /** `:tag` or `@digest`. */
  readonly version: string;
}

/** Remembers results, because the same images come a thousand times. */
export const normalise = memoize(10_000, normaliseAnew);

/** Normalises valid references, `[registry/]name[:tag][@digest]`; of other texts it makes something that matches little. */
function normaliseAnew(image: string): Normalised {
  const [beforeDigest = '', digest] = image.split('@');
  const parts = beforeDigest.split('/');
  const [last = '', tag = 'latest'] = (parts.pop() ?? '').split(':');
  let path = [...parts, last];
  const first = path[0] ?? '';
  const hasRegistry =
    path.length > 1 &&
    (first.includes('.') || first.includes(':') || first === 'localhost' || /[A-Z]/.test(first));
  if (!hasRegistry) path = ['docker.io', ...path];
  if (path[0] === 'index.docker.io') path[0] = 'docker.io';
  if (path[0] === 'docker.io' && path.length === 2) path = ['docker.io', 'library', path[1] ?? ''];
  return { name: path.join('/'), version: digest === undefined ? `:${tag}` : `@${digest}` };
}

/** The reference of an image with all defaults: `docker.io/library/nginx:latest`. */
export function fullReference(image: string): string {
  const { name, version } = normalise(image);
  return name + version;
}

/** The distinct images that a pod wants. */
export function distinctImages(images: readonly string[]): Normalised[] {
  return [...new Map(images.map((image) => [fullReference(image), normalise(image)])).values()];
}

export function gradeOf(wanted: readonly Normalised[], cache: Pick<Matchable, 'images'>): Grade {
  const held = cache.images.map(normalise);
  let exact = 0;
  let other = 0;
  for (const image of wanted) {
    if (held.some((each) => each.name === image.name && each.version === image.version)) exact++;
    else if (held.some((each) => each.name === image.name)) other++;
  }
  return { exact, other };
}

/** The caches that hold enough, the best first: by degree, then size, then age, then name. */
export function matchesOf<T extends Matchable>(caches: readonly T[], question: Question): T[] {
  const wanted = distinctImages(question.images);
  const total = wanted.reduce((sum, { name, version }) => sum + (question.sizes[name + version] ?? 0), 0);
  return caches
    .map((cache) => ({
      cache,
      ...gradeOf(wanted, cache),
      distance: Math.abs(cache.sizeGiB * 1024 ** 3 - total),
    }))
    .filter(({ exact, other }) => holdsEnough(question, wanted.length, exact, other))
    .toSorted((x, y) => {
      if (x.exact !== y.exact) return y.exact - x.exact;
      if (x.other !== y.other) return y.other - x.other;
      if (x.distance !== y.distance) return x.distance - y.distance;
      if (x.cache.created !== y.cache.created) return y.cache.created - x.cache.created;
      return x.cache.name < y.cache.name ? -1 : 1;
    })
    .map(({ cache }) => cache);
}

function holdsEnough(question: Question, wanted: number, exact: number, other: number): boolean {
  if (question.perfect) return exact === wanted;
  if (question.count !== null) return exact >= question.count;
  return exact >= 1 || (question.minimumMatch === 'repository' && other >= 1);
}
