/** Owns the list of kinds that the webhook reads, and the way of each into the index and out of it. */
import { kindOf } from '../../core/group-kind.ts';
import type { ClusterIndex } from '../../index/cluster-index.ts';
import { CONFIG_MAP, isEciProfile, readEciProfile } from './eci-profile.ts';
import { IMAGE_CACHE, readImageCache } from './image-cache.ts';
import type { Manifest } from './manifest.ts';
import { NAMESPACE, readNamespace } from './namespace.ts';
import { NODE, readNode } from './node.ts';
import { readSelector, SELECTOR } from './selector.ts';

/** One object, read. Holds nothing of what it was read from: managedFields and the like are large. */
export interface IndexEntry extends IndexWriter {
  /** `ImageCache`. */
  readonly kind: string;
}

interface IndexWriter {
  readonly apply: (index: ClusterIndex) => void;
  readonly delete: (index: ClusterIndex) => void;
}

const KINDS: ReadonlyMap<string, (manifest: Manifest) => IndexWriter> = new Map([
  [
    IMAGE_CACHE,
    (manifest) => {
      const cache = readImageCache(manifest);
      return {
        apply: (index) => index.imageCaches.apply(cache),
        delete: (index) => index.imageCaches.delete(cache.name),
      };
    },
  ],
  [
    NAMESPACE,
    (manifest) => {
      const labels = readNamespace(manifest);
      const { name } = manifest;
      return {
        apply: (index) => index.namespaces.apply(name, labels),
        delete: (index) => index.namespaces.delete(name),
      };
    },
  ],
  [
    NODE,
    (manifest) => {
      const node = readNode(manifest);
      return { apply: (index) => index.nodes.apply(node), delete: (index) => index.nodes.delete(node.name) };
    },
  ],
  [
    SELECTOR,
    (manifest) => {
      const selector = readSelector(manifest);
      const key = identify(manifest);
      return {
        apply: (index) => index.profiles.applySelector(key, selector),
        delete: (index) => index.profiles.deleteSelector(key),
      };
    },
  ],
  [
    CONFIG_MAP,
    (manifest) => {
      const selectors = readEciProfile(manifest);
      return {
        apply: (index) => index.profiles.setEntries(selectors),
        delete: (index) => index.profiles.setEntries([]),
      };
    },
  ],
]);

/** Whether the webhook uses this object at all. */
export function isUsed(manifest: Manifest): boolean {
  return KINDS.has(manifest.groupKind) && (manifest.groupKind !== CONFIG_MAP || isEciProfile(manifest));
}

/**
 * Reads an object that is used.
 * @throws Unreadable
 */
export function readEntry(manifest: Manifest): IndexEntry {
  const read = KINDS.get(manifest.groupKind);
  if (!read) throw new Error(`${manifest.groupKind} is not a kind that the index holds`);
  return { kind: kindOf(manifest.groupKind), ...read(manifest) };
}

/** What tells one object from all others: `ImageCache web`, `ConfigMap kube-system/eci-profile`. */
export function identify({ groupKind, namespace, name }: Manifest): string {
  return `${kindOf(groupKind)} ${namespace === '' ? name : `${namespace}/${name}`}`;
}
