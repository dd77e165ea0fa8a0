/**
 * The look-ups that a decision needs; the index implements them in memory. A decision awaits nothing between its first
 * look-up and the patch, so it sees a single state of the cluster.
 */
import type { ImageCache } from '../image-cache.ts';
import type { ImageReference } from '../image/reference.ts';
import type { StringMap } from '../kubernetes/json.ts';
import type { Degree } from './match/degree.ts';
import type { PodLife, PodLives } from './pod-life.ts';
import type { Profile } from './profile/effects.ts';

/** A cache that shares at least one image or one repository with the pod. */
export interface Candidate {
  readonly cache: ImageCache;
  readonly degree: Degree;
}

/** All candidates of one degree, in no order. */
export interface CandidateLevel {
  readonly degree: Degree;
  /** The caches that are Ready, have an ID and are not being deleted. */
  readonly usable: readonly ImageCache[];
  /** The other caches, which no pod gets; they often explain why a pod starts cold. */
  readonly unusable: readonly ImageCache[];
}

export interface View {
  /** When the API server last confirmed the index; undefined before the first time. */
  confirmedAtMs(): number | undefined;
  /** False if the cluster does not have the ImageCache resource at all, which differs from having no ImageCache. */
  supportsImageCaches(): boolean;
  /** Empty for an unknown namespace. */
  namespaceLabels(name: string): StringMap;
  /** Undefined for an unknown namespace. */
  namespaceUid(name: string): string | undefined;
  /** Empty for an unknown node. */
  nodeLabels(name: string): StringMap;
  /** The largest size in bytes that any node reports for the image; undefined if no node holds it. */
  imageSize(imageKey: string): number | undefined;
  cacheById(id: string): ImageCache | undefined;
  /** All caches that claim this ID, by name; more than one only by mistake. */
  cachesById(id: string): readonly ImageCache[];
  profile(): Profile;
  /** Whether a controller leads that makes caches, as far as is known. */
  isControllerThere(nowMs: number): boolean;
  /** How long pods of a template live; undefined if that is not known, or too few have ended to tell. */
  podLife(template: string): PodLife | undefined;
  /**
   * The caches that share an image or a repository with a pod, the highest degree first.
   * @param images distinct by key
   */
  candidates(images: readonly ImageReference[]): readonly CandidateLevel[];
}

/** A view that tells whether its data have changed: each change makes a generation grow. */
export interface TrackedView extends View {
  /** The lives of all templates, also those that too few ends tell. */
  podLives(): PodLives;
  /** Grows with each change to anything that a decision looks up, except the ImageCaches. */
  clusterGeneration(): number;
  /** Grows with each change to an ImageCache; its expiry, and the start of the margin before it, count as changes. */
  cacheGeneration(nowMs: number, expiryMarginMs: number): number;
  /** Whether a cache with at least `atLeast` of these images or repositories has changed since a cacheGeneration. */
  cachesChangedSince(generation: number, names: readonly string[], atLeast: number): boolean;
}
