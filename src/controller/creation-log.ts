/**
 * The creations of the last hour: those whose ImageCaches are still there, and those of this replica. So what was made
 * and has gone counts too, unless another replica has made it.
 */
import { RATE_PERIOD, type RecentCreation } from '../core/controller/creation-rate.ts';
import type { OwnCache } from '../core/controller/own-cache.ts';

interface Logged {
  readonly namespace: string;
  readonly atMs: number;
}

export class CreationLog {
  /** By the name of the ImageCache; an hour has no more creations than controller.creationsPerHour. */
  readonly #made = new Map<string, Logged>();

  created(name: string, namespace: string, now: number): void {
    this.#made.set(name, { namespace, atMs: now });
  }

  recent(own: readonly OwnCache[], tenantOf: (namespace: string) => string, now: number): RecentCreation[] {
    for (const [name, { atMs }] of this.#made) if (atMs <= now - RATE_PERIOD) this.#made.delete(name);
    const all = new Map<string, Logged>(this.#made);
    for (const { name, madeFor, createdAtMs } of own)
      if (createdAtMs > now - RATE_PERIOD) all.set(name, { namespace: madeFor, atMs: createdAtMs });
    return Array.from(all.values(), ({ namespace, atMs }) => ({ tenant: tenantOf(namespace), atMs }));
  }
}
