/**
 * Owns the Kubernetes Events that the webhook puts on objects, where `kubectl describe` shows them. Written on the
 * side: nothing waits for one, and one that cannot be written is logged and lost.
 */
import { createHash } from 'node:crypto';
import { messageOf } from '../../core/error-message.ts';
import { readText } from '../../core/json.ts';
import { kindOf } from '../../core/group-kind.ts';
import type { Manifest } from '../kinds/manifest.ts';
import { ApiError, type ApiClient } from './api-client.ts';

/** Milliseconds. */
const TIMEOUT = 10_000;
/** What the API server takes; the length that Go clients cut at. */
const MAX_MESSAGE = 1024;

export class EventRecorder {
  readonly #api: ApiClient;
  readonly #signal: AbortSignal;
  readonly #onFailure: (message: string) => void;
  readonly #now: () => number;

  /** @param now milliseconds since 1970 */
  constructor(api: ApiClient, signal: AbortSignal, onFailure: (message: string) => void, now: () => number) {
    this.#api = api;
    this.#signal = signal;
    this.#onFailure = onFailure;
    this.#now = now;
  }

  /** @param reason in UpperCamelCase, for machines */
  warn(about: Manifest, reason: string, message: string): void {
    void this.#write(about, reason, message);
  }

  async #write({ groupKind, name, namespace, metadata, object }: Manifest, reason: string, message: string) {
    const version = readText(metadata['resourceVersion']) ?? '';
    // Named after what it is about, so that all replicas write one Event together: the second finds it there.
    const hash = createHash('sha256').update(`${reason}\n${version}\n${message}`).digest('hex').slice(0, 16);
    const at = new Date(this.#now()).toISOString().replace(/\.\d+Z$/, 'Z');
    const body = {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: `${name}.${hash}`, namespace },
      involvedObject: {
        apiVersion: readText(object['apiVersion']) ?? 'v1',
        kind: kindOf(groupKind),
        namespace,
        name,
        uid: readText(metadata['uid']),
        resourceVersion: version,
      },
      type: 'Warning',
      reason,
      message: message.slice(0, MAX_MESSAGE),
      source: { component: 'imagecache-webhook' },
      firstTimestamp: at,
      lastTimestamp: at,
      count: 1,
    };
    try {
      await this.#api.json({
        path: `/api/v1/namespaces/${namespace}/events`,
        method: 'POST',
        body,
        timeout: TIMEOUT,
        signal: this.#signal,
      });
    } catch (error) {
      if (this.#signal.aborted || (error instanceof ApiError && error.status === 409)) return;
      this.#onFailure(
        `an Event on ${kindOf(groupKind)} ${namespace}/${name} could not be written: ${messageOf(error)}`,
      );
    }
  }
}
