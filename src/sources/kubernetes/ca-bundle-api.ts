/**
 * Watches and writes the objects of the cluster that hold the webhook's own CA: the Secret with the CA, and the webhook
 * configurations with the caBundle. src/tls decides what to write.
 */
import type { Clock } from '../../clock.ts';
import { isObject, partOf, readText, type JsonObject } from '../../core/kubernetes/json.ts';
import { resourceVersionOf } from '../../core/kubernetes/object.ts';
import type { WebhookTrust } from '../../tls/kept-trust.ts';
import type { AuthoritySecret, CaBundleApi, ConfigurationKind } from '../../tls/managed-certificate.ts';
import { ApiError, type ApiClient, type ApiRequest } from './api-client.ts';
import { ReflectorGroup, problemsOf } from './reflectors.ts';
import { onlyNamed, type Store } from './list-all.ts';
import { Reflector, type ReflectorEvents } from './reflector.ts';
import { timingFor } from './reflector-timing.ts';

/** The path of all MutatingWebhookConfigurations at the API server. */
export const WEBHOOK_CONFIGURATIONS = '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations';

const CONFIGURATIONS = {
  mutating: { kind: 'MutatingWebhookConfiguration', path: WEBHOOK_CONFIGURATIONS },
  validating: {
    kind: 'ValidatingWebhookConfiguration',
    path: '/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations',
  },
} as const;

export interface CaBundleApiOptions {
  /** Namespace of the Secret. */
  readonly namespace: string;
  readonly secretName: string;
  readonly configurationName: string;
  /** Undefined: its caBundle is not kept. */
  readonly adviceConfigurationName: string | undefined;
  /** How long an object counts as up to date without word from the API server, in milliseconds. */
  readonly maxStalenessMs: number;
}

type Observer = Parameters<CaBundleApi['start']>[0];

type Listeners = Pick<ReflectorEvents, 'onFailure' | 'onStep'>;

export class KubernetesCaBundleApi implements CaBundleApi {
  readonly #api: ApiClient;
  readonly #options: CaBundleApiOptions;
  readonly #listeners: Listeners;
  readonly #clock: Clock;
  readonly #group = new ReflectorGroup();
  #secret: ReflectedObject | undefined;
  readonly #configurations = new Map<ConfigurationKind, ReflectedObject>();

  constructor(api: ApiClient, options: CaBundleApiOptions, listeners: Listeners, clock: Clock) {
    this.#api = api;
    this.#options = options;
    this.#listeners = listeners;
    this.#clock = clock;
  }

