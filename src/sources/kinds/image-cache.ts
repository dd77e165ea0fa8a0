/**
 * Reads an ImageCache object (eci.alibabacloud.com/v1) into the fields that a decision needs (docs/domain.md,
 * "ImageCache").
 */
import { isBeingDeleted } from '../../core/kubernetes/object.ts';
import {
  DEFAULT_CACHE_GIB,
  IMAGE_CACHE_API_VERSION,
  insecureRegistriesOf,
  NOT_ASKED,
  phaseOf,
  type ImageCache,
} from '../../core/image-cache.ts';
import { byKey, parseImageReference, type ImageReference } from '../../core/image/reference.ts';
import { GIB } from '../../core/kubernetes/quantity.ts';
import { readStringMap, readText, textsIn, type StringMap } from '../../core/kubernetes/json.ts';
import { quote, Unreadable } from '../../core/kubernetes/problem.ts';
import { ARCHITECTURES, OPERATING_SYSTEMS, REGION_LABEL } from '../../core/decision/placement.ts';
import {
  ACR_CREDENTIAL_KEYS,
  CACHE_ARCHITECTURE,
  CACHE_OPERATING_SYSTEM,
  CACHE_SIZE,
  COPIES,
  MADE_BY,
  NAMESPACE_UID,
  NAMESPACES,
  RETENTION_DAYS,
  RETIRING,
} from '../../core/annotations.ts';
import { DAY } from '../../core/kubernetes/time.ts';
import { readLabels, readPart, readTime, type Manifest } from './manifest.ts';

export const IMAGE_CACHE = 'eci.alibabacloud.com/ImageCache';
/** The path of all ImageCaches at the API server. */
export const IMAGE_CACHES = `/apis/${IMAGE_CACHE_API_VERSION}/imagecaches`;

export function imageCachePath(name: string): string {
  return `${IMAGE_CACHES}/${name}`;
}

/**
 * @param problems takes the parts that cannot be used and count as absent
 * @throws Unreadable if nothing of the object can be used
 */
export function readImageCache(manifest: Manifest, problems: Unreadable[] = []): ImageCache {
  const { name, metadata, object } = manifest;
  const spec = readPart(object, 'spec');
  const status = readPart(object, 'status');

  const images = readImages(spec['images']);
  const annotations = readStringMap(metadata['annotations'], 'metadata.annotations');
  const sizes = statedTwice(manifest, 'imageCacheSize', CACHE_SIZE, 'GiB', problems);
  const createdAtMs = readTime(metadata['creationTimestamp'], 'metadata.creationTimestamp');
  const startedAt = readTime(status['startTime'], 'status.startTime');
  const labels = readLabels(metadata);
  const isOwn = labels.get(MADE_BY.label) === MADE_BY.controller;

  return {
    name,
    id: readText(status['imageCacheId']),
    images,
    // The vendor does not say which of two sizes counts. The larger size is safe: a cache that does not fit into the
    // pod's storage is never chosen.
    sizeBytes: Math.round((sizes.length === 0 ? DEFAULT_CACHE_GIB : Math.max(...sizes)) * GIB),
    phase: phaseOf(readText(status['phase']) ?? '', isOwn && annotations.has(COPIES)),
    progress: readText(status['progress']) ?? '',
    createdAtMs: createdAtMs ?? startedAt ?? 0,
    expiresAtMs: readExpiry(manifest, problems),
    deleting: isBeingDeleted(metadata),
    retiring: isOwn && annotations.has(RETIRING),
    // An ImageCache states no region; if caches of several regions are in one cluster, this label distinguishes them.
    region: labels.get(REGION_LABEL),
    architecture: readOneOf(annotations, CACHE_ARCHITECTURE, ARCHITECTURES, problems),
    operatingSystem: readOneOf(annotations, CACHE_OPERATING_SYSTEM, OPERATING_SYSTEMS, problems),
    madeByController: isOwn,
    namespaces: namespacesIn(annotations.get(NAMESPACES)),
    namespaceUid: readText(annotations.get(NAMESPACE_UID)),
    secretNamespaces: secretNamespacesOf(spec['imagePullSecrets']),
    hasRegistryCredentials: ACR_CREDENTIAL_KEYS.some((key) => annotations.has(key)),
    insecureRegistries: insecureRegistriesOf(annotations),
    ...NOT_ASKED,
  };
}

