/**
 * Owns every annotation and label string that the decision reads or writes, each written once.
 * Meanings and precedence: request.ts. Seeds 000 (current names), 001 and 003 (legacy names).
 */

/** An annotation that exists under two names. Where both are set, the modern one wins. */
export interface KeyPair {
  readonly modern: string;
  readonly legacy: string;
}

/** Value: an ImageCache ID (`imc-…`) that the pod must start from. */
export const PIN: KeyPair = {
  modern: 'k8s.aliyun.com/eci-imc-id',
  legacy: 'k8s.aliyun.com/eci-image-snapshot-id',
};

/** Value: a boolean; match a cache automatically, and create one on a miss. */
export const AUTO: KeyPair = {
  modern: 'k8s.aliyun.com/eci-auto-imc',
  legacy: 'k8s.aliyun.com/eci-image-cache',
};

/** Value: a boolean; every image of the pod must be in the cache. Has no legacy name. */
export const PERFECT_MATCH = 'k8s.aliyun.com/imc-perfect-match';

/** Value: a positive integer; how many images of the pod must be in the cache. Has no legacy name. */
export const MATCH_COUNT = 'k8s.aliyun.com/imc-match-count-request';

/** Value: a Kubernetes quantity on top of the 30 GiB that every ECI instance has. */
export const EXTRA_STORAGE = 'k8s.aliyun.com/eci-extra-ephemeral-storage';

/** The six image-cache annotations of a pod. A pod that carries one of them is ours to look at. */
export const REQUEST_KEYS: readonly string[] = [
  PIN.modern,
  PIN.legacy,
  AUTO.modern,
  AUTO.legacy,
  PERFECT_MATCH,
  MATCH_COUNT,
];

/** Everything below this prefix is ours: no user and no profile effect writes there. */
export const OWN_PREFIX = 'imagecache-webhook.io/';

/** What was decided, from which request, and what was written, as JSON (provenance.ts). */
export const DECISION = `${OWN_PREFIX}decision`;

/** Value: the hash of the image set that no cache holds yet. Written as annotation and as label. */
export const CREATE_ON_MISS = `${OWN_PREFIX}create-on-miss`;

/** How to reach a private registry, below the vendor's prefix: the same names on a pod and on the cache made for it. */
export const REGISTRY_KEYS: readonly string[] = [
  'k8s.aliyun.com/acr-instance-ids',
  'k8s.aliyun.com/acr-service-arns',
  'k8s.aliyun.com/acr-user-arns',
  'k8s.aliyun.com/plain-http-registry',
  'k8s.aliyun.com/insecure-registry',
];
/** The same as the first of them for one instance; a pod may have it, an ImageCache does not. */
export const ACR_INSTANCE = {
  pod: 'k8s.aliyun.com/acr-instance-id',
  cache: 'k8s.aliyun.com/acr-instance-ids',
};

/** On an ImageCache that the controller made. Labels: who made it, and the hash of the images that it was asked for. */
export const MADE_BY = { label: `${OWN_PREFIX}made-by`, controller: 'controller' };
export const IMAGE_SET = `${OWN_PREFIX}image-set`;
/** Annotations: which attempt it is, and when the first one began. */
export const ATTEMPT = `${OWN_PREFIX}attempt`;
export const FIRST_ATTEMPT = `${OWN_PREFIX}first-attempt`;
/** Annotations: when a pod was last given it, and how many have been. */
export const LAST_USED = `${OWN_PREFIX}last-used`;
export const HITS = `${OWN_PREFIX}hits`;

/** Labels. On a namespace or a pod: whether the webhook is asked. On a namespace or a workload: see provision/prewarm.ts. */
export const WEBHOOK_SWITCH = { label: `${OWN_PREFIX}webhook`, off: 'disabled' };
export const PREWARM = { label: `${OWN_PREFIX}prewarm`, on: 'enabled', off: 'disabled' };

/** On an ImageCache, ECI's own: layers of other caches are used again; it is ready at once, and filled later. */
export const REUSE = 'k8s.aliyun.com/imc-enable-reuse';
export const FLASH = 'k8s.aliyun.com/imc-enable-flash';
