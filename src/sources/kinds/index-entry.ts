/** The kinds that the webhook reads, and how it puts objects of each kind into the index and takes them out. */
import { readText } from '../../core/kubernetes/json.ts';
import { kindOf } from '../../core/kubernetes/object.ts';
import type { Unreadable } from '../../core/kubernetes/problem.ts';
import type { ClusterIndex } from '../../index/cluster-index.ts';
import { CONFIG_MAP, isEciProfile, readEciProfile } from './eci-profile.ts';
import { IMAGE_CACHE, readImageCache } from './image-cache.ts';
import { readLabels, type Manifest } from './manifest.ts';
import { NODE, readNode } from './node.ts';
import { isPodLives, readPodLives } from './pod-lives.ts';
import { readSelector, SELECTOR } from './selector.ts';

/** An object that was read, ready for the index. The entry does not hold the object, whose managedFields are large. */
export interface IndexEntry extends IndexWriter {
  /** `ImageCache`. */
  readonly kind: string;
  /** The parts of the object that cannot be used; the other parts take effect. */
  readonly problems: readonly Unreadable[];
}

interface IndexWriter {
  readonly apply: (index: ClusterIndex) => void;
  /** Holds nothing but the object's name, because a source keeps `delete` as long as the object is in the index. */
  readonly delete: (index: ClusterIndex) => void;
}

type Identity = Pick<Manifest, 'groupKind' | 'namespace' | 'name'>;

interface Kind {
  /** @throws Unreadable if nothing of the object can be used */
  readonly read: (manifest: Manifest) => Pick<IndexEntry, 'apply'> & Partial<Pick<IndexEntry, 'problems'>>;
  readonly delete: (index: ClusterIndex, identity: Identity) => void;
}

export const NAMESPACE = '/Namespace';

const KINDS: ReadonlyMap<string, Kind> = new Map<string, Kind>([
  [
    IMAGE_CACHE,
    {
      read: (manifest) => {
        const problems: Unreadable[] = [];
        const cache = readImageCache(manifest, problems);
        return { apply: (index) => index.regionCaches.applyObject(cache), problems };
      },
      delete: (index, { name }) => index.regionCaches.deleteObject(name),
    },
  ],
  [
    NAMESPACE,
    {
      read: (manifest) => {
        const { name, metadata } = manifest;
        const labels = readLabels(metadata);
        const uid = readText(metadata['uid']);
        return { apply: (index) => index.namespaces.apply(name, labels, uid) };
      },
      delete: (index, { name }) => index.namespaces.delete(name),
    },
  ],
  [
    NODE,
    {
      read: (manifest) => {
        const node = readNode(manifest);
        return { apply: (index) => index.nodes.apply(node) };
      },
      delete: (index, { name }) => index.nodes.delete(name),
    },
  ],
  [
    SELECTOR,
    {
      read: (manifest) => {
        const { selector, problems } = readSelector(manifest);
        const key = identify(manifest);
        return {
          apply: ({ profiles }) =>
            selector ? profiles.applySelector(key, selector) : profiles.deleteSelector(key),
          problems,
        };
      },
      delete: (index, identity) => index.profiles.deleteSelector(identify(identity)),
    },
  ],
  [
    CONFIG_MAP,
    {
      read: (manifest) => {
        if (!isEciProfile(manifest)) {
          const lives = readPodLives(manifest);
          return { apply: (index) => index.lives.set(lives) };
        }
        const { selectors, problems } = readEciProfile(manifest);
        return { apply: (index) => index.profiles.setEntries(selectors), problems };
      },
      delete: (index, identity) =>
        isEciProfile(identity) ? index.profiles.setEntries([]) : index.lives.set(new Map()),
    },
  ],
]);

/** Whether the webhook uses this object at all. */
export function isUsed(manifest: Manifest): boolean {
  if (manifest.groupKind === CONFIG_MAP) return isEciProfile(manifest) || isPodLives(manifest);
  return KINDS.has(manifest.groupKind);
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
    problems: [],
    ...kind.read(manifest),
    delete: (index) => kind.delete(index, identity),
  };
}

/** The identity of an object: `ImageCache web`, `ConfigMap kube-system/eci-profile`. */
export function identify({ groupKind, namespace, name }: Identity): string {
  return `${kindOf(groupKind)} ${namespace === '' ? name : `${namespace}/${name}`}`;
}