/** Without spaces; an annotation that names no namespace leaves the cache to nobody, and not to everybody. */
function namespacesIn(text: string | undefined): string | undefined {
  return text?.replaceAll(/\s/g, '');
}

/** Of `namespace:secretName` each namespace once, sorted. */
function secretNamespacesOf(secrets: unknown): string {
  const names = textsIn(secrets).map((each) => each.split(':')[0] ?? '');
  return [...new Set(names)].toSorted().join(',');
}

/**
 * When an ImageCache expires, in milliseconds: as its status says, else its retention days after its creation. Of two
 * retentions the earlier one counts (docs/domain.md, "ImageCache").
 * @returns undefined if it never expires
 */
export function readExpiry(manifest: Manifest, problems: Unreadable[] = []): number | undefined {
  const { metadata, object } = manifest;
  const stated = readTime(readPart(object, 'status')['expireDateTime'], 'status.expireDateTime');
  const days = Math.min(...statedTwice(manifest, 'retentionDays', RETENTION_DAYS, 'days', problems));
  const createdAtMs = readTime(metadata['creationTimestamp'], 'metadata.creationTimestamp');
  if (stated !== undefined || createdAtMs === undefined || days === Infinity) return stated;
  return createdAtMs + days * DAY;
}

/**
 * A positive number that an ImageCache states in its spec, in an annotation, or in both. Another value counts as absent,
 * but a size with its unit counts as the size, because a cache must not be taken for a smaller one.
 * @returns empty if it states none
 */
function statedTwice(
  { metadata, object }: Manifest,
  field: string,
  annotation: string,
  unit: string,
  problems: Unreadable[],
): number[] {
  const text = readText(readStringMap(metadata['annotations'], 'metadata.annotations').get(annotation));
  const stated: [string, unknown][] = [
    [`spec.${field}`, readPart(object, 'spec')[field] ?? undefined],
    [
      `metadata.annotations["${annotation}"]`,
      text !== undefined && /^\d{1,6}$/.test(text) ? Number(text) : text,
    ],
  ];
  return stated.flatMap(([path, value]) => {
    if (value === undefined) return [];
    const number = positiveNumberIn(value);
    if (number !== value) {
      const rule = `is ${JSON.stringify(value).slice(0, 60)}; it must be a positive whole number of ${unit}`;
      problems.push(new Unreadable(path, `${rule}: it counts as ${number ?? 'absent'}`));
    }
    return number ?? [];
  });
}

function positiveNumberIn(value: unknown): number | undefined {
  const number = typeof value === 'string' ? Number(/^(\d{1,6})(?: ?Gi?B?)?$/.exec(value)?.[1]) : value;
  return typeof number === 'number' && number > 0 && number < 1e6 ? number : undefined;
}

/** In lower case; the first of the allowed values if there is none. Another value stays, and fits no pod. */
function readOneOf(
  annotations: StringMap,
  annotation: string,
  allowed: readonly [string, ...string[]],
  problems: Unreadable[],
): string {
  const text = readText(annotations.get(annotation))?.toLowerCase() ?? allowed[0];
  if (!allowed.includes(text)) {
    const rule = `is ${quote(text)}; allowed are ${allowed.join(' and ')}: the cache fits no pod`;
    problems.push(new Unreadable(`metadata.annotations["${annotation}"]`, rule));
  }
  return text;
}

/** Distinct by key and sorted by key, as ImageCache.images must be. */
export function readImages(value: unknown): ImageReference[] {
  if (!Array.isArray(value) || value.length === 0) {
    throw new Unreadable('spec.images', 'must be an array of at least one image');
  }
  const images = new Map<string, ImageReference>();
  for (const [index, item] of value.entries()) {
    const reference = typeof item === 'string' ? parseImageReference(item) : undefined;
    if (!reference)
      throw new Unreadable(`spec.images[${index}]`, `is no image reference: ${JSON.stringify(item)}`);
    images.set(reference.key, reference);
  }
  return [...images.values()].toSorted(byKey);
}
