/** Owns the ImageCache as the decision sees it: projected from the custom resource, status included. */
import type { ImageReference } from './image/reference.ts';

export interface ImageCache {
  /** Object name; unique, as ImageCaches are cluster-scoped. */
  readonly name: string;
  /** `imc-…`, undefined until ECI has given one. */
  readonly id: string | undefined;
  /** Distinct by key, sorted by key, so that caches of the same images are recognised as such. */
  readonly images: readonly ImageReference[];
  readonly sizeBytes: number;
  /** A phase of the ECI API; only `Ready` may be used by a pod. Empty until ECI has set one. */
  readonly phase: string;
  /** As ECI writes it: `40%`. */
  readonly progress: string;
  /** Milliseconds since 1970; 0 where unknown, which makes it the oldest. */
  readonly createdAtMs: number;
  /** Milliseconds since 1970; undefined: never. */
  readonly expiresAtMs: number | undefined;
  readonly deleting: boolean;
  readonly region: string | undefined;
}

/** The phase in which a cache may be used. */
export const READY = 'Ready';
/** The phase of a cache that could not be made. */
export const FAILED = 'Failed';

/** The index keeps apart the caches that no pod can use at all; the filters say why of each. */
export function isUsable(cache: ImageCache): boolean {
  return cache.phase === READY && cache.id !== undefined && !cache.deleting;
}

/** `Creating 40%`, `Ready`, `without a phase yet`: the state of a cache, for people. */
export function describePhase({ phase, progress }: Pick<ImageCache, 'phase' | 'progress'>): string {
  if (phase === '') return 'without a phase yet';
  return phase === READY || progress === '' ? phase : `${phase} ${progress}`;
}

/** All fields but the images; the type keeps the list complete. */
const PLAIN_FIELDS = Object.keys({
  name: true,
  id: true,
  sizeBytes: true,
  phase: true,
  progress: true,
  createdAtMs: true,
  expiresAtMs: true,
  deleting: true,
  region: true,
} satisfies Record<Exclude<keyof ImageCache, 'images'>, true>);

/** Whether two states of a cache are the same in every field. */
export function isSame(a: ImageCache, b: ImageCache): boolean {
  return (
    PLAIN_FIELDS.every((field) => Reflect.get(a, field) === Reflect.get(b, field)) && hasSameImages(a, b)
  );
}

export function hasSameImages(a: ImageCache, b: ImageCache): boolean {
  return a.images.length === b.images.length && a.images.every((image, i) => image.key === b.images[i]?.key);
}
