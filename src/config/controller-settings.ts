/** The settings of `imc controller`, a part of the table in settings.ts. */
import type { Setting } from './setting.ts';
import { BOOLEAN, COUNT, DURATION, OBJECT_NAME, oneOf, TEXT, TEXTS } from './value-type.ts';

export const CONTROLLER_SETTINGS: readonly Setting[] = [
  {
    path: 'prewarm',
    type: BOOLEAN,
    default: false,
    help: "Whether the controller also makes a cache when a workload's template changes, before its first pod.",
  },
  {
    path: 'prewarmNamespaces',
    type: oneOf('all', 'labelled'),
    default: 'all',
    help: 'The namespaces to pre-warm: `all` except those labelled `imagecache-webhook.io/prewarm: disabled`, or only those labelled `enabled`.',
  },
  {
    path: 'prewarmExcept',
    type: TEXTS,
    default: ['kube-system'],
    help: 'Namespaces that are never pre-warmed, because the API server does not send their pods to the webhook.',
  },
  {
    path: 'controller.quota',
    type: COUNT,
    default: 100,
    help: 'How many ImageCaches the controller keeps. At the quota, each tenant that needs caches has an equal share of it.',
  },
  {
    path: 'controller.dryRun',
    type: BOOLEAN,
    default: false,
    help: 'Whether the controller only logs what it would do. It takes no Lease then, so that it may run beside a controller that acts.',
  },
  {
    path: 'controller.packing',
    type: BOOLEAN,
    default: true,
    help: 'Whether the controller merges caches into packs of up to 20 images and 20 GiB when the quota is nearly used up. A quota below 10 has no packs.',
  },
  {
    path: 'controller.tenantLabel',
    type: TEXT,
    default: '',
    help: 'A label of namespaces: those with the same value are one tenant. Without it, each namespace is a tenant.',
  },
  {
    path: 'controller.tenantCreationsPerHour',
    type: COUNT,
    default: 20,
    help: 'How many ImageCaches the controller makes for one tenant in an hour.',
  },
  {
    path: 'controller.creationsPerHour',
    type: COUNT,
    default: 100,
    help: 'How many ImageCaches the controller makes in an hour for all tenants together.',
  },
  {
    path: 'controller.maxSize',
    type: COUNT,
    default: 100,
    help: 'GiB: the largest ImageCache that the controller makes; 20 at least. Its size follows from its images.',
  },
  {
    path: 'controller.webhookTimeout',
    type: DURATION,
    default: '30s',
    help: 'How long a pod may take to be created after the webhook has decided it: the timeouts of all admission webhooks together. An ImageCache is marked before it is deleted, and for this time and `maxStaleness` pods may still come that were given it.',
  },
  {
    path: 'controller.exceptNamespaces',
    type: TEXTS,
    default: ['kube-system'],
    help: 'Namespaces whose pods the API server does not send to the webhook: a marker there means nothing.',
  },
  {
    path: 'controller.idleDays',
    type: COUNT,
    default: 30,
    help: "Delete the controller's ImageCaches that no pod used for this many days.",
  },
  {
    path: 'controller.reuse',
    type: BOOLEAN,
    default: false,
    help: "Whether ECI reuses layers of other caches for the controller's ImageCaches.",
  },
  {
    path: 'controller.refresh',
    type: oneOf('never', 'digest'),
    default: 'never',
    help: 'Whether the controller makes a cache anew once the statuses of pods show that one of its tags has another digest. The former one goes once the new one is Ready.',
  },
  {
    path: 'controller.snapshotCopies',
    type: BOOLEAN,
    default: false,
    help: 'Whether a cache that more than 1,000 pods miss gets one more snapshot for each further 1,000, before pods are given it. Needs `region.api`.',
  },
  {
    path: 'controller.flash',
    type: BOOLEAN,
    default: false,
    help: 'Whether the controller makes instant caches, which can be used at once and are filled later.',
  },
  {
    path: 'controller.retentionDays',
    type: COUNT,
    default: 0,
    help: "Days after which ECI itself deletes the controller's ImageCaches, used or not; 0: never.",
  },
  {
    path: 'controller.privateImages',
    type: oneOf('namespace', 'never'),
    default: 'namespace',
    help: "Whether the controller makes caches with pull secrets or ACR credentials, each for the namespace of its pods. ECI's own matching knows no namespaces: with `never` there is no such cache.",
  },
  {
    path: 'controller.lease',
    type: OBJECT_NAME,
    default: 'kube-system/imagecache-controller',
    help: 'Lease, NAMESPACE/NAME, with which the replicas of the controller elect their leader.',
  },
  {
    path: 'controller.leaseDuration',
    type: DURATION,
    default: '15s',
    help: 'How long a leader may fail to renew the Lease before another replica takes over; whole seconds.',
  },
];
