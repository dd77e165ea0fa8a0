/**
 * What imagePullPolicy means for a pod with a cache: with Always the kubelet asks the registry although the disk holds
 * the image (docs/domain.md, "Pull policy").
 */
import type { ImageCache } from '../image-cache.ts';
import type { PodImages } from '../image/image-set.ts';
import type { Container, Pod } from '../pod.ts';

/**
 * The most containers whose pull policy a decision changes, because the record of our changes lists their names. A pod
 * with more containers cannot run on ECI, and gets only the warning.
 */
export const MAX_ENFORCED_CONTAINERS = 20;

/** The containers that pull their image although the cache holds it. */
export function containersThatPullAnyway(
  containers: readonly Container[],
  cache: ImageCache,
  images: PodImages,
): Container[] {
  const held = new Set(cache.images.map((image) => image.key));
  return containers.filter((container) => {
    const reference = images.referenceOf(container.image);
    return reference !== undefined && held.has(reference.key) && pullsAlways(container, images);
  });
}

/** Whether the pull policy of a container is Always; if none is written, Kubernetes' default for the tag latest is. */
export function pullsAlways({ image, imagePullPolicy }: Container, images: PodImages): boolean {
  const byDefault = images.referenceOf(image)?.tag === 'latest' ? 'Always' : 'IfNotPresent';
  return (imagePullPolicy ?? byDefault) === 'Always';
}

export function pullWarning(containers: readonly Container[]): string {
  const [first, ...others] = containers.map((container) => container.name);
  const who =
    others.length === 0 ? `container ${first} has` : `containers ${first} and ${others.length} more have`;
  return `${who} imagePullPolicy Always: the image is in the cache, yet each start asks the registry and pulls what changed; set IfNotPresent`;
}

export function enforceIfNotPresent(pod: Pod, which: readonly Container[]): Pod {
  if (which.length === 0) return pod;
  const chosen = new Set(which);
  const containers = pod.containers.map((container) =>
    chosen.has(container) ? { ...container, imagePullPolicy: 'IfNotPresent' } : container,
  );
  return { ...pod, containers };
}
