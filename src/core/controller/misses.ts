/**
 * Finds the caches that pods miss now: decides each pod again, by the rules of the webhook. So the controller need not
 * remember any miss, and a miss ends as soon as a cache serves the pod.
 */
import { ACR_CREDENTIAL_KEYS } from '../annotations.ts';
import type { DecisionOptions } from '../decision/options.ts';
import { decide, type Decision } from '../decision/decide.ts';
import { byKey, type ImageReference } from '../image/reference.ts';
import { FAILED, MAX_CACHE_IMAGES, type ImageCache } from '../image-cache.ts';
import { NO_MATCH } from '../decision/match/degree.ts';
import { refusingFilter, SUITABILITY_FILTERS, type FilterContext } from '../decision/match/filters.ts';
import { firstInOrder } from '../decision/match/order.ts';
import type { CandidateLevel, View } from '../decision/view.ts';
import type { ObjectReference } from '../kubernetes/object.ts';
import type { WatchedPod } from './watched-pod.ts';
import { cacheName, firstNameOf, sizeFor, type DesiredCache, type DesiredImage } from './desired-cache.ts';

export interface Miss {
  readonly desired: DesiredCache;
  /** When the youngest pod that misses the cache was created. */
  readonly missedAtMs: number;
  /** How many pods miss the cache; 0 for a pre-warmed workload that has no pod yet. */
  readonly pods: number;
  /** What the latest of those pods found: no cache, or one that lacks some images and is used or left to ECI. */
  readonly found: 'nothing' | 'partial, used' | 'partial, left to ECI';
  /** The youngest pod that misses the cache, or the workload. */
  readonly lastBy: ObjectReference;
}

/** Which caches the controller makes with pull secrets or ACR credentials. */
export interface CredentialOptions {
  /** Registries, or beginnings of repositories, whose images need no credentials. */
  readonly publicRegistries: readonly string[];
  readonly privateImages: 'namespace' | 'never';
}

/** A cache in one of these phases never becomes Ready. */
const HOPELESS: ReadonlySet<string> = new Set([FAILED, 'UpdateFailed']);

/**
 * The misses, by the name of the ImageCache that each miss asks for.
 * @param now milliseconds since 1970
 */
export function missesOf(
  pods: Iterable<WatchedPod>,
  view: View,
  config: DecisionOptions,
  credentials: CredentialOptions,
  now: number,
): Map<string, Miss> {
  const misses = new Map<string, Miss>();
  for (const watched of pods) {
    if (watched.deleting) continue;
    const decision = decide(watched.pod, view, config, now);
    for (const desired of desiredCaches(watched, decision, credentials, view)) {
      const name = cacheName(desired);
      const known = misses.get(name);
      const isLast = known === undefined || watched.createdAtMs > known.missedAtMs;
      misses.set(name, {
        desired,
        missedAtMs: isLast ? watched.createdAtMs : known.missedAtMs,
        pods: (known?.pods ?? 0) + Number(watched.subject.kind === 'Pod'),
        found: isLast ? foundBy(decision) : known.found,
        lastBy: isLast ? watched.subject : known.lastBy,
      });
    }
  }
  return misses;
}

function foundBy({ outcome, cacheId }: Decision): Miss['found'] {
  if (outcome !== 'partial') return 'nothing';
  return cacheId === undefined ? 'partial, left to ECI' : 'partial, used';
}

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

/** Empty if the pod misses nothing, or if the cache that it misses is being made. */
function desiredCaches(
  watched: WatchedPod,
  decision: Decision,
  credentials: CredentialOptions,
  view: View,
): DesiredCache[] {
  const { createOnMiss, images, request, match, placement } = decision;
  if (createOnMiss === undefined || !images || !request || !match || !placement) return [];
  const textOf = new Map<string, string>();
  const { containers, imageVolumes } = watched.pod;
  for (const image of containers.map((container) => container.image).concat(imageVolumes)) {
    const key = images.referenceOf(image)?.key;
    if (key !== undefined && !textOf.has(key)) textOf.set(key, image);
  }
  const toDesiredImages = (references: readonly ImageReference[]): DesiredImage[] =>
    references.toSorted(byKey).map(({ key }) => ({ key, text: pullableText(key, textOf.get(key)) }));
  const { architecture, operatingSystem } = placement;
  if (architecture === undefined || operatingSystem === undefined) return [];
  const suits = suitsAs(match.request);
  const sizeGib = sizeFor(request.storageBytes);
  const desiredFor = (references: readonly ImageReference[]): DesiredCache[] => {
    const wanted = {
      images: toDesiredImages(references),
      imageSet: createOnMiss,
      sizeGib,
      architecture,
      operatingSystem,
    };
    return withCredentials(wanted, references, watched, credentials, view);
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
 * @returns empty if no cache may be made with credentials
 */
function withCredentials(
  wanted: Omit<DesiredCache, 'pullSecrets' | 'registry' | 'owner'>,
  references: readonly ImageReference[],
  { pod, pullSecrets, registry }: WatchedPod,
  { publicRegistries, privateImages }: CredentialOptions,
  view: View,
): DesiredCache[] {
  const insecure = new Map([...registry].filter(([key]) => !ACR_CREDENTIAL_KEYS.includes(key)));
  const forAll: DesiredCache = { ...wanted, pullSecrets: [], registry: insecure, owner: undefined };
  const hasCredentials = pullSecrets.length > 0 || insecure.size < registry.size;
  if (!hasCredentials) return [forAll];
  const beginnings = publicRegistries.map((each) => `${normalised(each)}/`);
  const isPublic = references.every(({ repository }) =>
    beginnings.some((beginning) => `${repository}/`.startsWith(beginning)),
  );
  if (isPublic && !hasFailed(cacheName(forAll), references, view)) return [forAll];
  if (privateImages === 'never') return [];
  const { namespace } = pod;
  return [{ ...wanted, pullSecrets, registry, owner: { namespace, uid: view.namespaceUid(namespace) } }];
}

/** A registry or the beginning of a repository, as references are normalised. */
function normalised(registry: string): string {
  return registry
    .toLowerCase()
    .replace(/\/+$/, '')
    .replace(/^index\.docker\.io(?=\/|$)/, 'docker.io');
}

/** Whether an attempt with this name failed, and none of its name is Ready or being made. */
function hasFailed(name: string, images: readonly ImageReference[], view: View): boolean {
  const attempts = view
    .candidates(images)
    .flatMap(({ usable, unusable }) => [...usable, ...unusable])
    .filter((cache) => firstNameOf(cache.name) === name);
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
 * Milliseconds. No miss waits longer for a cache that holds other images too: one of them may never be pulled, and would
 * keep the pods from a cache of their own for ever.
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
  const counts = (cache: ImageCache): boolean =>
    nowMs - cache.createdAtMs < WAITS_FOR_OTHERS_MS || cache.images.every(({ key }) => wanted.has(key));
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
