/** Views of a cluster that leave something out, for what must not know it. */
import type { View } from './view.ts';

/** The same cluster as if it had no ImageCache. */
export function withoutCaches(view: View): View {
  return {
    confirmedAtMs: () => view.confirmedAtMs(),
    supportsImageCaches: () => true,
    namespaceLabels: (name) => view.namespaceLabels(name),
    namespaceUid: (name) => view.namespaceUid(name),
    nodeLabels: (name) => view.nodeLabels(name),
    imageSize: (key) => view.imageSize(key),
    profile: () => view.profile(),
    isControllerThere: () => true,
    podLife: (template) => view.podLife(template),
    cacheById: () => undefined,
    cachesById: () => [],
    candidates: () => [],
  };
}

/** The same cluster as if its caches had not been read yet, so that a decision says nothing about them. */
export function withCachesUnread(view: View): View {
  return { ...withoutCaches(view), confirmedAtMs: () => undefined };
}
