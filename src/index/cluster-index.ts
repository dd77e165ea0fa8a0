/** The whole index: a source fills it, and decisions read it through the View. */
import type { CandidateLevel, TrackedView } from '../core/decision/view.ts';
import type { StringMap } from '../core/kubernetes/json.ts';
import type { ImageCache } from '../core/image-cache.ts';
import type { ImageReference } from '../core/image/reference.ts';
import type { Profile } from '../core/decision/profile/effects.ts';
import type { PodLife, PodLives } from '../core/decision/pod-life.ts';
import { ControllerLease } from './controller-lease.ts';
import { ImageCacheIndex } from './image-cache-index.ts';
import { LifeIndex } from './life-index.ts';
import { NamespaceIndex } from './namespace-index.ts';
import { NodeIndex } from './node-index.ts';
import { ProfileIndex } from './profile-index.ts';
import { RegionCaches } from './region-caches.ts';

export class ClusterIndex implements TrackedView {
  readonly imageCaches = new ImageCacheIndex();
  /** What writes the ImageCaches. */
  readonly regionCaches = new RegionCaches(this.imageCaches);
  readonly profiles = new ProfileIndex();
  readonly nodes = new NodeIndex();
  readonly namespaces = new NamespaceIndex();
  readonly lives = new LifeIndex();
  readonly controllerLease = new ControllerLease();
  #changes = 0;
  #confirmedAtMs: number | undefined;
  #imageCachesSupported = true;

  /** Notes that the source confirmed the index. @param nowMs when the index was up to date, since 1970 */
  confirm(nowMs: number): void {
    this.#confirmedAtMs = nowMs;
  }

  setImageCachesSupported(supported: boolean): void {
    this.#imageCachesSupported = supported;
    this.#changes++;
  }

  /** Grows with each change to anything that the look-ups return, except the ImageCaches. */
  clusterGeneration(): number {
    const { profiles, nodes, namespaces, lives } = this;
    return this.#changes + profiles.changes + nodes.changes + namespaces.changes + lives.changes;
  }

  /** Grows with each change to an ImageCache, and whenever time makes one of them expire. */
  cacheGeneration(nowMs: number, expiryMarginMs: number): number {
    this.imageCaches.noteExpiries(nowMs, expiryMarginMs);
    return this.imageCaches.generation;
  }

  /** Whether a cache with at least `atLeast` of these images or repositories has changed since a cacheGeneration. */
  cachesChangedSince(generation: number, names: readonly string[], atLeast: number): boolean {
    return this.imageCaches.hasChangedSince(generation, names, atLeast);
  }

  supportsImageCaches(): boolean {
    return this.#imageCachesSupported;
  }

  confirmedAtMs(): number | undefined {
    return this.#confirmedAtMs;
  }

  namespaceLabels(name: string): StringMap {
    return this.namespaces.labels(name);
  }

  namespaceUid(name: string): string | undefined {
    return this.namespaces.uid(name);
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

  cachesById(id: string): readonly ImageCache[] {
    return this.imageCaches.claimants(id);
  }

  profile(): Profile {
    return this.profiles.profile;
  }

  isControllerThere(nowMs: number): boolean {
    return this.controllerLease.isFresh(nowMs);
  }

  podLife(template: string): PodLife | undefined {
    return this.lives.get(template);
  }

  podLives(): PodLives {
    return this.lives.all;
  }

  candidates(images: readonly ImageReference[]): readonly CandidateLevel[] {
    return this.imageCaches.candidates(images);
  }
}
