/**
 * The plan, as data: which caches the controller makes, marks and deletes, and why. The plan depends only on the state
 * of the cluster, so that a new leader continues where the last leader stopped (docs/controller.md).
 */
import type { OwnCache } from './own-cache.ts';
import { podCount, type Miss } from './misses.ts';
import { FAILED, HOPELESS } from '../image-cache.ts';
import { DAY } from '../kubernetes/time.ts';
import { enlarged } from '../cache-size.ts';
import { Alarm } from './alarm.ts';
import { nameOfAttempt } from './desired-cache.ts';
import { CreationRate, type RateOptions, type RateRefusal, type RecentCreation } from './creation-rate.ts';
import { LEAST_QUOTA, LEFT_TO_PACKS, PACKER, isPack, planPacks, type Merge } from './packing.ts';
import { planRefreshes, type Refresh } from './refresh.ts';
import { Retirement, type Deletion, type RetirementOptions, type Standing } from './retirement.ts';
import { Room } from './room.ts';

export interface PlanOptions extends RateOptions, RetirementOptions {
  /** How many caches the controller keeps. */
  readonly quota: number;
  /** Whether the controller merges caches near the quota. */
  readonly packing: boolean;
  /** How many pods must miss a cache before it is made. */
  readonly missesBefore: number;
  /** Whether a cache of which a tag has moved is replaced. */
  readonly refresh: 'never' | 'digest';
}

/** The state of the cluster that the plan is made for. */
export interface Situation extends Standing {
  /** The tenants that use a cache now, or used it last; at least one. */
  readonly usersOf: (cache: OwnCache) => readonly string[];
  readonly tenantOf: (namespace: string) => string;
  /** The creations of the last hour. */
  readonly recent: readonly RecentCreation[];
  /** The images of a cache whose tags have moved, as far as pods show it. */
  readonly moved: (cache: OwnCache) => readonly string[];
  /** GiB that a cache of these images needs. */
  readonly neededGib: (keys: readonly string[]) => number;
}

export interface Creation {
  /** The name of the first attempt (desired-cache.ts). */
  readonly name: string;
  readonly miss: Miss;
  readonly attempt: number;
  readonly firstAttemptAtMs: number;
  readonly sizeGib: number;
  /** One of the namespaces that miss the cache; its tenant is charged for the creation. */
  readonly namespace: string;
}

export const REFUSAL_CODES = ['Quota', 'TenantRate', 'Rate'] as const satisfies readonly (
  'Quota' | RateRefusal
)[];
export type RefusalCode = (typeof REFUSAL_CODES)[number];

export interface Refused {
  readonly miss: Miss;
  readonly code: RefusalCode;
}

export interface Plan {
  /** Caches that no pod is given from now on; they are deleted later. */
  readonly marks: readonly Deletion[];
  /** Caches whose mark is taken back. */
  readonly unmarks: readonly OwnCache[];
  /** Deletions come before creations, so that there are never more caches than the quota. */
  readonly deletions: readonly Deletion[];
  readonly creations: readonly Creation[];
  /** Packs that are made; their parts go later. */
  readonly merges: readonly Merge[];
  /** Caches that are made anew because a tag has moved; the former ones go later. */
  readonly refreshes: readonly Refresh[];
  /** Misses that get no cache, not even once the marked caches are gone. */
  readonly refused: readonly Refused[];
  /** When time alone changes the plan, in milliseconds since 1970; Infinity: never. */
  readonly reconcileAgainAtMs: number;
}

/** Milliseconds. The controller makes no further attempt this long after the first, and no cache for an older miss. */
export const GIVEN_UP_AFTER = DAY;
/** Milliseconds between the first failure and the second attempt; doubles with each attempt, up to a limit. */
const ATTEMPT_WAIT_MS = { first: 300_000, longest: 14_400_000 };

/**
 * Makes the plan. Which caches go by themselves is in retirement.ts, and which make room for which misses in room.ts.
 * @param now milliseconds since 1970
 */
