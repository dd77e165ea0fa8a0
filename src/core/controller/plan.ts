/**
 * Owns what is to be done about what is missed, as data: which caches are made, which go, and why. From the state of
 * the cluster alone, so that whoever leads next goes on where the last one stopped, and doing it twice does it once.
 *
 * The quota is kept as the vendor keeps that of automatic caches (seed 004, "Eviction policy"): the least recently used
 * goes first. A miss counts as a use: what was missed longer ago than anything was used is not made, or two image sets
 * would drive each other out for ever.
 */
import type { OwnCache } from './own-cache.ts';
import type { Miss } from './misses.ts';
import { FAILED } from '../image-cache.ts';
import { DAY } from '../kubernetes/time.ts';
import { firstNameOf } from './desired-cache.ts';

export interface PlanOptions {
  /** How many caches of its own the controller keeps. */
  readonly quota: number;
  /** Milliseconds after which one that nobody used goes. */
  readonly idleAfter: number;
}

export type DeletionReason = 'Expired' | 'Idle' | 'Quota' | 'Superseded';

export interface Creation {
  /** That of the first attempt. */
  readonly name: string;
  readonly miss: Miss;
  readonly attempt: number;
  /** Milliseconds since 1970. */
  readonly firstAttemptAtMs: number;
}

export interface Deletion {
  readonly cache: OwnCache;
  readonly reason: DeletionReason;
}

export interface Plan {
  /** To be done before what is made, so that there are never more than the quota. */
  readonly deletions: readonly Deletion[];
  readonly creations: readonly Creation[];
  /** What would be made if there were room. */
  readonly refused: readonly Miss[];
  /** When time alone makes another plan of this; milliseconds since 1970, Infinity for never. */
  readonly lookAgainAtMs: number;
}

/** Milliseconds. What failed for a day is given up, and a pod that missed a day ago says nothing of the next. */
export const GIVEN_UP_AFTER = DAY;
/** Milliseconds from a first failure to the second attempt; twice as long from each to the next, up to a limit. */
const RETRY = { first: 300_000, longest: 14_400_000 };

/**
 * @param own all caches that the controller made
 * @param misses by the name of the cache that would end each
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
  let lookAgainAtMs = Infinity;
  const isDue = (at: number): boolean => {
    if (at <= now) return true;
    lookAgainAtMs = Math.min(lookAgainAtMs, at);
    return false;
  };
  const isInUse = ({ id }: OwnCache): boolean => id !== undefined && inUse.has(id);
  // Pods still miss one that is not ready: who made room for another then would have to make it again.
  const usedAt = ({ name, lastUsedAtMs }: OwnCache): number =>
    Math.max(lastUsedAtMs, misses.get(firstNameOf(name))?.missedAtMs ?? 0);

  const standing = own.filter(({ deleting }) => !deleting);
  const latest = new Set(
    Array.from(Map.groupBy(standing, firstNameOfCache).values(), (attempts) => byAttempt(attempts).at(-1)),
  );
  const free = standing.filter((cache) => !isInUse(cache));
  const deletions: Deletion[] = [
    // First, or who is stopped in between would leave one that nobody knows to be superseded.
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
    // What failed is no exception: it says when somebody first tried, which would begin anew with the next.
    .toSorted((a, b) => usedAt(a) - usedAt(b) || (a.name < b.name ? -1 : 1));
  let room = quota - kept.length;
  /** Has the least recently used go, if it was used before then. */
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
  for (const [name, miss] of newestFirst(misses)) {
    // The name is free once the one that is going is gone.
    if (leaving.has(name)) continue;
    const last = byAttempt(keptOf.get(name) ?? []).findLast((cache) => !going.has(cache));
    const next = last ? nextAttempt(name, miss, last, isDue) : firstAttempt(name, miss, now, isDue);
    if (!next) continue;
    // One that failed leaves its room to the one that follows it.
    const takesRoom = !last || isInUse(last);
    if (takesRoom && room <= 0 && !makeRoom(miss.missedAtMs)) {
      refused.push(miss);
      continue;
    }
    creations.push(next);
    if (takesRoom) room -= 1;
  }
  return { deletions, creations, refused, lookAgainAtMs };
}

function firstNameOfCache({ name }: OwnCache): string {
  return firstNameOf(name);
}

function byAttempt(caches: readonly OwnCache[]): OwnCache[] {
  return caches.toSorted((a, b) => a.attempt - b.attempt);
}

/** @param idleAt when it has been unused for too long */
function reasonToGo(
  { expiresAtMs }: OwnCache,
  idleAt: number,
  isDue: (at: number) => boolean,
): DeletionReason | undefined {
  if (expiresAtMs !== undefined && isDue(expiresAtMs)) return 'Expired';
  return isDue(idleAt) ? 'Idle' : undefined;
}

function newestFirst(misses: ReadonlyMap<string, Miss>): [string, Miss][] {
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
  const wait = Math.min(RETRY.first * 2 ** Math.min(attempt - 1, 30), RETRY.longest);
  if (isDue(firstAttemptAtMs + GIVEN_UP_AFTER) || !isDue(updatedAtMs + wait)) return undefined;
  return { name, miss, attempt: attempt + 1, firstAttemptAtMs };
}
