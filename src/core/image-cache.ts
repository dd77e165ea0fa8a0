/** The ImageCache as a decision sees it: the fields of the custom resource that matter. */
import { INSECURE_REGISTRY_KEYS } from './annotations.ts';
import type { ImageReference } from './image/reference.ts';
import type { StringMap } from './kubernetes/json.ts';

/** The apiVersion of ImageCache objects. */
export const IMAGE_CACHE_API_VERSION = 'eci.alibabacloud.com/v1';

export interface ImageCache {
  /** Unique in the cluster, as ImageCaches are cluster-scoped. */
  readonly name: string;
  /** `imc-…`; undefined until ECI has assigned one. */
  readonly id: string | undefined;
  /** Distinct by key and sorted by key, so that caches with the same images can be compared. */
  readonly images: readonly ImageReference[];
  readonly sizeBytes: number;
  /** A phase of the ECI API; a pod can use a cache only if it is `Ready`. Empty until ECI has set one. */
  readonly phase: string;
  /** As ECI writes it: `40%`. */
  readonly progress: string;
  /** 0 if unknown, which makes the cache the oldest. */
  readonly createdAtMs: number;
  /** Undefined: never. */
  readonly expiresAtMs: number | undefined;
  readonly deleting: boolean;
  /** Whether the controller has marked the cache: it will be deleted, unless a pod still needs it. */
  readonly retiring: boolean;
  readonly region: string | undefined;
  /** `amd64` or `arm64`. */
  readonly architecture: string;
  /** `linux` or `windows`. */
  readonly operatingSystem: string;
  readonly madeByController: boolean;
  /** The namespaces that may use the cache, separated by commas; undefined if it names none. */
  readonly namespaces: string | undefined;
  /** The uid of that namespace, if the controller wrote it. */
  readonly namespaceUid: string | undefined;
  /** The namespaces of the pull secrets, separated by commas; empty if there are none. */
  readonly secretNamespaces: string;
  /** Whether credentials for ACR stand in its annotations. */
  readonly hasRegistryCredentials: boolean;
  /** Its annotations for insecure and plain-HTTP registries, as JSON; empty if it has none. */
  readonly insecureRegistries: string;
  /** An ImageCache object of this cluster, ECI's API, or both. */
  readonly knownFrom: KnownFrom;
  /** The phase that ECI's API says; undefined if the API is not asked, or does not say. */
  readonly apiPhase: string | undefined;
  /** Whether ECI may remove the cache by itself, as far as its API says: an automatic cache, or one with LRU. */
  readonly mayVanish: boolean;
}

export type KnownFrom = 'object' | 'api' | 'both';

/** What an object says of itself before ECI's API is asked. */
export const NOT_ASKED = { knownFrom: 'object', apiPhase: undefined, mayVanish: false } as const;

/** How many images an ImageCache holds at most (docs/domain.md, "ImageCache"). */
export const MAX_CACHE_IMAGES = 20;
/** The size of an ImageCache that states none, in GiB. */
export const DEFAULT_CACHE_GIB = 20;

/** The phase in which a pod can use the cache. */
export const READY = 'Ready';
/** The phase of a cache that could not be made. */
export const FAILED = 'Failed';
/** A cache in one of these phases never becomes Ready. */
export const HOPELESS: ReadonlySet<string> = new Set([FAILED, 'UpdateFailed']);
/** The phases of a cache that is not being made. */
export const ENDED: ReadonlySet<string> = new Set([READY, ...HOPELESS]);

/** The phase of a cache that is made anew in place. */
export const UPDATING = 'Updating';

/** The phase by which a cache is judged: one that is held back for its snapshot copies is about to be updated. */
export function phaseOf(status: string, isHeldBack: boolean): string {
  return isHeldBack && status === READY ? UPDATING : status;
}

/** Whether the state of the cache allows pods to use it; the filters say in words what is wrong with the state. */
export function isUsable(cache: ImageCache): boolean {
  return isReady(cache) && !cache.deleting;
}

/** Whether a cache is Ready, and has an ID. A cache that both its object and ECI's API know is Ready if both say so. */
export function isReady({ id, phase, apiPhase = READY }: ImageCache): boolean {
  return id !== undefined && phase === READY && apiPhase === READY;
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
  retiring: true,
  region: true,
  architecture: true,
  operatingSystem: true,
  madeByController: true,
  namespaces: true,
  namespaceUid: true,
  secretNamespaces: true,
  hasRegistryCredentials: true,
  insecureRegistries: true,
  knownFrom: true,
  apiPhase: true,
  mayVanish: true,
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

export function repositoriesOf({ images }: ImageCache): ReadonlySet<string> {
  return new Set(images.map(({ repository }) => repository));
}

/** Characters of the two annotations. A cache with longer ones goes to no pod, and they are not kept. */
const MAX_INSECURE_REGISTRIES = 4096;
/** Equal to no text that annotations lead to. */
export const TOO_MANY_REGISTRIES = 'too many';

/** The annotations of a pod or an ImageCache for insecure and plain-HTTP registries, as JSON; empty if it has none. */
export function insecureRegistriesOf(annotations: StringMap): string {
  const values = INSECURE_REGISTRY_KEYS.map((key) => annotations.get(key) ?? '');
  if (values.join('').length > MAX_INSECURE_REGISTRIES) return TOO_MANY_REGISTRIES;
  return values.every((value) => value === '') ? '' : JSON.stringify(values);
}