export function plan(situation: Situation, options: PlanOptions, now: number): Plan {
  const { misses, usersOf, tenantOf } = situation;
  const alarm = new Alarm(now);
  const retirement = new Retirement(situation, options, alarm, now);
  retirement.retireUnneeded(options.packing);
  const kept = retirement.kept();
  const isMarked = (cache: OwnCache): boolean => retirement.isMarked(cache);
  const rate = new CreationRate(situation.recent, options, now);
  const isPacking = options.packing && options.quota >= LEAST_QUOTA;
  const { merges: wanted, inFlight } = isPacking
    ? planPacks({ ...situation, kept, isMarked }, options.quota, now)
    : { merges: [], inFlight: new Set<OwnCache>() };
  const merges = wanted.filter(() => mayBeMade(PACKER, rate, alarm));
  const room = new Room(
    {
      kept,
      merging: inFlight,
      marked: retirement.marked(),
      mustStay: (cache) =>
        cache.doNotEvict ||
        // A failed pack says that its parts are not to be merged again at once.
        (isPack(cache) && cache.phase === FAILED) ||
        retirement.isNeeded(cache) ||
        situation.isBlocked(cache.name),
      usedAt: retirement.usedAt,
      usersOf,
      retire: (cache) => retirement.retire(cache, 'Quota'),
    },
    { quota: options.quota, leftToPacks: isPacking ? LEFT_TO_PACKS : 0, merges: merges.length },
    misses.values(),
    tenantOf,
    now,
  );
  room.shrinkToQuota();
  const { creations, refused } = serve(situation, options, rate, retirement, room, alarm, now);
  const { marks, unmarks, deletions } = retirement;
  const refreshes =
    options.refresh === 'never'
      ? []
      : planRefreshes(
          retirement.latest().filter((cache) => !situation.isBlocked(cache.name)),
          situation.moved,
          options.quota - retirement.kept().length - merges.length - creations.length,
          (cache) => mayBeMade(usersOf(cache)[0] ?? '', rate, alarm),
          alarm,
        );
  return { marks, unmarks, deletions, creations, merges, refreshes, refused, reconcileAgainAtMs: alarm.atMs };
}

function mayBeMade(tenant: string, rate: CreationRate, alarm: Alarm): boolean {
  const isRefused = rateRefusal(tenant, rate, alarm) !== undefined;
  if (!isRefused) rate.count(tenant);
  return !isRefused;
}

/** Finds a cache, or a place for one, for each miss. */
function serve(
  { misses, isBlocked }: Situation,
  { missesBefore }: PlanOptions,
  rate: CreationRate,
  retirement: Retirement,
  room: Room,
  alarm: Alarm,
  now: number,
): Pick<Plan, 'creations' | 'refused'> {
  const creations: Creation[] = [];
  const refused: Refused[] = [];
  const hasCache = (name: string): boolean => retirement.lastAttempt(name) !== undefined;
  for (const [name, miss] of room.inTurn(misses, hasCache)) {
    // The name is taken until the cache that goes is gone.
    if (retirement.isNameLeaving(name)) continue;
    const last = retirement.lastAttempt(name);
    if (last && retirement.isMarked(last)) {
      // Its images are wanted again: to keep it costs less than to make it anew.
      if (retirement.isWorthKeeping(last) && room.mayStay(last)) retirement.unmark(last);
      continue;
    }
    const next = last ? nextAttempt(miss, last, alarm) : firstAttempt(miss, missesBefore, now, alarm);
    if (!next || isBlocked(nameOfAttempt(name, next.attempt))) continue;
    const payer = room.payerOf(miss);
    const overRate = rateRefusal(payer.tenant, rate, alarm);
    if (overRate) {
      refused.push({ miss, code: overRate });
      continue;
    }
    // A next attempt needs no place of its own, because it replaces the failed attempt.
    const place = last && !retirement.isNeeded(last) ? 'now' : room.placeFor(miss, payer);
    if (place === 'none') {
      refused.push({ miss, code: 'Quota' });
      continue;
    }
    rate.count(payer.tenant);
    if (place === 'now') creations.push({ name, miss, ...next, namespace: payer.namespace });
  }
  return { creations, refused };
}

/** Why no cache is made for the tenant in this hour; undefined if one may be. */
function rateRefusal(tenant: string, rate: CreationRate, alarm: Alarm): RateRefusal | undefined {
  const refusal = rate.refusal(tenant);
  if (refusal) alarm.isDue(refusal.untilMs);
  return refusal?.code;
}

type NextAttempt = Pick<Creation, 'attempt' | 'firstAttemptAtMs' | 'sizeGib'>;

function firstAttempt(miss: Miss, missesBefore: number, now: number, alarm: Alarm): NextAttempt | undefined {
  const { desired, missedAtMs, isAwaited } = miss;
  const { sizeGib } = desired;
  const pods = podCount(miss);
  // Without a pod it is the miss of a template, whose pods are still to come.
  const isRare = pods > 0 && pods < missesBefore && !isAwaited;
  if (isRare || alarm.isDue(missedAtMs + GIVEN_UP_AFTER)) return undefined;
  return { attempt: 1, firstAttemptAtMs: now, sizeGib };
}

function nextAttempt(
  { desired }: Miss,
  { phase, attempt, updatedAtMs, firstAttemptAtMs, failedForSpace, sizeGib }: OwnCache,
  alarm: Alarm,
): NextAttempt | undefined {
  if (!HOPELESS.has(phase)) return undefined;
  const wait = Math.min(ATTEMPT_WAIT_MS.first * 2 ** Math.min(attempt - 1, 30), ATTEMPT_WAIT_MS.longest);
  if (alarm.isDue(firstAttemptAtMs + GIVEN_UP_AFTER) || !alarm.isDue(updatedAtMs + wait)) return undefined;
  const size = failedForSpace ? enlarged(sizeGib, desired.largestGib) : Math.max(sizeGib, desired.sizeGib);
  return { attempt: attempt + 1, firstAttemptAtMs, sizeGib: size };
}
