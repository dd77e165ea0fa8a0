/** The kinds that the webhook reads, and how each gets into the index and out of it. */
import { kindOf } from '../../core/kubernetes/object.ts';
import type { ClusterIndex } from '../../index/cluster-index.ts';
import { CONFIG_MAP, isEciProfile, readEciProfile } from './eci-profile.ts';
import { IMAGE_CACHE, readImageCache } from './image-cache.ts';
import { readLabels, type Manifest } from './manifest.ts';
import { NODE, readNode } from './node.ts';
import { readSelector, SELECTOR } from './selector.ts';

/** An object that was read. It does not keep the object itself, whose managedFields are large. */
export interface IndexEntry extends IndexWriter {
  /** `ImageCache`. */
  readonly kind: string;
}

interface IndexWriter {
  readonly apply: (index: ClusterIndex) => void;
  /** Keeps nothing but the object's name: a source keeps this as long as the object is in the index. */
  readonly delete: (index: ClusterIndex) => void;
}

type Identity = Pick<Manifest, 'groupKind' | 'namespace' | 'name'>;

interface Kind {
  /** @throws Unreadable */
  readonly read: (manifest: Manifest) => IndexWriter['apply'];
  readonly delete: (index: ClusterIndex, identity: Identity) => void;
}

export const NAMESPACE = '/Namespace';

const KINDS: ReadonlyMap<string, Kind> = new Map<string, Kind>([
  [
    IMAGE_CACHE,
    {
      read: (manifest) => {
        const cache = readImageCache(manifest);
        return (index) => index.imageCaches.apply(cache);
      },
      delete: (index, { name }) => index.imageCaches.delete(name),
    },
  ],
  [
    NAMESPACE,
    {
      read: (manifest) => {
        const { name, metadata } = manifest;
        const labels = readLabels(metadata);
        return (index) => index.namespaces.apply(name, labels);
      },
      delete: (index, { name }) => index.namespaces.delete(name),
    },
  ],
  [
    NODE,
    {
      read: (manifest) => {
        const node = readNode(manifest);
        return (index) => index.nodes.apply(node);
      },
      delete: (index, { name }) => index.nodes.delete(name),
    },
  ],
  [
    SELECTOR,
    {
      read: (manifest) => {
        const selector = readSelector(manifest);
        const key = identify(manifest);
        return (index) => index.profiles.applySelector(key, selector);
      },
      delete: (index, identity) => index.profiles.deleteSelector(identify(identity)),
    },
  ],
  [
    CONFIG_MAP,
    {
      read: (manifest) => {
        const selectors = readEciProfile(manifest);
        return (index) => index.profiles.setEntries(selectors);
      },
      delete: (index) => index.profiles.setEntries([]),
    },
  ],
]);

/** Whether the webhook uses this object at all. */
export function isUsed(manifest: Manifest): boolean {
  return KINDS.has(manifest.groupKind) && (manifest.groupKind !== CONFIG_MAP || isEciProfile(manifest));
}

/**
 * Reads an object that the webhook uses.
 * @throws Unreadable
 */
export function readEntry(manifest: Manifest): IndexEntry {
  const { groupKind, namespace, name } = manifest;
  const kind = KINDS.get(groupKind);
  if (!kind) throw new Error(`${groupKind} is not a kind that the index holds`);
  const identity = { groupKind, namespace, name };
  return {
    kind: kindOf(groupKind),
    apply: kind.read(manifest),
    delete: (index) => kind.delete(index, identity),
  };
}

/** The identity of an object: `ImageCache web`, `ConfigMap kube-system/eci-profile`. */
export function identify({ groupKind, namespace, name }: Identity): string {
  return `${kindOf(groupKind)} ${namespace === '' ? name : `${namespace}/${name}`}`;
}
