/** Owns the whole index: what a source fills, and what a decision reads through the View. */
import type { Reach } from '../core/match/reach.ts';
import type { CandidateLevel, View } from '../core/view.ts';
import type { StringMap } from '../core/json.ts';
import type { ImageCache } from '../core/image-cache.ts';
import type { ImageReference } from '../core/image/reference.ts';
import type { Profile } from '../core/profile/effect.ts';
import { ImageCacheIndex } from './image-cache-index.ts';
import { NamespaceIndex } from './namespace-index.ts';
import { NodeIndex } from './node-index.ts';
import { ProfileIndex } from './profile-index.ts';

export class ClusterIndex implements View {
  readonly imageCaches = new ImageCacheIndex();
  readonly profiles = new ProfileIndex();
  readonly nodes = new NodeIndex();
  readonly namespaces = new NamespaceIndex();
  #changes = 0;
  #freshAt: number | undefined;
  #imageCachesSupported = true;

  /** The source has word from its origin that all of this is true. @param now milliseconds since 1970 */
  confirm(now: number): void {
    this.#freshAt = now;
    this.imageCaches.settle();
  }

  setImageCachesSupported(supported: boolean): void {
    this.#imageCachesSupported = supported;
    this.#changes++;
  }

  version(): number {
    const { profiles, nodes, namespaces } = this;
    return this.#changes + profiles.changes + nodes.changes + namespaces.changes;
  }

  cachesVersion(): number {
    return this.imageCaches.changes;
  }

  cachesChanged(since: number, reach: Reach): boolean {
    return this.imageCaches.changed(since, reach);
  }

  supportsImageCaches(): boolean {
    return this.#imageCachesSupported;
  }

  freshAt(): number | undefined {
    return this.#freshAt;
  }

  namespaceLabels(name: string): StringMap {
    return this.namespaces.labels(name);
  }

  nodeLabels(name: string): StringMap {
    return this.nodes.labels(name);
  }

  imageSize(imageKey: string): number | undefined {
    return this.nodes.imageSize(imageKey);
  }

  cacheById(id: string): ImageCache | undefined {
    return this.imageCaches.byId(id);
  }

  profile(): Profile {
    return this.profiles.profile;
  }

  candidates(images: readonly ImageReference[]): readonly CandidateLevel[] {
    return this.imageCaches.candidates(images);
  }
}
