/**
 * The plan, as data: which caches the controller makes and deletes, and why. The plan depends only on the state of the
 * cluster, so that a new leader continues where the last leader stopped (docs/controller.md).
 */
import type { OwnCache } from './own-cache.ts';
import type { Miss } from './misses.ts';
import { FAILED } from '../image-cache.ts';
import { byName } from '../kubernetes/object.ts';
import { DAY } from '../kubernetes/time.ts';
import { firstNameOf } from './desired-cache.ts';

export interface PlanOptions {
  /** How many caches the controller keeps. */
  readonly quota: number;
  /** The controller deletes a cache that no pod used for this many milliseconds. */
  readonly idleAfter: number;
}

export type DeletionReason = 'Expired' | 'Idle' | 'Quota' | 'Superseded';

export interface Creation {
  /** The name of the first attempt (desired-cache.ts). */
  readonly name: string;
  readonly miss: Miss;
  readonly attempt: number;
  readonly firstAttemptAtMs: number;
}

export interface Deletion {
  readonly cache: OwnCache;
  readonly reason: DeletionReason;
}

export interface Plan {
  /** Deletions come before creations, so that there are never more caches than the quota. */
  readonly deletions: readonly Deletion[];
  readonly creations: readonly Creation[];
  /** Misses for which the quota has no room. */
  readonly refused: readonly Miss[];
  /** When time alone changes the plan, in milliseconds since 1970; Infinity: never. */
  readonly reconcileAgainAtMs: number;
}

/** Milliseconds. The controller makes no further attempt this long after the first, and no cache for an older miss. */
export const GIVEN_UP_AFTER = DAY;
/** Milliseconds between the first failure and the second attempt; doubles with each attempt, up to a limit. */
const ATTEMPT_WAIT_MS = { first: 300_000, longest: 14_400_000 };

/**
 * Makes the plan. At the quota the least recently used cache makes room, but only for a miss that is newer than its
 * last use: otherwise two image sets would replace each other for ever.
 * @param own all caches that the controller made
 * @param misses by the name of the ImageCache that each miss asks for
 * @param inUse IDs of caches that pods are about to start from
 * @param now milliseconds since 1970
 */
export function plan(
  own: readonly OwnCache[],
  misses: ReadonlyMap<string, Miss>,
  inUse: ReadonlySet<string>,
  { quota, idleAfter }: PlanOptions,
  now: number,
): Plan {
  let reconcileAgainAtMs = Infinity;
  const isDue = (at: number): boolean => {
    if (at <= now) return true;
    reconcileAgainAtMs = Math.min(reconcileAgainAtMs, at);
    return false;
  };
  const isInUse = ({ id }: OwnCache): boolean => id !== undefined && inUse.has(id);
  // A miss counts as a use of the cache that is being made for it: if the plan deleted that cache, the miss would stay,
  // and the next plan would make the cache again.
  const usedAt = ({ name, lastUsedAtMs }: OwnCache): number =>
    Math.max(lastUsedAtMs, misses.get(firstNameOf(name))?.missedAtMs ?? 0);

  const standing = own.filter(({ deleting }) => !deleting);
  const latest = new Set(
    Array.from(Map.groupBy(standing, firstNameOfCache).values(), (attempts) => byAttempt(attempts).at(-1)),
  );
  const free = standing.filter((cache) => !isInUse(cache));
  const deletions: Deletion[] = [
    // Superseded attempts go first: if the controller stopped after it deleted only the latest attempt, an earlier
    // attempt would look like the latest one.
    ...free.filter((cache) => !latest.has(cache)).map((cache) => ({ cache, reason: 'Superseded' as const })),
    ...free.flatMap((cache) => {
      if (!latest.has(cache)) return [];
      const reason = reasonToGo(cache, usedAt(cache) + idleAfter, isDue);
      return reason === undefined ? [] : [{ cache, reason }];
    }),
  ];
  const going = new Set(deletions.map(({ cache }) => cache));
  const kept = standing.filter((cache) => !going.has(cache));

  const victims = kept
    .filter((cache) => !isInUse(cache))
    // Failed caches do not go first: a failed cache holds the time of its first attempt, which limits the attempts.
    .toSorted((a, b) => usedAt(a) - usedAt(b) || byName(a, b));
  let room = quota - kept.length;
  /** Deletes the least recently used cache, if it was last used before the given time. @returns whether it did */
  const makeRoom = (before: number): boolean => {
    const [victim] = victims;
    if (!victim || usedAt(victim) >= before) return false;
    victims.shift();
    going.add(victim);
    deletions.push({ cache: victim, reason: 'Quota' });
    room += 1;
    return true;
  };
  for (let tooMany = -room; tooMany > 0; tooMany--) makeRoom(Infinity);

  const leaving = new Set(own.filter(({ deleting }) => deleting).map(({ name }) => firstNameOf(name)));
  const keptOf = Map.groupBy(kept, firstNameOfCache);
  const creations: Creation[] = [];
  const refused: Miss[] = [];
  for (const [name, miss] of latestMissFirst(misses)) {
    // The name is taken until the cache that is being deleted is gone.
    if (leaving.has(name)) continue;
    const last = byAttempt(keptOf.get(name) ?? []).findLast((cache) => !going.has(cache));
    const next = last ? nextAttempt(name, miss, last, isDue) : firstAttempt(name, miss, now, isDue);
    if (!next) continue;
    // A next attempt needs no room of its own, because it replaces the failed attempt.
    const takesRoom = !last || isInUse(last);
    if (takesRoom && room <= 0 && !makeRoom(miss.missedAtMs)) {
      refused.push(miss);
      continue;
    }
    creations.push(next);
    if (takesRoom) room -= 1;
  }
  return { deletions, creations, refused, reconcileAgainAtMs };
}

function firstNameOfCache({ name }: OwnCache): string {
  return firstNameOf(name);
}

function byAttempt(caches: readonly OwnCache[]): OwnCache[] {
  return caches.toSorted((a, b) => a.attempt - b.attempt);
}

/** @param idleAt when the cache has been unused for too long */
function reasonToGo(
  { expiresAtMs }: OwnCache,
  idleAt: number,
  isDue: (at: number) => boolean,
): DeletionReason | undefined {
  if (expiresAtMs !== undefined && isDue(expiresAtMs)) return 'Expired';
  return isDue(idleAt) ? 'Idle' : undefined;
}

function latestMissFirst(misses: ReadonlyMap<string, Miss>): [string, Miss][] {
  return [...misses].toSorted(
    ([a, one], [b, other]) => other.missedAtMs - one.missedAtMs || (a < b ? -1 : 1),
  );
}

function firstAttempt(
  name: string,
  miss: Miss,
  now: number,
  isDue: (at: number) => boolean,
): Creation | undefined {
  if (isDue(miss.missedAtMs + GIVEN_UP_AFTER)) return undefined;
  return { name, miss, attempt: 1, firstAttemptAtMs: now };
}

function nextAttempt(
  name: string,
  miss: Miss,
  { phase, attempt, updatedAtMs, firstAttemptAtMs }: OwnCache,
  isDue: (at: number) => boolean,
): Creation | undefined {
  if (phase !== FAILED) return undefined;
  const wait = Math.min(ATTEMPT_WAIT_MS.first * 2 ** Math.min(attempt - 1, 30), ATTEMPT_WAIT_MS.longest);
  if (isDue(firstAttemptAtMs + GIVEN_UP_AFTER) || !isDue(updatedAtMs + wait)) return undefined;
  return { name, miss, attempt: attempt + 1, firstAttemptAtMs };
}
