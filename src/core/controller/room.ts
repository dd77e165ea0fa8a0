/**
 * The places of the quota: which miss gets one, and which cache goes for it. Below the quota any miss is served. At the
 * quota a tenant that holds less than its share may take a place from the tenant that is furthest over its share; any
 * other tenant only from itself.
 */
import { missingTenants, type Miss } from './misses.ts';
import { MAKING_TAKES, type OwnCache } from './own-cache.ts';
import { ENDED } from '../image-cache.ts';
import { byName } from '../kubernetes/object.ts';
import { DAY } from '../kubernetes/time.ts';
import { Holdings } from './tenants.ts';

/** What the room must know of the caches. */
export interface Caches {
  /** All that take a place now. */
  readonly kept: readonly OwnCache[];
  /** Those of them that are marked. */
  readonly marked: ReadonlySet<OwnCache>;
  /** Those that go once the pack is Ready that is being made of them. */
  readonly merging: ReadonlySet<OwnCache>;
  /** Whether pods need the cache, or it cannot be changed at the moment. */
  readonly mustStay: (cache: OwnCache) => boolean;
  readonly usedAt: (cache: OwnCache) => number;
  /** The tenants that use a cache; at least one. */
  readonly usersOf: (cache: OwnCache) => readonly string[];
  /** Deletes a cache, or marks it. @returns which of the two */
  readonly retire: (cache: OwnCache) => 'deleted' | 'marked';
}

/** `now`: the cache can be made. `later`: once a marked cache is gone. `none`: no cache may go for it. */
export type Place = 'now' | 'later' | 'none';

/** Who misses a cache and pays for it: one of the namespaces, and its tenant. */
export interface Payer {
  readonly tenant: string;
  readonly namespace: string;
}

/** Milliseconds. A tenant's own cache must be this old before it goes for another one of the same tenant. */
const OWN_AGE = 3_600_000;
/** Milliseconds that nobody must have used a cache of several tenants before one of them may replace it. */
const SHARED_UNUSED = DAY;
/** Milliseconds. A cache must be this old before it goes for another tenant: it was made a moment ago, and paid for. */
const LEAST_AGE = 600_000;

export class Room {
  readonly #caches: Caches;
  readonly #now: number;
  readonly #tenantOf: (namespace: string) => string;
  readonly #holdings: Holdings;
  /** Those that may go, the least recently used first. */
  #victims: OwnCache[];
  /** Free places that no miss gets. */
  readonly #leftToPacks: number;
  /** Places that are free now; below 0 if there are more caches than the quota. */
  #free: number;
  /** Places of marked caches that no miss has been promised yet. */
  #coming: number;
  /** Tenants that found no place: their older misses find none either. */
  readonly #refused = new Set<string>();

  constructor(
    caches: Caches,
    places: { readonly quota: number; readonly leftToPacks: number; readonly merges: number },
    misses: Iterable<Miss>,
    tenantOf: (namespace: string) => string,
    now: number,
  ) {
    const { kept, marked, merging, mustStay, usedAt, usersOf } = caches;
    const { quota, leftToPacks, merges } = places;
    this.#caches = caches;
    this.#now = now;
    this.#tenantOf = tenantOf;
    const staying = kept.filter((cache) => !marked.has(cache));
    this.#holdings = new Holdings(quota, staying.map(usersOf), missingTenants(misses, tenantOf));
    this.#free = quota - kept.length - merges;
    this.#leftToPacks = Math.max(leftToPacks - merges, 0);
    this.#coming = marked.size + merging.size;
    this.#victims = staying
      .filter((cache) => !mustStay(cache) && !merging.has(cache))
      // Failed caches do not go first: a failed cache holds the time of its first attempt, which limits the attempts.
      .toSorted((a, b) => usedAt(a) - usedAt(b) || byName(a, b));
  }

