/**
 * Elects one leader among replicas with a Lease (coordination.k8s.io/v1), as Kubernetes' own controllers do: the
 * replica that renews the Lease leads, and another takes over if the Lease stays unchanged for its whole duration. Only
 * the local clock counts, and never the times in the Lease, because clocks differ between machines.
 */
import type { Clock, Timer } from '../../clock.ts';
import { isObject, partOf, readText, type JsonObject } from '../../core/kubernetes/json.ts';
import { messageOf } from '../../core/kubernetes/problem.ts';
import { resourceVersionOf } from '../../core/kubernetes/object.ts';
import { ApiError, type ApiClient } from './api-client.ts';

export interface LeaseOptions {
  readonly namespace: string;
  readonly name: string;
  /** Of this replica; no two replicas have the same. */
  readonly identity: string;
  /** How long an unrenewed Lease is valid; whole seconds. */
  readonly durationMs: number;
}

export interface LeaseEvents {
  /** @param signal aborted when the leadership ends; from then on nothing may be done as leader */
  readonly onLead: (signal: AbortSignal) => Promise<void>;
  readonly onStep: (message: string) => void;
  readonly onFailure: (message: string) => void;
}

/** Shares of the Lease's duration, as in Kubernetes' own controllers: 10 s and 2 s of 15 s. */
const RENEW_WITHIN = 2 / 3;
const TRY_EVERY = 2 / 15;

interface SeenLease {
  readonly version: string;
  readonly holder: string;
  /** When this replica first saw this version, in milliseconds of Clock.elapsed. */
  readonly at: number;
}

export class LeaderElection {
  readonly #api: ApiClient;
  readonly #options: LeaseOptions;
  readonly #events: LeaseEvents;
  readonly #clock: Clock;
  #seen: SeenLease | undefined;
  #problem: string | undefined;

  constructor(api: ApiClient, options: LeaseOptions, events: LeaseEvents, clock: Clock) {
    this.#clock = clock;
    this.#api = api;
    this.#options = options;
    this.#events = events;
  }

