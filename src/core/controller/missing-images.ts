/**
 * What one pod lacks: the caches that would end its miss, and the caches in the making that it waits for. All pods with
 * the same content lack the same.
 */
import { ACR_CREDENTIAL_KEYS, ACR_INSTANCE, REGISTRY_KEYS } from '../annotations.ts';
import type { Decision } from '../decision/decide.ts';
import { byKey, type ImageReference } from '../image/reference.ts';
import { HOPELESS, MAX_CACHE_IMAGES, type ImageCache } from '../image-cache.ts';
import { NO_MATCH } from '../decision/match/degree.ts';
import { refusingFilter, SUITABILITY_FILTERS, type FilterContext } from '../decision/match/filters.ts';
import { firstInOrder } from '../decision/match/order.ts';
import type { CandidateLevel, View } from '../decision/view.ts';
import type { StringMap } from '../kubernetes/json.ts';
import { neededGib, sizeStepBelow, storageGib, type SizeOptions } from '../cache-size.ts';
import type { PodContent } from './watched-pod.ts';
import {
  cacheName,
  firstNameOf,
  type DesiredCache,
  type DesiredImage,
  type Unsized,
} from './desired-cache.ts';

/** Which caches the controller makes with pull secrets or ACR credentials. */
export interface CredentialOptions {
  /** Registries, or beginnings of repositories, whose images need no credentials. */
  readonly publicRegistries: readonly string[];
  readonly privateImages: 'namespace' | 'never';
}

export interface CacheRules extends CredentialOptions, SizeOptions {}

/** Whether pods like the one in question can run from a cache, as far as size, region and platform go. */
type Suits = (cache: ImageCache) => boolean;

/** Whether a cache will serve pods that ask like this, once it is Ready. */
export function suitsAs(request: FilterContext): Suits {
  return (cache) => refusingFilter({ cache, degree: NO_MATCH }, request, SUITABILITY_FILTERS) === undefined;
}

/** As a pod writes the image, but without a tag beside a digest: the tag may name nothing, and it decides nothing. */
function pullableText(key: string, text: string | undefined): string {
  return text === undefined || /:[^/@]+@/.test(text) ? key : text;
}

/** Whether a cache with all images of the pod is being made. */
export function isCompleteInTheMaking({ images, match }: Decision, nowMs: number, view: View): boolean {
  if (!images || !match) return false;
  return completeInTheMaking(images.references, suitsAs(match.request), nowMs, view) !== undefined;
}

/** Empty if the pod misses nothing, if ECI makes the cache that it misses, or if that is being made. */
export function desiredCaches(
  content: PodContent,
  decision: Decision,
  rules: CacheRules,
  view: View,
): DesiredCache[] {
  const { createOnMiss, images, request, match, placement } = decision;
  if (createOnMiss === undefined || decision.maker === 'eci' || !images || !request || !match || !placement)
    return [];
  const textOf = new Map<string, string>();
  const { containers, imageVolumes } = content.pod;
  for (const image of containers.map((container) => container.image).concat(imageVolumes)) {
    const key = images.referenceOf(image)?.key;
    if (key !== undefined && !textOf.has(key)) textOf.set(key, image);
  }
  const toDesiredImages = (references: readonly ImageReference[]): DesiredImage[] =>
    references.toSorted(byKey).map(({ key }) => ({ key, text: pullableText(key, textOf.get(key)) }));
  const { architecture, operatingSystem } = placement;
  const registry = registryOf(decision.pod.annotations);
  if (architecture === undefined || operatingSystem === undefined || !registry) return [];
  const suits = suitsAs(match.request);
  const desiredFor = (references: readonly ImageReference[]): DesiredCache[] => {
    const wanted = {
      images: toDesiredImages(references),
      imageSet: createOnMiss,
      architecture,
      operatingSystem,
    };
    const cache = withCredentials(wanted, references, content, registry, rules, view);
    return cache === undefined ? [] : [withSize(cache, references, request.storageBytes, rules, view)];
  };
  if (images.references.length <= MAX_CACHE_IMAGES) {
    return completeInTheMaking(images.references, suits, match.request.nowMs, view)
      ? []
      : desiredFor(images.references);
  }
  const left = withoutThoseHeld(images.references, suits, match.request.nowMs, view).toSorted(byKey);
  const parts: DesiredCache[] = [];
  for (let i = 0; i < left.length; i += MAX_CACHE_IMAGES)
    parts.push(...desiredFor(left.slice(i, i + MAX_CACHE_IMAGES)));
  return parts;
}

