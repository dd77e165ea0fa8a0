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

/** The prefix of the webhook's and the controller's own annotations and labels; profile effects can set WAIT_FOR_CACHE alone. */
export const OWN_PREFIX = 'imagecache-webhook.io/';

/** The decision: the outcome, the request and what was written, as JSON (provenance.ts). */
export const DECISION = `${OWN_PREFIX}decision`;

/** Label of a pod, for people: the outcome of its decision. The record of the decision does not name it. */
export const OUTCOME = `${OWN_PREFIX}outcome`;

/** Value: the hash of an image set that no cache holds yet. Written as annotation and as label. */
export const CREATE_ON_MISS = `${OWN_PREFIX}create-on-miss`;

/**
 * A pod that waits until its cache is made. Value of the annotation, from the user or a profile: how long at most, `5m`. The
 * scheduling gate, and the label (`true`) by which such pods are found, have the same name.
 */
export const WAIT_FOR_CACHE = `${OWN_PREFIX}wait-for-cache`;

/** Credentials for ACR, which count as pull secrets. */
export const ACR_CREDENTIAL_KEYS: readonly string[] = [
  'k8s.aliyun.com/acr-instance-ids',
  'k8s.aliyun.com/acr-service-arns',
  'k8s.aliyun.com/acr-user-arns',
];
/** Registries that are reached without TLS, or without checking their certificate. */
export const INSECURE_REGISTRY_KEYS: readonly string[] = [
  'k8s.aliyun.com/plain-http-registry',
  'k8s.aliyun.com/insecure-registry',
];
/** The annotations that say how to reach a private registry. Pods and ImageCaches have them under the same keys. */
export const REGISTRY_KEYS: readonly string[] = [...ACR_CREDENTIAL_KEYS, ...INSECURE_REGISTRY_KEYS];
/** A pod may name a single ACR instance under a key of its own; an ImageCache has only the key for several. */
export const ACR_INSTANCE = {
  pod: 'k8s.aliyun.com/acr-instance-id',
  cache: 'k8s.aliyun.com/acr-instance-ids',
};

/** Labels of an ImageCache that the controller made, or that a plan asks for: its maker, and the hash of its image set. */
export const MADE_BY = { label: `${OWN_PREFIX}made-by`, controller: 'controller', plan: 'plan' };
export const IMAGE_SET = `${OWN_PREFIX}image-set`;
/** Annotations of an ImageCache that the controller made: the number of the attempt, and when the first one began. */
export const ATTEMPT = `${OWN_PREFIX}attempt`;
export const FIRST_ATTEMPT = `${OWN_PREFIX}first-attempt`;
/**
 * Annotations of an ImageCache that the controller made: the namespace that it was made for; when a pod last got the
 * cache, how many pods got it, and the namespaces of the pods that had it then, separated by commas.
 */
export const MADE_FOR = `${OWN_PREFIX}made-for`;
export const LAST_USED = `${OWN_PREFIX}last-used`;
export const HITS = `${OWN_PREFIX}hits`;
export const USERS = `${OWN_PREFIX}users`;
/** Annotation of an ImageCache that the controller made: its image sets, each with its last use (image-sets.ts). */
export const IMAGE_SETS = `${OWN_PREFIX}image-sets`;
/** Annotation of an ImageCache that the controller made, value `true`: the controller neither deletes nor merges it. */
export const DO_NOT_EVICT = `${OWN_PREFIX}do-not-evict`;
/** Annotation of an ImageCache that the controller will delete: why, and since when: `Quota 2026-11-30T12:00:00Z`. */
export const RETIRING = `${OWN_PREFIX}retiring`;

/** Annotation of an ImageCache that the controller holds back until ECI has copied its snapshot. Value: how many copies. */
export const COPIES = `${OWN_PREFIX}copies`;

/** Annotation of an ImageCache: the namespaces that may use it, separated by commas; without it, all may. */
export const NAMESPACES = `${OWN_PREFIX}namespaces`;
/** Annotation of such a cache that the controller made: the uid of the namespace, because one made anew is another. */
export const NAMESPACE_UID = `${OWN_PREFIX}namespace-uid`;

/** Annotation of a workload: the names of the rules of advice that are silent about it, separated by commas. */
export const ADVICE_IGNORE = `${OWN_PREFIX}advice-ignore`;

/**
 * Labels that switch the webhook on or off for a namespace or a pod, and pre-warming for a namespace or a workload
 * (controller/prewarm.ts).
 */
export const WEBHOOK_SWITCH = { label: `${OWN_PREFIX}webhook`, off: 'disabled' };
export const PREWARM = { label: `${OWN_PREFIX}prewarm`, on: 'enabled', off: 'disabled' };

/**
 * ECI's own annotations of an ImageCache: reuse layers of other caches, under the present and the older name; usable at
 * once and filled later.
 */
export const REUSE = 'k8s.aliyun.com/imc-enable-reuse';
export const LEGACY_REUSE = 'k8s.aliyun.com/eci-image-cache';
export const FLASH = 'k8s.aliyun.com/imc-enable-flash';

/** ECI's own annotations of an ImageCache for values that may also be in its spec: whole GiB, and whole days. */
export const CACHE_SIZE = 'k8s.aliyun.com/imc-size';
export const RETENTION_DAYS = 'k8s.aliyun.com/imc-retention-days';
/** The platform of an ImageCache: `amd64` (the default) or `arm64`; `linux` (the default) or `windows`. */
export const CACHE_ARCHITECTURE = 'k8s.aliyun.com/imc-cpu-arch';
export const CACHE_OPERATING_SYSTEM = 'k8s.aliyun.com/imc-os-type';

/** On a pod, written by ECI: the ID of the instance that runs the pod. */
export const ECI_INSTANCE = 'k8s.aliyun.com/eci-instance-id';
/** On a pod, written by ECI: the ID of the cache that the pod started from. */
export const MATCHED_CACHE = 'k8s.aliyun.com/eci-matched-image-cache';

/** On a pod, value: JSON such as `{"encrypted":"true"}`; asks for encrypted temporary storage. */
export const STORAGE_OPTIONS = 'k8s.aliyun.com/eci-ephemeral-storage-options';

/** The label, value `true`, of a pod or a namespace that goes to ECI: the present name, then the older one. */
export const ECI_LABELS: readonly string[] = ['alibabacloud.com/eci', 'eci'];

/** Annotation of a pod: with `eci_only` the pod runs on ECI, with `eci` it may run on ECI if other nodes are full. */
export const BURST_RESOURCE = 'alibabacloud.com/burst-resource';
