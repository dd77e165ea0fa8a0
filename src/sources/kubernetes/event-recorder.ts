/**
 * Writes Kubernetes Events, which `kubectl describe` shows. No caller waits for an Event. Few are written at the same time
 * and few in a second, so that Events never flood the API server; what is too much, or cannot be written, is lost.
 */
import type { Clock } from '../../clock.ts';
import { createHash } from 'node:crypto';
import { messageOf } from '../../core/kubernetes/problem.ts';
import type { ObjectReference } from '../../core/kubernetes/object.ts';
import { formatTime } from '../../core/kubernetes/time.ts';
import { ApiError, type ApiClient } from './api-client.ts';

/** The most characters that the API server accepts; Go clients also shorten messages to this length. */
const MAX_MESSAGE = 1024;
/** Requests under way at the same time. */
const WORKERS = 2;
/** Events that wait; further ones are lost. */
const MAX_QUEUE = 500;
/** Events that may be written at once after a quiet time, and after these, how many in a second. */
const RATE = { burst: 50, perSecond: 2 };

interface PendingEvent {
  readonly about: ObjectReference;
  readonly type: string;
  readonly reason: string;
  readonly message: string;
}

export class EventRecorder {
  readonly #api: ApiClient;
  readonly #component: string;
  readonly #signal: AbortSignal;
  readonly #onFailure: (message: string) => void;
  readonly #clock: Clock;
  readonly #queue: PendingEvent[] = [];
  #workers = 0;
  /** How many Events may be written now; and as of when, in milliseconds of Clock.elapsed. */
  #tokens = RATE.burst;
  #countedAtMs = 0;
  #lost = 0;

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
    if (this.#queue.length >= MAX_QUEUE) {
      this.#lost += 1;
      return;
    }
    this.#queue.push({ about, type, reason, message });
    if (this.#workers >= WORKERS) return;
    this.#workers += 1;
    void this.#work().finally(() => {
      this.#workers -= 1;
    });
  }

  /** Writes until the queue is empty. Never rejects. */
  async #work(): Promise<void> {
    for (let event = this.#queue.shift(); event && !this.#signal.aborted; event = this.#queue.shift()) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      await this.#untilAllowed();
      // oxlint-disable-next-line no-await-in-loop
      await this.#write(event);
    }
    if (this.#lost === 0 || this.#queue.length > 0) return;
    this.#onFailure(`${this.#lost} Events were not written, because there were too many at once`);
    this.#lost = 0;
  }

  /** Waits for the turn of one Event. */
  async #untilAllowed(): Promise<void> {
    const now = this.#clock.elapsed();
    const earned = ((now - this.#countedAtMs) / 1000) * RATE.perSecond;
    // Below 0, those who wait have taken what is earned next.
    this.#tokens = Math.min(this.#tokens + earned, RATE.burst) - 1;
    this.#countedAtMs = now;
    if (this.#tokens < 0) await this.#clock.sleep((-this.#tokens / RATE.perSecond) * 1000, this.#signal);
  }

  async #write({ about, type, reason, message }: PendingEvent): Promise<void> {
    if (this.#signal.aborted) return;
    const { kind, namespace, name, uid, resourceVersion } = about;
    // Kubernetes wants the Events on objects without a namespace in this one.
    const home = namespace === '' ? 'default' : namespace;
    // The name follows from the content, so that the replicas create the same Event once: later creations get 409.
    const hash = createHash('sha256')
      .update(`${reason}\n${uid}\n${resourceVersion ?? ''}\n${message}`)
      .digest('hex')
      .slice(0, 16);
    const at = formatTime(this.#clock.now());
    const body = {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: `${name}.${hash}`, namespace: home },
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
        path: `/api/v1/namespaces/${home}/events`,
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