/**
 * The cache with the credentials that it needs, and so with its owner. A cache of public images alone is first made
 * without credentials, for everybody; if that has failed, it is made with them.
 * @returns undefined if no cache may be made with credentials
 */
function withCredentials(
  wanted: Omit<Unsized, 'pullSecrets' | 'registry' | 'owner'>,
  references: readonly ImageReference[],
  { pod: { namespace }, pullSecrets }: PodContent,
  registry: StringMap,
  { publicRegistries, privateImages }: CredentialOptions,
  view: View,
): Unsized | undefined {
  const insecure = new Map([...registry].filter(([key]) => !ACR_CREDENTIAL_KEYS.includes(key)));
  const forAll: Unsized = { ...wanted, pullSecrets: [], registry: insecure, owner: undefined };
  const hasCredentials = pullSecrets.length > 0 || insecure.size < registry.size;
  if (!hasCredentials) return forAll;
  const beginnings = publicRegistries.map((each) => `${normalised(each)}/`);
  const isPublic = references.every(({ repository }) =>
    beginnings.some((beginning) => `${repository}/`.startsWith(beginning)),
  );
  if (isPublic && !hasFailed(cacheName(forAll), references, view)) return forAll;
  if (privateImages === 'never') return undefined;
  return { ...wanted, pullSecrets, registry, owner: { namespace, uid: view.namespaceUid(namespace) } };
}

/**
 * The cache with the size that its images need. Pods with little storage, for which that size is too large, get a cache
 * of their own, whose size is a part of its name.
 */
function withSize(
  cache: Unsized,
  references: readonly ImageReference[],
  storageBytes: number,
  rules: SizeOptions,
  view: View,
): DesiredCache {
  const keys = references.map(({ key }) => key);
  const needed = neededGib(keys, rules, view);
  const storage = storageGib(storageBytes);
  const largestGib = Math.max(Math.min(storage, rules.maxSizeGib), needed);
  const shared: DesiredCache = { ...cache, sizeGib: needed, largestGib, fixedSizeGib: undefined };
  const isTooLarge = ({ sizeBytes }: ImageCache): boolean => sizeBytes > storageBytes;
  if (needed <= storage && !attemptsFor(cacheName(shared), references, view).some(isTooLarge)) return shared;
  const fixedSizeGib = sizeStepBelow(storage);
  const sizeGib = needed <= storage ? Math.max(needed, fixedSizeGib) : fixedSizeGib;
  return { ...cache, sizeGib, largestGib: sizeGib, fixedSizeGib };
}

/** The most characters of a registry annotation. A pod with a longer one gets no cache. */
const MAX_REGISTRY_ANNOTATION = 2048;

/** The registry annotations of a pod, under the names that they have on an ImageCache; undefined if one is too long. */
function registryOf(annotations: StringMap): StringMap | undefined {
  const registry = new Map<string, string>();
  const oneInstance = annotations.get(ACR_INSTANCE.pod);
  if (oneInstance !== undefined) registry.set(ACR_INSTANCE.cache, oneInstance);
  for (const key of REGISTRY_KEYS) {
    const value = annotations.get(key);
    if (value !== undefined) registry.set(key, value);
  }
  return [...registry.values()].every(({ length }) => length <= MAX_REGISTRY_ANNOTATION)
    ? registry
    : undefined;
}

