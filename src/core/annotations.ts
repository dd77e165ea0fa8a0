/**
 * Every annotation and label that the decision reads or writes, each written once. request.ts has their precedence;
 * docs/domain.md says which vendor page explains each.
 */

/** An annotation with two names. If both are set, the modern one wins. */
export interface AnnotationPair {
  readonly modern: string;
  readonly legacy: string;
}

/** Value: an ImageCache ID (`imc-…`) that the pod must start from. */
export const PIN: AnnotationPair = {
  modern: 'k8s.aliyun.com/eci-imc-id',
  legacy: 'k8s.aliyun.com/eci-image-snapshot-id',
};

/** Value: a boolean; match a cache automatically, and create one on a miss. */
export const AUTO: AnnotationPair = {
  modern: 'k8s.aliyun.com/eci-auto-imc',
  legacy: 'k8s.aliyun.com/eci-image-cache',
};

/** Value: a boolean; every image of the pod must be in the cache. Has no legacy name. */
export const PERFECT_MATCH = 'k8s.aliyun.com/imc-perfect-match';

/** Value: a positive integer; how many images of the pod must be in the cache. Has no legacy name. */
export const MATCH_COUNT = 'k8s.aliyun.com/imc-match-count-request';

/** Value: a Kubernetes quantity on top of the 30 GiB that every ECI instance has. */
export const EXTRA_STORAGE = 'k8s.aliyun.com/eci-extra-ephemeral-storage';

/** The six image-cache annotations of a pod. The webhook looks at every pod that has one of them. */
export const REQUEST_KEYS: readonly string[] = [
  PIN.modern,
  PIN.legacy,
  AUTO.modern,
  AUTO.legacy,
  PERFECT_MATCH,
  MATCH_COUNT,
];

/**
 * The prefix of our own annotations and labels: profile effects never write below it, and what users write there is not
 * believed.
 */
export const OWN_PREFIX = 'imagecache-webhook.io/';

/** The decision: the outcome, the request and what was written, as JSON (provenance.ts). */
export const DECISION = `${OWN_PREFIX}decision`;

/** Value: the hash of an image set that no cache holds yet. Written as annotation and as label. */
export const CREATE_ON_MISS = `${OWN_PREFIX}create-on-miss`;

/** How to reach a private registry, below the vendor's prefix. A pod and the cache made for it have the same names. */
export const REGISTRY_KEYS: readonly string[] = [
  'k8s.aliyun.com/acr-instance-ids',
  'k8s.aliyun.com/acr-service-arns',
  'k8s.aliyun.com/acr-user-arns',
  'k8s.aliyun.com/plain-http-registry',
  'k8s.aliyun.com/insecure-registry',
];
/** The first of them for a single ACR instance: pods may have it, ImageCaches do not. */
export const ACR_INSTANCE = {
  pod: 'k8s.aliyun.com/acr-instance-id',
  cache: 'k8s.aliyun.com/acr-instance-ids',
};

/** Labels of an ImageCache that the controller made: who made it, and the hash of the images that it was asked for. */
export const MADE_BY = { label: `${OWN_PREFIX}made-by`, controller: 'controller' };
export const IMAGE_SET = `${OWN_PREFIX}image-set`;
/** Annotations of such a cache: the number of the attempt, and when the first attempt began. */
export const ATTEMPT = `${OWN_PREFIX}attempt`;
export const FIRST_ATTEMPT = `${OWN_PREFIX}first-attempt`;
/** Annotations of such a cache: when a pod was last given it, and how many pods were. */
export const LAST_USED = `${OWN_PREFIX}last-used`;
export const HITS = `${OWN_PREFIX}hits`;

/**
 * Labels. On a namespace or a pod: whether the webhook is called. On a namespace or a workload: see
 * controller/prewarm.ts.
 */
export const WEBHOOK_SWITCH = { label: `${OWN_PREFIX}webhook`, off: 'disabled' };
export const PREWARM = { label: `${OWN_PREFIX}prewarm`, on: 'enabled', off: 'disabled' };

/** ECI's own annotations of an ImageCache: reuse layers of other caches; usable at once and filled later. */
export const REUSE = 'k8s.aliyun.com/imc-enable-reuse';
export const FLASH = 'k8s.aliyun.com/imc-enable-flash';
