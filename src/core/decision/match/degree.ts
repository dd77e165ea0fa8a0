/** The degree: how well the images of a cache match those of a pod (docs/glossary.md). */
import type { ImageReference } from '../../image/reference.ts';

export interface Degree {
  /** How many of the pod's images the cache holds. */
  readonly exact: number;
  /** How many of the other images the cache holds in another version. */
  readonly sameRepository: number;
}

export const NO_MATCH: Degree = { exact: 0, sameRepository: 0 };

/** A pod's images, prepared for computing the degree of many caches. */
export interface WantedImages {
  readonly keys: ReadonlySet<string>;
  /** How many of the pod's images come from each repository. */
  readonly perRepository: ReadonlyMap<string, number>;
}

export function wantedImages(references: readonly ImageReference[]): WantedImages {
  const perRepository = new Map<string, number>();
  for (const { repository } of references)
    perRepository.set(repository, (perRepository.get(repository) ?? 0) + 1);
  return { keys: new Set(references.map((reference) => reference.key)), perRepository };
}

/** @param images the cache's images, distinct and sorted by key, so that the images of one repository are neighbours */
export function degreeOf(wanted: WantedImages, images: readonly ImageReference[]): Degree {
  let exact = 0;
  let ofSharedRepositories = 0;
  let previous: string | undefined;
  for (const { key, repository } of images) {
    if (wanted.keys.has(key)) exact++;
    if (repository !== previous) ofSharedRepositories += wanted.perRepository.get(repository) ?? 0;
    previous = repository;
  }
  return { exact, sameRepository: ofSharedRepositories - exact };
}
