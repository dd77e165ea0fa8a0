/**
 * Whose cache: which pods may be given an ImageCache, and see it (docs/architecture.md, "Whose cache"). ECI's own
 * matching knows no namespaces, so a pod that is left to ECI may be given any cache of the region.
 */
import type { ImageCache } from '../image-cache.ts';
import type { View } from './view.ts';

/**
 * `namespace`: a cache that the controller made with credentials belongs to the namespace that it was made for. `strict`:
 * a cache made by hand with pull secrets belongs to their namespaces too. `cluster`: all caches are everybody's.
 */
export type Sharing = 'namespace' | 'strict' | 'cluster';

/** Who asks for a cache. */
export interface Tenant {
  readonly namespace: string;
  /** Undefined if the namespace is not known. */
  readonly namespaceUid: string | undefined;
  readonly sharing: Sharing;
}

/** The pods of this namespace, as those who ask for a cache. */
export function tenantOf(namespace: string, view: View, sharing: Sharing): Tenant {
  return { namespace, namespaceUid: view.namespaceUid(namespace), sharing };
}

/**
 * Who may use a cache: `everybody`; `others`, if the controller or an annotation says that it belongs to another
 * namespace; `others by secrets`, if only its pull secrets say so.
 */
export type Owner = 'everybody' | 'the tenant' | 'others' | 'others by secrets';

export function ownerOf(cache: ImageCache, { namespace, namespaceUid, sharing }: Tenant): Owner {
  if (sharing === 'cluster') return 'everybody';
  const { namespaces, madeByController, secretNamespaces, hasRegistryCredentials } = cache;
  if (namespaces !== undefined) {
    // A namespace that was deleted and made anew is another one.
    const isSame = cache.namespaceUid === undefined || cache.namespaceUid === namespaceUid;
    return isSame && names(namespaces, namespace) ? 'the tenant' : 'others';
  }
  if (madeByController && (secretNamespaces !== '' || hasRegistryCredentials)) {
    // A cache of an earlier release, which wrote no namespaces: only its pull secrets show whose it is.
    return names(secretNamespaces, namespace) ? 'the tenant' : 'others';
  }
  if (sharing === 'strict' && secretNamespaces !== '')
    return names(secretNamespaces, namespace) ? 'the tenant' : 'others by secrets';
  return 'everybody';
}

/**
 * Why a pod is not given a cache that ECI's API alone knows, as a clause about the cache; undefined if it is known otherwise,
 * or the pod may have it. ECI may remove it at any time, and the API does not say whose secrets made it (docs/region.md).
 */
export function whyOnlyKnown(
  cache: ImageCache,
  isComplete: boolean,
  { sharing }: Tenant,
): string | undefined {
  if (cache.knownFrom !== 'api') return undefined;
  if (cache.mayVanish) return 'it may be gone at any time';
  if (!isComplete) return 'it does not hold all images';
  return sharing === 'cluster'
    ? undefined
    : 'nobody knows whose secrets made it, and sharing.mode is not cluster';
}

/** Whether the tenant neither gets the cache nor sees it. */
export function isHidden(cache: ImageCache, tenant: Tenant): boolean {
  const owner = ownerOf(cache, tenant);
  return owner === 'others' || owner === 'others by secrets';
}

/** @param list names, separated by commas */
function names(list: string, name: string): boolean {
  return list.split(',').includes(name);
}
