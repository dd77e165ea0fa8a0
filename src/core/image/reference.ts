/**
 * Image references: parses a text into an identity, with the defaults of the OCI distribution grammar, so that `nginx`
 * and `docker.io/library/nginx:latest` are one image.
 */

import { memoize } from '../memoize.ts';

export interface ImageReference {
  /** Registry and repository, normalised: `docker.io/library/nginx`. */
  readonly repository: string;
  /** The identity of the image: `repository@digest` if there is a digest, else `repository:tag`. */
  readonly key: string;
  /** `latest` if neither tag nor digest is written; undefined if only a digest is. */
  readonly tag: string | undefined;
}

const DEFAULT_REGISTRY = 'docker.io';
const OFFICIAL_NAMESPACE = 'library';
/** Characters of the path, without the registry. */
const MAX_PATH_LENGTH = 255;
/** Longer than any reference that a registry could serve: host 253, port 5, path 255, tag 128, sha512 digest 135. */
const MAX_REFERENCE_LENGTH = 800;

const REGISTRY =
  /^(?:(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])(?:\.(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9]))*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?$/;
const PATH_COMPONENT = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const TAG = /^\w[\w.-]{0,127}$/;
const DIGEST = /^(?:sha256:[a-f0-9]{64}|sha384:[a-f0-9]{96}|sha512:[a-f0-9]{128})$/;
/** A bare image ID, which the grammar does not allow as a name because it would be ambiguous. */
const IMAGE_ID = /^[a-f0-9]{64}$/;

/** A cluster has a few thousand images, which come again and again. */
const parsed = memoize(10_000, parse);

/**
 * Parses a container image as a pod or an ImageCache writes it.
 * @returns undefined if the text is no valid reference; no registry could serve it
 */
export function parseImageReference(text: string): ImageReference | undefined {
  return text.length > MAX_REFERENCE_LENGTH ? undefined : parsed(text);
}

/** Compares by key, for sorting. */
export function byKey(a: Pick<ImageReference, 'key'>, b: Pick<ImageReference, 'key'>): number {
  return a.key < b.key ? -1 : Number(a.key > b.key);
}

function parse(text: string): ImageReference | undefined {
  if (IMAGE_ID.test(text)) return undefined;
  const at = text.indexOf('@');
  const digest = at < 0 ? undefined : text.slice(at + 1);
  if (digest !== undefined && !DIGEST.test(digest)) return undefined;

  const beforeDigest = at < 0 ? text : text.slice(0, at);
  // A colon before the last slash belongs to the registry's port.
  const colon = beforeDigest.indexOf(':', beforeDigest.lastIndexOf('/') + 1);
  const writtenTag = colon < 0 ? undefined : beforeDigest.slice(colon + 1);
  if (writtenTag !== undefined && !TAG.test(writtenTag)) return undefined;

  const repository = normaliseName(colon < 0 ? beforeDigest : beforeDigest.slice(0, colon));
  if (repository === undefined) return undefined;
  const tag = digest === undefined ? (writtenTag ?? 'latest') : writtenTag;
  const version = digest === undefined ? `:${tag}` : `@${digest}`;
  const key = `${repository}${version}`;
  // Uses the same string if possible, to save memory.
  return { repository, key: key === text ? text : key, tag };
}

/** Registry and path with the defaults of the grammar; undefined if the text is no valid name. */
function normaliseName(name: string): string | undefined {
  const slash = name.indexOf('/');
  const first = name.slice(0, Math.max(slash, 0));
  const hasRegistry = slash >= 0 && isRegistry(first);
  const written = hasRegistry ? first : DEFAULT_REGISTRY;
  const registry = written === 'index.docker.io' ? DEFAULT_REGISTRY : written;
  const path = hasRegistry ? name.slice(slash + 1) : name;
  if (!REGISTRY.test(registry) || !path.split('/').every((part) => PATH_COMPONENT.test(part)))
    return undefined;

  const isOfficial = registry === DEFAULT_REGISTRY && !path.includes('/');
  const fullPath = isOfficial ? `${OFFICIAL_NAMESPACE}/${path}` : path;
  if (fullPath.length > MAX_PATH_LENGTH) return undefined;
  // Uses the same string if possible, to save memory.
  return registry === first && !isOfficial ? name : `${registry}/${fullPath}`;
}

/** Whether the first component is a registry and not a namespace, by the rule of the grammar. */
function isRegistry(component: string): boolean {
  return /[.:]/.test(component) || component === 'localhost' || component.toLowerCase() !== component;
}