  start({ onSecret, onTrust }: Observer): void {
    const { namespace, secretName, configurationName, adviceConfigurationName } = this.#options;
    this.#secret = this.#reflect('Secret', `/api/v1/namespaces/${namespace}/secrets`, secretName, (object) =>
      onSecret(object && readSecret(object)),
    );
    const names = { mutating: configurationName, validating: adviceConfigurationName };
    for (const which of ['mutating', 'validating'] as const) {
      const name = names[which];
      if (name === undefined) continue;
      const { kind, path } = CONFIGURATIONS[which];
      this.#configurations.set(
        which,
        this.#reflect(kind, path, name, (object) => onTrust(which, object && readTrust(object))),
      );
    }
    this.#group.start(this.#reflected());
  }

  stop(): Promise<void> {
    return this.#group.stop();
  }

  problems(): readonly string[] {
    return problemsOf(this.#reflected());
  }

  #reflected(): readonly ReflectedObject[] {
    return [...(this.#secret ? [this.#secret] : []), ...this.#configurations.values()];
  }

  writeSecret(data: ReadonlyMap<string, string>, resourceVersion: string): Promise<boolean> {
    const { namespace, secretName } = this.#options;
    return this.#write(this.#secret, {
      path: `/api/v1/namespaces/${namespace}/secrets/${secretName}`,
      contentType: 'merge-patch+json',
      body: {
        metadata: { resourceVersion },
        // An empty text removes the key.
        data: Object.fromEntries(
          Array.from(data, ([key, text]) => [key, text === '' ? null : toBase64(text)]),
        ),
      },
    });
  }

  /** A strategic merge patch finds each webhook by its name. */
  writeTrust(
    which: ConfigurationKind,
    webhooks: readonly string[],
    caBundle: string,
    resourceVersion: string,
  ): Promise<boolean> {
    const { configurationName, adviceConfigurationName } = this.#options;
    const configuration = which === 'mutating' ? configurationName : adviceConfigurationName;
    return this.#write(this.#configurations.get(which), {
      path: `${CONFIGURATIONS[which].path}/${configuration}`,
      contentType: 'strategic-merge-patch+json',
      body: {
        metadata: { resourceVersion },
        webhooks: webhooks.map((name) => ({ name, clientConfig: { caBundle: toBase64(caBundle) } })),
      },
    });
  }

  /** @returns false if the object has changed meanwhile; the watch will deliver the change */
  async #write(
    reflected: ReflectedObject | undefined,
    request: Pick<ApiRequest, 'path' | 'contentType' | 'body'>,
  ): Promise<boolean> {
    try {
      const written = await this.#api.json({
        ...request,
        method: 'PATCH',
        signal: this.#group.signal,
      });
      // Reports the new state at once, because otherwise the next reconciliation would see the state before the write.
      if (isObject(written)) reflected?.onObject(written);
      return true;
    } catch (error) {
      if (error instanceof ApiError && error.status === 409) return false;
      throw error;
    }
  }

  #reflect(
    kind: string,
    path: string,
    name: string,
    onObject: (object: JsonObject | null) => void,
  ): ReflectedObject {
    const resource = { kind, ...onlyNamed(path, name) };
    const store = new OneObject(onObject);
    const events: ReflectorEvents = { ...this.#listeners, onConfirmed: () => store.confirm() };
    const timing = timingFor(this.#options.maxStalenessMs);
    return { reflector: new Reflector(resource, this.#api, store, timing, events, this.#clock), onObject };
  }
}

interface ReflectedObject {
  readonly reflector: Reflector;
  readonly onObject: (object: JsonObject | null) => void;
}

/** A store for a single object, which may not exist. */
class OneObject implements Store {
  readonly #onObject: (object: JsonObject | null) => void;
  #key: string | undefined;
  /** Whether the observer was told of the object, or that it does not exist. */
  #told = false;

  constructor(onObject: (object: JsonObject | null) => void) {
    this.#onObject = onObject;
  }

  apply(key: string, object: JsonObject): void {
    this.#key = key;
    this.#told = true;
    this.#onObject(object);
  }

  delete(): void {
    this.#key = undefined;
    this.#onObject(null);
  }

  keys(): Iterable<string> {
    return this.#key === undefined ? [] : [this.#key];
  }

  size(): number {
    return this.#key === undefined ? 0 : 1;
  }

  /** Called after a complete list: if the list did not contain the object, the object does not exist. */
  confirm(): void {
    if (this.#told) return;
    this.#told = true;
    this.#onObject(null);
  }
}

function readSecret(object: JsonObject): AuthoritySecret {
  return {
    data: new Map(Object.entries(partOf(object, 'data')).map(([key, value]) => [key, decode(value)])),
    resourceVersion: resourceVersionOf(object),
  };
}

function readTrust(object: JsonObject): WebhookTrust {
  const webhooks: readonly unknown[] = Array.isArray(object['webhooks']) ? object['webhooks'] : [];
  return {
    bundles: webhooks.filter(isObject).map((webhook) => ({
      webhook: readText(webhook['name']) ?? '',
      caBundle: decode(partOf(webhook, 'clientConfig')['caBundle']),
    })),
    resourceVersion: resourceVersionOf(object),
  };
}

function toBase64(text: string): string {
  return Buffer.from(text).toString('base64');
}

function decode(value: unknown): string {
  return Buffer.from(readText(value) ?? '', 'base64').toString();
}
