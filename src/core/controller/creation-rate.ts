/** How many ImageCaches the controller may make in an hour: each costs money, whether it is used or not. */
import { Totals } from '../totals.ts';

export interface RateOptions {
  /** Creations in an hour for one tenant, and for all tenants together. */
  readonly tenantCreationsPerHour: number;
  readonly creationsPerHour: number;
}

export interface RecentCreation {
  readonly tenant: string;
  /** Milliseconds since 1970. */
  readonly atMs: number;
}

export type RateRefusal = 'TenantRate' | 'Rate';

/** Milliseconds. */
export const RATE_PERIOD = 3_600_000;

export class CreationRate {
  readonly #options: RateOptions;
  /** The oldest first. */
  readonly #recent: readonly RecentCreation[];
  /** Creations by tenant: the recent ones, and those that are counted since. */
  readonly #counts = new Totals();

  /** @param recent the creations of the last hour @param now milliseconds since 1970 */
  constructor(recent: readonly RecentCreation[], options: RateOptions, now: number) {
    this.#options = options;
    this.#recent = recent.filter(({ atMs }) => atMs > now - RATE_PERIOD).toSorted((a, b) => a.atMs - b.atMs);
    for (const { tenant } of this.#recent) this.count(tenant);
  }

  /** @returns undefined if the tenant may have a cache made; else why not, and when it may again, if that is known */
  refusal(tenant: string): { readonly code: RateRefusal; readonly untilMs: number } | undefined {
    const { creationsPerHour, tenantCreationsPerHour } = this.#options;
    if (this.#counts.all >= creationsPerHour) return { code: 'Rate', untilMs: endOf(this.#recent) };
    if (this.#counts.of(tenant) < tenantCreationsPerHour) return undefined;
    return { code: 'TenantRate', untilMs: endOf(this.#recent.filter((each) => each.tenant === tenant)) };
  }

  count(tenant: string): void {
    this.#counts.add(tenant, 1);
  }
}

/** When the oldest of the creations no longer counts. */
function endOf([oldest]: readonly RecentCreation[]): number {
  return oldest === undefined ? Infinity : oldest.atMs + RATE_PERIOD;
}
