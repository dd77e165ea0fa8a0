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
