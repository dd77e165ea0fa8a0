/** The type of the whole configuration. settings.ts has each key, its default and its meaning. */
import type { DecisionOptions } from '../core/decision/options.ts';

/** A key that is a duration has the name of its setting and `Ms`: `shutdownDelay` is read into `shutdownDelayMs`. */
export interface Config extends DecisionOptions {
  /** Where the objects come from: `kubernetes`, `files:DIR`; empty where none is configured. */
  readonly source: string;
  /** Path of a kubeconfig; empty for the usual places. */
  readonly kubeconfig: string;
  /** Name of a context in it; empty for its current one. */
  readonly kubeContext: string;
  /** Address that both ports are bound to. */
  readonly host: string;
  readonly port: number;
  readonly metricsPort: number;
  readonly tls: {
    /** Paths of PEM files; empty where not used. */
    readonly cert: string;
    readonly key: string;
    /** Folder for a CA and a certificate made here; empty where not used. */
    readonly selfSigned: string;
    /** A CA that the webhook keeps in the cluster. */
    readonly managed: {
      /** `namespace/name` of its Secret; empty where not used. */
      readonly secret: string;
      /** Name of the MutatingWebhookConfiguration whose caBundle it is. */
      readonly webhookConfiguration: string;
      /** How long that CA is good for. */
      readonly lifetimeMs: number;
    };
    /** Names and addresses in a certificate that is made here. */
    readonly dnsNames: readonly string[];
    /** Path of a PEM file; empty where everybody may ask. */
    readonly clientCa: string;
    /** Empty: any name. */
    readonly clientNames: readonly string[];
  };
  /** Whether the controller makes caches for templates too, before their first pod. */
  readonly prewarm: boolean;
  /** Of which namespaces, where nothing is labelled. */
  readonly prewarmNamespaces: 'all' | 'labelled';
  /** Namespaces that are left out whatever their labels. */
  readonly prewarmExcept: readonly string[];
  /** Of `imc controller`, which makes caches on a miss. */
  readonly controller: {
    /** How many caches of its own it keeps. */
    readonly quota: number;
    /** Days after which one that nobody used goes. */
    readonly idleDays: number;
    readonly reuse: boolean;
    readonly flash: boolean;
    /** 0: they never expire. */
    readonly retentionDays: number;
    /** `namespace/name` of the Lease by which replicas elect their leader. */
    readonly lease: string;
    /** A leader that is silent for longer has lost the Lease. */
    readonly leaseDurationMs: number;
  };
  /** Between turning unready and closing the port. */
  readonly shutdownDelayMs: number;
  readonly logLevel: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';
}
