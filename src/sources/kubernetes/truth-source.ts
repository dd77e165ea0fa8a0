/**
 * What the controller reads besides pods to know what became of them: the kubelet's Events on pulled images, and which pods
 * the API server sends to the webhook. If it may not read them, only the metrics of the ground truth lack them.
 */
import type { JsonObject } from '../../core/kubernetes/json.ts';
import { PULLED, readPull, type Pull } from '../../core/truth/pull.ts';
import { readWebhookScope, type WebhookScope } from '../../core/truth/unanswered.ts';
import { WEBHOOK_CONFIGURATIONS } from './ca-bundle-api.ts';
import { onlyNamed, type Resource, type Store } from './list-all.ts';
import type { ReflectedKind } from './reflectors.ts';

export interface TruthEvents {
  readonly onPull: (pull: Pull) => void;
  /** @param scope undefined: there is no such configuration */
  readonly onScope: (scope: WebhookScope | undefined) => void;
}

const EVENTS: Resource = {
  kind: 'Event of a pulled image',
  paths: ['/api/v1/events'],
  fieldSelector: PULLED,
  mayBeAbsent: false,
};

/** @param webhookConfiguration the name of the webhook's MutatingWebhookConfiguration */
export function truthKinds(
  reflect: (resource: Resource, store: Store) => ReflectedKind,
  webhookConfiguration: string,
  events: TruthEvents,
): readonly ReflectedKind[] {
  const configuration = {
    ...onlyNamed(WEBHOOK_CONFIGURATIONS, webhookConfiguration),
    kind: 'MutatingWebhookConfiguration',
  };
  return [
    reflect(
      EVENTS,
      passingOn((object) => tell(readPull(object), events.onPull)),
    ),
    reflect(configuration, new ScopeStore(events)),
  ];
}

function tell<T>(value: T | undefined, to: (value: T) => void): void {
  if (value !== undefined) to(value);
}

/** Keeps nothing: an Event is read when it comes. */
function passingOn(onObject: (object: JsonObject) => void): Store {
  return {
    apply: (_key, object) => onObject(object),
    delete: () => undefined,
    keys: () => [],
    size: () => 0,
  };
}

class ScopeStore implements Store {
  readonly #events: TruthEvents;
  #key: string | undefined;

  constructor(events: TruthEvents) {
    this.#events = events;
  }

  apply(key: string, object: JsonObject): void {
    this.#key = key;
    try {
      this.#events.onScope(readWebhookScope(object));
    } catch {
      // The API server has accepted selectors that this code cannot read: nothing is said about unanswered pods.
      this.#events.onScope(undefined);
    }
  }

  delete(): void {
    this.#key = undefined;
    this.#events.onScope(undefined);
  }

  keys(): Iterable<string> {
    return this.#key === undefined ? [] : [this.#key];
  }

  size(): number {
    return this.#key === undefined ? 0 : 1;
  }
}