  /** Runs until the signal is aborted; then a Lease that is held is released, so that another replica need not wait. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const askedAt = this.#clock.elapsed();
      // oxlint-disable-next-line no-await-in-loop -- one attempt rests on the one before
      if (await this.#tryToHold(signal)) await this.#lead(askedAt, signal);
      // oxlint-disable-next-line no-await-in-loop
      else await this.#rest(signal);
    }
  }

  /** @param heldFrom when the request that took the Lease was sent; its answer may have come much later */
  async #lead(heldFrom: number, signal: AbortSignal): Promise<void> {
    const { name, durationMs } = this.#options;
    this.#events.onStep(`leading: this replica holds Lease ${name}`);
    const over = new AbortController();
    const end = (): void => over.abort();
    signal.addEventListener('abort', end);
    const leading = this.#events.onLead(over.signal).catch((error: unknown) => {
      this.#events.onFailure(messageOf(error));
      end();
    });
    // A timer of its own ends the leadership in time, also while a renewal waits for its answer.
    const endIn = (askedAt: number): Timer =>
      this.#clock.after(Math.max(askedAt + durationMs * RENEW_WITHIN - this.#clock.elapsed(), 0), end);
    let deadline = endIn(heldFrom);
    while (!over.signal.aborted) {
      // oxlint-disable-next-line no-await-in-loop -- renewals follow one another
      await this.#rest(over.signal);
      if (over.signal.aborted) break;
      const askedAt = this.#clock.elapsed();
      // oxlint-disable-next-line no-await-in-loop
      if (await this.#tryToHold(over.signal)) {
        deadline.cancel();
        deadline = endIn(askedAt);
      } else if (!this.#isHeldByUs()) end();
    }
    deadline.cancel();
    signal.removeEventListener('abort', end);
    await leading;
    if (signal.aborted) await this.#giveBack();
    else this.#events.onStep(`no longer leading: Lease ${name} could not be renewed`);
  }

  #isHeldByUs(): boolean {
    return this.#seen?.holder === this.#options.identity;
  }

  /** @returns whether this replica holds the Lease now */
  async #tryToHold(signal: AbortSignal): Promise<boolean> {
    try {
      const lease = await this.#read(signal);
      const held = await this.#hold(lease, signal);
      if (this.#problem !== undefined) this.#events.onStep('the Lease can be read and written again');
      this.#problem = undefined;
      return held;
    } catch (error) {
      // Another replica was faster.
      if (error instanceof ApiError && error.status === 409) return false;
      const problem = `Lease ${this.#options.name}: ${messageOf(error)}`;
      if (!signal.aborted && problem !== this.#problem) this.#events.onFailure(problem);
      this.#problem = problem;
      return false;
    }
  }

  async #hold(lease: JsonObject | undefined, signal: AbortSignal): Promise<boolean> {
    const { identity, durationMs } = this.#options;
    if (!lease) {
      await this.#write('POST', this.#collection(), this.#leaseOf(undefined), signal);
      return true;
    }
    const holder = readText(partOf(lease, 'spec')['holderIdentity']) ?? '';
    const version = resourceVersionOf(lease);
    if (this.#seen?.version !== version) this.#seen = { version, holder, at: this.#clock.elapsed() };
    const isFree = holder === '' || holder === identity || this.#clock.elapsed() - this.#seen.at > durationMs;
    if (!isFree) return false;
    await this.#write('PUT', this.#path(), this.#leaseOf(lease), signal);
    return true;
  }

  #leaseOf(former: JsonObject | undefined): JsonObject {
    const { namespace, name, identity, durationMs } = this.#options;
    const now = new Date(this.#clock.now()).toISOString().replace('Z', '000Z');
    const spec = partOf(former ?? {}, 'spec');
    const isRenewal = spec['holderIdentity'] === identity;
    const transitions = Number(spec['leaseTransitions'] ?? 0);
    return {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { ...partOf(former ?? {}, 'metadata'), namespace, name },
      spec: {
        holderIdentity: identity,
        leaseDurationSeconds: durationMs / 1000,
        acquireTime: isRenewal ? spec['acquireTime'] : now,
        renewTime: now,
        leaseTransitions: isRenewal || !former ? transitions : transitions + 1,
      },
    };
  }

  async #giveBack(): Promise<void> {
    const signal = AbortSignal.timeout(2000);
    try {
      const lease = await this.#read(signal);
      if (!lease || partOf(lease, 'spec')['holderIdentity'] !== this.#options.identity) return;
      const spec = { ...partOf(lease, 'spec'), holderIdentity: '', leaseDurationSeconds: 1 };
      await this.#write('PUT', this.#path(), { ...lease, spec }, signal);
    } catch (error) {
      this.#events.onFailure(`the Lease could not be released: ${messageOf(error)}`);
    }
  }

  async #read(signal: AbortSignal): Promise<JsonObject | undefined> {
    try {
      return asObject(
        await this.#api.json({
          path: this.#path(),
          timeout: this.#timeout(),
          signal,
        }),
      );
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) return undefined;
      throw error;
    }
  }

  async #write(method: 'POST' | 'PUT', path: string, body: JsonObject, signal: AbortSignal): Promise<void> {
    const written = asObject(await this.#api.json({ method, path, body, timeout: this.#timeout(), signal }));
    this.#seen = {
      version: resourceVersionOf(written),
      holder: this.#options.identity,
      at: this.#clock.elapsed(),
    };
  }

  #path(): string {
    return `${this.#collection()}/${this.#options.name}`;
  }

  #collection(): string {
    return `/apis/coordination.k8s.io/v1/namespaces/${this.#options.namespace}/leases`;
  }

  #timeout(): number {
    return this.#options.durationMs / 3;
  }

  /** Waits until the next attempt; partly at random, so that the replicas do not send their requests together. */
  async #rest(signal: AbortSignal): Promise<void> {
    await this.#clock.sleep(this.#options.durationMs * TRY_EVERY * (1 + this.#clock.random() / 5), signal);
  }
}

function asObject(value: unknown): JsonObject {
  if (!isObject(value)) throw new Error('the API server sent no object');
  return value;
}