  /** Lets the least recently used caches go until those that stay fit into the quota. */
  shrinkToQuota(): void {
    while (this.#free + this.#coming < 0 && this.#victims[0]) this.#letGo(this.#victims[0]);
  }

  /** One of the misses' namespaces: that of the tenant with the fewest places. */
  payerOf({ pods }: Miss): Payer {
    const payers = Array.from(pods.keys(), (namespace) => ({ namespace, tenant: this.#tenantOf(namespace) }));
    return payers.reduce((best, each) => {
      const fewer = this.#holdings.of(each.tenant) - this.#holdings.of(best.tenant);
      return fewer < 0 || (fewer === 0 && each.namespace < best.namespace) ? each : best;
    });
  }

  /**
   * The misses in the order in which they are served: the tenants in turn, those with the fewest places first, and of
   * each tenant the newest miss first.
   * @param hasCache whether a cache for the miss exists already, and is charged for
   */
  inTurn(misses: ReadonlyMap<string, Miss>, hasCache: (name: string) => boolean): [string, Miss][] {
    const newestFirst = [...misses].toSorted(
      ([a, one], [b, other]) => other.missedAtMs - one.missedAtMs || (a < b ? -1 : 1),
    );
    const counts = new Map<string, number>();
    const turns = newestFirst.map(([name, miss]) => {
      const { tenant } = this.payerOf(miss);
      const before = counts.get(tenant) ?? 0;
      counts.set(tenant, before + Number(!hasCache(name)));
      return { name, miss, turn: this.#holdings.of(tenant) + before };
    });
    return turns.toSorted((a, b) => a.turn - b.turn).map(({ name, miss }) => [name, miss]);
  }

  /** Finds a place for a cache that is to be made, and charges the payer for it. */
  placeFor(miss: Miss, { tenant }: Payer): Place {
    const place = this.#placeFor(miss, tenant);
    if (place !== 'none') this.#holdings.charge([tenant], 1);
    return place;
  }

  #placeFor(miss: Miss, tenant: string): Place {
    if (this.#free > this.#leftToPacks) {
      this.#free -= 1;
      return 'now';
    }
    if (this.#coming === 0) {
      const victim = this.#victimFor(miss, tenant);
      if (!victim) return 'none';
      this.#letGo(victim);
    }
    if (this.#free > this.#leftToPacks) {
      this.#free -= 1;
      return 'now';
    }
    this.#coming -= 1;
    return 'later';
  }

  /** Whether a marked cache may stay after all: its place is promised to no miss yet. */
  mayStay(cache: OwnCache): boolean {
    if (this.#coming <= 0) return false;
    this.#coming -= 1;
    this.#holdings.charge(this.#caches.usersOf(cache), 1);
    return true;
  }

  #letGo(victim: OwnCache): void {
    this.#victims = this.#victims.filter((each) => each !== victim);
    this.#holdings.charge(this.#caches.usersOf(victim), -1);
    if (this.#caches.retire(victim) === 'deleted') this.#free += 1;
    else this.#coming += 1;
  }

  #victimFor(miss: Miss, tenant: string): OwnCache | undefined {
    if (this.#refused.has(tenant)) return undefined;
    const victim = this.#victimOfOthers(tenant) ?? this.#victimOf(tenant, miss.missedAtMs);
    if (!victim) this.#refused.add(tenant);
    return victim;
  }

  /** A cache that only tenants over their share use, if this tenant holds less than its share. */
  #victimOfOthers(tenant: string): OwnCache | undefined {
    if (!this.#holdings.isBelowShare(tenant)) return undefined;
    const over = this.#holdings.overShare();
    const mayLose = new Set(over);
    for (const furthest of over) {
      const victim = this.#victims.find((cache) => {
        const users = this.#caches.usersOf(cache);
        return users.includes(furthest) && users.every((user) => mayLose.has(user)) && this.#mayGo(cache);
      });
      if (victim) return victim;
    }
    return undefined;
  }

  /**
   * A cache that this tenant alone uses, or shares with others and nobody used for long; if it was last used before the
   * miss, because otherwise two image sets would replace each other for ever.
   */
  #victimOf(tenant: string, missedAtMs: number): OwnCache | undefined {
    return this.#victims.find((cache) => {
      const usedAtMs = this.#caches.usedAt(cache);
      if (usedAtMs >= missedAtMs || this.#now - cache.createdAtMs <= OWN_AGE) return false;
      const users = this.#caches.usersOf(cache);
      return users.includes(tenant) && (users.length === 1 || this.#now - usedAtMs > SHARED_UNUSED);
    });
  }

  /** Whether the cache is no longer being made, and old enough to have been of use. */
  #mayGo({ phase, createdAtMs }: OwnCache): boolean {
    const age = this.#now - createdAtMs;
    return age > LEAST_AGE && (ENDED.has(phase) || age > MAKING_TAKES);
  }
}
