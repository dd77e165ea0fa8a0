/**
 * The table of all settings, from which validation, environment variables, flags, `--help` and the table in
 * docs/reference.md are made. The key `pin.notReady` is `pin: {notReady: …}` in the file, IMC_PIN_NOT_READY in the
 * environment, and --pin-not-ready on the command line.
 */
import {
  AMOUNT,
  ADDRESSES,
  BOOLEAN,
  COUNT,
  DURATION,
  NAMES,
  OBJECT_NAME,
  oneOf,
  PORT,
  SOURCE,
  TEXT,
  TEXTS,
} from './value-type.ts';
import { CONTROLLER_SETTINGS } from './controller-settings.ts';
import { REGION_SETTINGS } from './region-settings.ts';
import type { Setting } from './setting.ts';

export const SETTINGS: readonly Setting[] = [
  {
    path: 'source',
    type: SOURCE,
    default: '',
    help: 'Where ImageCaches, Namespaces, Nodes and the eci-profile come from: `kubernetes`, a cluster; `files:DIR`, a watched folder of manifests.',
  },
  {
    path: 'kubeconfig',
    type: TEXT,
    default: '',
    help: 'Path of a kubeconfig. Without it: the file that KUBECONFIG names, else ~/.kube/config, else the service account of the pod.',
  },
  {
    path: 'kubeContext',
    type: TEXT,
    default: '',
    help: 'Context of the kubeconfig to use, instead of its current one (also --context, as kubectl calls it).',
    alias: 'context',
  },
  {
    path: 'scope',
    type: oneOf('eci', 'all'),
    default: 'eci',
    help: '`eci`: pods that carry a sign of ECI or an image-cache annotation. `all`: every pod, for serverless clusters.',
  },
  {
    path: 'bindTime',
    type: BOOLEAN,
    default: false,
    help: 'For hybrid clusters: if a pod may run on a normal node, decide when the pod is bound, and only if its node is virtual.',
  },
  ...REGION_SETTINGS,
  {
    path: 'minimumMatch',
    type: oneOf('image', 'repository'),
    default: 'image',
    help: "The least that a cache must hold: one of the pod's images, or (`repository`) at least another version of one.",
  },
  {
    path: 'expiryMargin',
    type: DURATION,
    default: '10m',
    help: 'A cache that expires sooner than this is not chosen.',
  },
  {
    path: 'maxStaleness',
    type: DURATION,
    default: '60s',
    help: 'If the source has not confirmed the index for longer than this, the index is not trusted: the choice is left to ECI, and no pin is denied.',
  },
  {
    path: 'onInvalidAnnotation',
    type: oneOf('warn', 'deny'),
    default: 'warn',
    help: 'A malformed annotation value is ignored with a warning, or the pod is denied.',
  },
  {
    path: 'pin.notReady',
    type: oneOf('deny', 'warn', 'auto'),
    default: 'deny',
    help: 'If a pinned cache is not Ready, has expired or is being deleted: deny the pod, keep the pin, or match automatically.',
  },
  {
    path: 'pin.unknown',
    type: oneOf('warn', 'deny'),
    default: 'warn',
    help: 'If no ImageCache in the cluster has the pinned ID: keep the pin with a warning (ECI may know it), or deny the pod.',
  },
  {
    path: 'dialect',
    type: oneOf('modern', 'legacy', 'both'),
    default: 'modern',
    help: 'Names to write: `eci-imc-id` and `eci-auto-imc`, the older `eci-image-snapshot-id` and `eci-image-cache`, or both.',
  },
  {
    path: 'pullPolicy',
    type: oneOf('warn', 'keep', 'enforce'),
    default: 'warn',
    help: 'Containers that pull Always although the cache holds their image: warn, stay silent, or write IfNotPresent (in a pod of at most 20 such containers).',
  },
  {
    path: 'partialHits',
    type: oneOf('auto', 'use', 'leave'),
    default: 'auto',
    help: 'If the best cache holds only some of the images: `use` it, or `leave` the choice to ECI, which may know a complete cache. `auto` uses it if the controller makes a complete cache meanwhile, or if the pod asks for a match degree.',
  },
  {
    path: 'imageVolumes',
    type: oneOf('ignore', 'count'),
    default: 'ignore',
    help: 'Whether the images of volumes count as images of the pod; they may hold artifacts that no cache can be made of.',
  },
  {
    path: 'sharing.mode',
    type: oneOf('namespace', 'strict', 'cluster'),
    default: 'namespace',
    help: "Whose caches are: `namespace`, one that the controller made with credentials belongs to the namespace of the pod; `strict`, one made by hand with pull secrets belongs to their namespaces too; `cluster`, all are everybody's.",
  },
  {
    path: 'sharing.publicRegistries',
    type: TEXTS,
    default: ['docker.io/library', 'registry.k8s.io'],
    help: 'Registries, or parts of them, that need no credentials: if all images of a miss come from them, the controller first makes a cache without credentials, for everybody.',
  },
  {
    path: 'createOnMiss.when',
    type: oneOf('no-match', 'incomplete'),
    default: 'incomplete',
    help: 'Ask for a cache only if none qualifies (`no-match`), or also if the best one lacks some of the images.',
  },
  {
    path: 'createOnMiss.after',
    type: COUNT,
    default: 1,
    help: 'How many pods of the last day that still exist must miss a cache before the controller makes it. Templates count at once.',
  },
  {
    path: 'createOnMiss.by',
    type: oneOf('eci', 'controller', 'auto'),
    default: 'eci',
    help: "Who makes the cache: ECI by itself, or a controller that acts on the marker (ECI's own creation is then switched off). `auto`: the controller, if the pods of the template end before the disk of a cache costs more than it saves; else ECI.",
  },
  {
    path: 'waitForCache',
    type: oneOf('never', 'drain', 'allow'),
    default: 'never',
    help: 'Whether pods with the annotation `imagecache-webhook.io/wait-for-cache` wait for the cache that the controller makes. `drain` lets all pods go that still wait: set it before `never`, and before a release that does not know the setting.',
  },
  {
    path: 'prices.diskGibHour',
    type: AMOUNT,
    default: 0.0021,
    help: "What a GiB of a pod's disk costs in an hour, for `createOnMiss.by: auto`. The defaults of the prices are the vendor's examples, in CNY.",
  },
  {
    path: 'prices.vcpuSecond',
    type: AMOUNT,
    default: 0.000_049,
    help: 'What a vCPU of a pod costs in a second.',
  },
  {
    path: 'prices.memoryGibSecond',
    type: AMOUNT,
    default: 0.000_006_13,
    help: 'What a GiB of memory of a pod costs in a second.',
  },
  {
    path: 'pullRate',
    type: AMOUNT,
    default: 7.7,
    help: 'How many compressed megabytes a pod pulls in a second, for `createOnMiss.by: auto`.',
  },
  {
    path: 'host',
    type: TEXT,
    default: '0.0.0.0',
    help: 'Address to listen on.',
  },
  {
    path: 'port',
    type: PORT,
    default: 8443,
    help: 'Port of the webhook (HTTPS): /mutate, /healthz, /readyz.',
  },
  {
    path: 'metricsPort',
    type: PORT,
    default: 9090,
    help: 'Port of the metrics (plain HTTP): /metrics.',
  },
  {
    path: 'healthPort',
    type: PORT,
    default: 0,
    help: 'Port for the probes of the kubelet (plain HTTP): /healthz, /readyz. 0: none, and the other ports answer them alone.',
  },
  {
    path: 'server.apiServers',
    type: ADDRESSES,
    default: [],
    help: 'Addresses of the API servers, or ranges of them (CIDR). A Binding that comes from elsewhere, without a certificate of `tls.clientCa`, is answered with nothing that was read from the pod.',
  },
  {
    path: 'tls.cert',
    type: TEXT,
    default: '',
    help: 'File with the serving certificate (PEM, with its chain). Needs `tls.key`; renewed files are used within seconds.',
  },
  {
    path: 'tls.key',
    type: TEXT,
    default: '',
    help: "File with the certificate's private key (PEM).",
  },
  {
    path: 'tls.selfSigned',
    type: TEXT,
    default: '',
    help: 'Folder in which the webhook makes a CA and a certificate and finds them again after a restart, instead of `tls.cert` and `tls.key`.',
  },
  {
    path: 'tls.dnsNames',
    type: NAMES,
    default: ['localhost', '127.0.0.1', '::1'],
    help: 'DNS names and IP addresses of a certificate that the webhook makes.',
  },
  {
    path: 'tls.managed.secret',
    type: OBJECT_NAME,
    default: '',
    help: 'Instead of files: the Secret, NAMESPACE/NAME, in which the replicas keep a CA that they make. It must exist, and may be empty.',
  },
  {
    path: 'tls.managed.webhookConfiguration',
    type: TEXT,
    default: 'imagecache-webhook',
    help: 'The MutatingWebhookConfiguration whose caBundle is set to the managed CA.',
  },
  {
    path: 'tls.managed.adviceConfiguration',
    type: TEXT,
    default: '',
    help: 'The ValidatingWebhookConfiguration for advice, whose caBundle is set to the managed CA too. Default none.',
  },
  {
    path: 'tls.managed.lifetime',
    type: DURATION,
    default: '8760h',
    help: 'How long a CA is valid. After two thirds of it a new CA is made, and clients trust both until the old one ends. Serving certificates last a sixth of it.',
  },
  {
    path: 'tls.clientCa',
    type: TEXT,
    default: '',
    help: 'File with CAs (PEM), read at the start. Only clients with a certificate of one of them may then use /mutate and /advise.',
  },
  {
    path: 'tls.clientNames',
    type: TEXTS,
    default: [],
    help: "Common names that a client's certificate may have. Empty: any name.",
  },
  ...CONTROLLER_SETTINGS,
  {
    path: 'shutdownDelay',
    type: DURATION,
    default: '5s',
    help: 'How long the webhook still answers after SIGTERM while it is already unready, so that the cluster stops sending it requests.',
  },
  {
    path: 'logLevel',
    type: oneOf('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'),
    default: 'info',
    help: 'The lowest level that is logged. `debug` has a line for each decision.',
  },
];

/** The setting of this path, or of this shorter name. */
export function settingOf(name: string): Setting | undefined {
  return SETTINGS.find(({ path, alias }) => path === name || alias === name);
}

/** `pin.notReady` → `IMC_PIN_NOT_READY`. */
export function environmentName(path: string): string {
  return `IMC_${words(path).join('_').toUpperCase()}`;
}

/** `pin.notReady` → `pin-not-ready`; the flag is `--pin-not-ready`. */
export function flagName(path: string): string {
  return words(path).join('-');
}

function words(path: string): string[] {
  return path.replaceAll(/[A-Z]/g, '.$&').toLowerCase().split('.');
}
