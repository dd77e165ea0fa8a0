/** The type of the whole configuration. settings.ts has each key, its default and its meaning. */
import type { DecisionOptions } from '../core/decision/options.ts';

/** A key that is a duration has the name of its setting and `Ms`: `shutdownDelay` is read into `shutdownDelayMs`. */
export interface Config extends DecisionOptions {
  /** Where the objects come from: `kubernetes` or `files:DIR`; empty if no source is configured. */
  readonly source: string;
  /** Path of a kubeconfig; empty: found as sources/kubernetes/kube-config.ts says. */
  readonly kubeconfig: string;
  /** Name of a kubeconfig context; empty: the current one. */
  readonly kubeContext: string;
  readonly region: DecisionOptions['region'] & {
    /** Whether ECI's API is asked for the caches of the region. */
    readonly api: boolean;
    /** `HOST[:PORT]`, or `http://HOST:PORT`; empty: the region's own. */
    readonly endpoint: string;
    readonly pollIntervalMs: number;
    readonly maxStalenessMs: number;
  };
  readonly createOnMiss: DecisionOptions['createOnMiss'] & {
    /** How many pods must miss a cache before the controller makes it. */
    readonly after: number;
  };
  readonly sharing: DecisionOptions['sharing'] & {
    /** Registries, or beginnings of repositories, whose images need no credentials. */
    readonly publicRegistries: readonly string[];
  };
  /** The address to which both ports are bound. */
  readonly host: string;
  readonly port: number;
  readonly metricsPort: number;
  /** The port for the kubelet's probes alone; 0: none. */
  readonly healthPort: number;
  readonly server: {
    /** Addresses and ranges from which only API servers come. */
    readonly apiServers: readonly string[];
  };
  readonly tls: {
    /** Paths of PEM files; empty if not used. */
    readonly cert: string;
    readonly key: string;
    /** The folder for a CA and a certificate that the webhook makes; empty if not used. */
    readonly selfSigned: string;
    /** A CA that the webhook makes and keeps in the cluster. */
    readonly managed: {
      /** `namespace/name` of the Secret with the CA; empty if not used. */
      readonly secret: string;
      /** Name of the MutatingWebhookConfiguration whose caBundle the webhook maintains. */
      readonly webhookConfiguration: string;
      readonly adviceConfiguration: string;
      /** How long a CA is valid. */
      readonly lifetimeMs: number;
    };
    /** DNS names and IP addresses in a certificate that the webhook makes. */
    readonly dnsNames: readonly string[];
    /** Path of a PEM file with the CAs of clients; empty if every client may use /mutate. */
    readonly clientCa: string;
    /** Common names that a client certificate may have; empty: any name. */
    readonly clientNames: readonly string[];
  };
  /** Whether the controller also makes caches for the templates of workloads, before their first pod. */
  readonly prewarm: boolean;
  /** Which namespaces to pre-warm: all that are not labelled `disabled`, or only those labelled `enabled`. */
  readonly prewarmNamespaces: 'all' | 'labelled';
  /** Namespaces that are never pre-warmed, whatever their labels. */
  readonly prewarmExcept: readonly string[];
  /** Settings of `imc controller`. */
  readonly controller: {
    /** How many caches the controller keeps. */
    readonly quota: number;
    /** Whether the controller only says what it would do. */
    readonly dryRun: boolean;
    /** Whether the controller merges caches near the quota. */
    readonly packing: boolean;
    /** The label of namespaces that makes several of them one tenant; empty: none. */
    readonly tenantLabel: string;
    readonly tenantCreationsPerHour: number;
    readonly creationsPerHour: number;
    /** GiB. */
    readonly maxSize: number;
    /** The timeout of the webhook in the API server. */
    readonly webhookTimeoutMs: number;
    /** Namespaces whose pods the API server does not send to the webhook. */
    readonly exceptNamespaces: readonly string[];
    /** The controller deletes a cache that no pod used for this many days. */
    readonly idleDays: number;
    readonly reuse: boolean;
    /** Whether a cache of which a tag has moved is made anew. */
    readonly refresh: 'never' | 'digest';
    /** Whether caches for more than a thousand pods get snapshot copies. */
    readonly snapshotCopies: boolean;
    readonly flash: boolean;
    /** Days after which ECI deletes a cache; 0: never. */
    readonly retentionDays: number;
    readonly privateImages: 'namespace' | 'never';
    /** `namespace/name` of the Lease with which the replicas elect their leader. */
    readonly lease: string;
    /** How long the Lease is valid if its leader does not renew it. */
    readonly leaseDurationMs: number;
  };
  /** How long the webhook still answers after it has turned unready. */
  readonly shutdownDelayMs: number;
  readonly logLevel: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';
}
