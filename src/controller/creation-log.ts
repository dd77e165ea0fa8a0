/**
 * The creations of the last hour: those whose ImageCaches are still there, and those of this replica. So what was made
 * and has gone counts too, unless another replica has made it.
 */
import { RATE_PERIOD, type RecentCreation } from '../core/controller/creation-rate.ts';
import type { OwnCache } from '../core/controller/own-cache.ts';

interface Logged {
  readonly name: string;
  readonly namespace: string;
  readonly atMs: number;
}

/** Milliseconds by which our clock and that of the API server may differ for one creation. */
const SAME_WITHIN = 60_000;

export class CreationLog {
  /** An hour has no more creations than controller.creationsPerHour. */
  #made: readonly Logged[] = [];

  created(name: string, namespace: string, now: number): void {
    this.#made = [...this.#made, { name, namespace, atMs: now }];
  }

  recent(own: readonly OwnCache[], tenantOf: (namespace: string) => string, now: number): RecentCreation[] {
    this.#made = this.#made.filter(({ atMs }) => atMs > now - RATE_PERIOD);
    const times = Map.groupBy(this.#made, ({ name }) => name);
    const isLogged = ({ name, createdAtMs }: OwnCache): boolean =>
      times.get(name)?.some(({ atMs }) => Math.abs(atMs - createdAtMs) < SAME_WITHIN) ?? false;
    const ofOthers = own
      .filter((cache) => cache.createdAtMs > now - RATE_PERIOD && !isLogged(cache))
      .map(({ madeFor, createdAtMs }) => ({ namespace: madeFor, atMs: createdAtMs }));
    return [...this.#made, ...ofOthers].map(({ namespace, atMs }) => ({ tenant: tenantOf(namespace), atMs }));
  }
}
