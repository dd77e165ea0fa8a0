/**
 * Writes Kubernetes Events, which `kubectl describe` shows. No caller waits for an Event; if an Event cannot be
 * written, that is logged, and the Event is lost.
 */
import type { Clock } from '../../clock.ts';
import { createHash } from 'node:crypto';
import { messageOf } from '../../core/kubernetes/problem.ts';
import type { ObjectReference } from '../../core/kubernetes/object.ts';
import { formatTime } from '../../core/kubernetes/time.ts';
import { ApiError, type ApiClient } from './api-client.ts';

/** The most characters that the API server accepts; Go clients also shorten messages to this length. */
const MAX_MESSAGE = 1024;

export class EventRecorder {
  readonly #api: ApiClient;
  readonly #component: string;
  readonly #signal: AbortSignal;
  readonly #onFailure: (message: string) => void;
  readonly #clock: Clock;

  /** @param component the name under which Events are reported */
  constructor(
    api: ApiClient,
    component: string,
    signal: AbortSignal,
    onFailure: (message: string) => void,
    clock: Clock,
  ) {
    this.#api = api;
    this.#component = component;
    this.#signal = signal;
    this.#onFailure = onFailure;
    this.#clock = clock;
  }

  /** @param reason in UpperCamelCase, for programs */
  record(about: ObjectReference, type: 'Normal' | 'Warning', reason: string, message: string): void {
    void this.#write(about, type, reason, message);
  }

  async #write(about: ObjectReference, type: string, reason: string, message: string): Promise<void> {
    const { kind, namespace, name, uid, resourceVersion } = about;
    // The name follows from the content, so that the replicas create the same Event once: later creations get 409.
    const hash = createHash('sha256')
      .update(`${reason}\n${uid}\n${resourceVersion ?? ''}\n${message}`)
      .digest('hex')
      .slice(0, 16);
    const at = formatTime(this.#clock.now());
    const body = {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: `${name}.${hash}`, namespace },
      involvedObject: { ...about },
      type,
      reason,
      message: message.slice(0, MAX_MESSAGE),
      source: { component: this.#component },
      firstTimestamp: at,
      lastTimestamp: at,
      count: 1,
    };
    try {
      await this.#api.json({
        path: `/api/v1/namespaces/${namespace}/events`,
        method: 'POST',
        body,
        signal: this.#signal,
      });
    } catch (error) {
      if (this.#signal.aborted || (error instanceof ApiError && error.status === 409)) return;
      this.#onFailure(`an Event on ${kind} ${namespace}/${name} could not be written: ${messageOf(error)}`);
    }
  }
}