/** A registry or the beginning of a repository, as references are normalised. */
function normalised(registry: string): string {
  return registry
    .toLowerCase()
    .replace(/\/+$/, '')
    .replace(/^index\.docker\.io(?=\/|$)/, 'docker.io');
}

/** The caches that were made under a name, in one attempt or several. */
function attemptsFor(name: string, images: readonly ImageReference[], view: View): ImageCache[] {
  return view
    .candidates(images)
    .flatMap(({ usable, unusable }) => [...usable, ...unusable])
    .filter((cache) => firstNameOf(cache.name) === name);
}

/** Whether an attempt with this name failed, and none of its name is Ready or being made. */
function hasFailed(name: string, images: readonly ImageReference[], view: View): boolean {
  const attempts = attemptsFor(name, images, view);
  return attempts.length > 0 && attempts.every(({ phase }) => HOPELESS.has(phase));
}

/**
 * For a pod with more images than a cache may have: the images that no usable cache holds, and no cache in the making
 * will hold. Takes away the images of one cache after the other, the largest overlap first.
 */
function withoutThoseHeld(
  images: readonly ImageReference[],
  suits: Suits,
  nowMs: number,
  view: View,
): readonly ImageReference[] {
  const wanted = keysOf(images);
  let left = images;
  for (;;) {
    const best = [bestUsable(left, suits, view), bestInTheMaking(left, wanted, suits, nowMs, view)]
      .filter((each) => each !== undefined)
      .toSorted((a, b) => b.exact - a.exact)[0];
    if (!best || best.exact === 0) return left;
    const held = new Set(best.cache.images.map(({ key }) => key));
    left = left.filter(({ key }) => !held.has(key));
  }
}

/** A suitable cache that has all these images and is being made. */
export function completeInTheMaking(
  images: readonly ImageReference[],
  suits: Suits,
  nowMs: number,
  view: View,
): ImageCache | undefined {
  const best = bestInTheMaking(images, keysOf(images), suits, nowMs, view);
  return best?.exact === images.length ? best.cache : undefined;
}

function keysOf(images: readonly ImageReference[]): ReadonlySet<string> {
  return new Set(images.map(({ key }) => key));
}

interface Overlap {
  readonly cache: ImageCache;
  readonly exact: number;
}

function bestUsable(images: readonly ImageReference[], suits: Suits, view: View): Overlap | undefined {
  return bestOf(images, suits, view, ({ usable }) => usable);
}

/**
 * Milliseconds. No miss waits longer for a cache that somebody else makes, or that holds other images too: one of them may
 * never be pulled, and would keep the pods from a cache of their own for ever.
 */
const WAITS_FOR_OTHERS_MS = 600_000;

/** @param wanted the keys of all images of the pod, of which `images` may be a part */
function bestInTheMaking(
  images: readonly ImageReference[],
  wanted: ReadonlySet<string>,
  suits: Suits,
  nowMs: number,
  view: View,
): Overlap | undefined {
  const counts = ({ madeByController, createdAtMs, images: held }: ImageCache): boolean => {
    const isYoung = nowMs - createdAtMs < WAITS_FOR_OTHERS_MS;
    const holdsNoOthers = held.every(({ key }) => wanted.has(key));
    return holdsNoOthers ? madeByController || isYoung : madeByController && isYoung;
  };
  return bestOf(images, suits, view, ({ unusable }) =>
    unusable.filter((cache) => !cache.deleting && !HOPELESS.has(cache.phase) && counts(cache)),
  );
}

/** The cache of the pod's platform that holds most of the images, among those that `counting` selects. */
function bestOf(
  images: readonly ImageReference[],
  suits: Suits,
  view: View,
  counting: (level: CandidateLevel) => readonly ImageCache[],
): Overlap | undefined {
  for (const level of view.candidates(images)) {
    const [cache] = firstInOrder(counting(level).filter(suits), 1, 0);
    if (cache) return { cache, exact: level.degree.exact };
  }
  return undefined;
}
