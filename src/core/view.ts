/**
 * Owns the look-ups that a decision needs. The index implements them; everything here answers at once and from
 * memory, and between the first look-up and the patch nothing awaits: that is the decision's snapshot.
 */
import type { ImageReference } from './image/reference.ts';
import type { ImageCache } from './image-cache.ts';
import type { Reach } from './match/reach.ts';
import type { Degree } from './match/score.ts';
import type { Profile } from './profile/effect.ts';
import type { StringMap } from './json.ts';

/** A cache that shares at least one image or one repository with the pod. */
export interface Candidate {
  readonly cache: ImageCache;
  readonly degree: Degree;
}

/** All candidates of one degree, in no order. */
export interface CandidateLevel {
  readonly degree: Degree;
  /** Those that a pod can start from, as far as their state goes. */
  readonly usable: readonly ImageCache[];
  /** Those that are not Ready or are being deleted: never a choice, often the explanation. */
  readonly unusable: readonly ImageCache[];
}

export interface View {
  /** Larger after any change to what the look-ups return, but for freshAt and ImageCaches. */
  version(): number;
  /** Larger after any change to an ImageCache. */
  cachesVersion(): number;
  /** Whether a cache within reach has come, gone or changed since a cachesVersion; may say so where none has. */
  cachesChanged(since: number, reach: Reach): boolean;
  /** When the source last had word from its origin, in milliseconds since 1970; undefined before the first sync. */
  freshAt(): number | undefined;
  /** False where the cluster does not have the resource at all, which is not the same as having no ImageCache. */
  supportsImageCaches(): boolean;
  /** Empty for a namespace that is unknown. */
  namespaceLabels(name: string): StringMap;
  /** Empty for a node that is unknown. */
  nodeLabels(name: string): StringMap;
  /** Bytes that the image takes on the nodes that hold it, the largest where they differ; undefined if none does. */
  imageSize(imageKey: string): number | undefined;
  cacheById(id: string): ImageCache | undefined;
  profile(): Profile;
  /**
   * The caches that share an image or a repository with a pod, the highest degree first.
   * @param images distinct by key
   */
  candidates(images: readonly ImageReference[]): readonly CandidateLevel[];
}
