/**
 * Records the use of the controller's caches in their annotations, so that a later leader knows it when the pods are
 * gone. Between two records of a cache the use is kept in memory.
 */
import { HITS, IMAGE_SETS, LAST_USED, USERS } from '../core/annotations.ts';
import { MOST_USERS, type OwnCache } from '../core/controller/own-cache.ts';
import { describeSets, type CachedSet } from '../core/controller/image-sets.ts';
import type { Usage, UsageById } from '../core/controller/uses.ts';
import { formatTime } from '../core/kubernetes/time.ts';

/** Milliseconds between two records of one cache. */
const RECORD_EVERY = 60_000;
/** Records of one reconciliation; the others follow in the next. */
const MOST_AT_ONCE = 20;
/** Milliseconds until the records that were too many at once. */
const SOON = 1000;

export interface UseRecord {
  readonly cache: OwnCache;
  readonly annotations: Readonly<Record<string, string>>;
}

interface Unrecorded extends Pick<Usage, 'pods' | 'lastAtMs'> {
  /** By the hash of the cache's own image sets. */
  readonly sets: ReadonlyMap<string, number>;
}

export class UseRecords {
  /** By the uid of the cache; caches of others are left out, so that there are never more than the controller's own. */
  #unrecorded = new Map<string, Unrecorded>();
  #recordedAtMs = new Map<string, number>();

  /** Adds new uses, and forgets caches that are gone. */
  note(uses: UsageById, own: readonly OwnCache[]): void {
    const unrecorded = new Map<string, Unrecorded>();
    const recordedAtMs = new Map<string, number>();
    for (const { uid, id = '', sets } of own) {
      const recorded = this.#recordedAtMs.get(uid);
      if (recorded !== undefined) recordedAtMs.set(uid, recorded);
      const use = together(this.#unrecorded.get(uid), ofSets(sets, uses.get(id)));
      if (use) unrecorded.set(uid, use);
    }
    this.#unrecorded = unrecorded;
    this.#recordedAtMs = recordedAtMs;
  }

  /** The cache with the last use that is known, recorded or not. */
  withUse(cache: OwnCache, usage: UsageById): OwnCache {
    const present = ofSets(cache.sets, usage.get(cache.id ?? ''));
    const use = together(this.#unrecorded.get(cache.uid), present);
    if (!use) return cache;
    return {
      ...cache,
      lastUsedAtMs: Math.max(cache.lastUsedAtMs, use.lastAtMs),
      sets: cache.sets.map((set) => ({
        ...set,
        lastUsedAtMs: Math.max(set.lastUsedAtMs, use.sets.get(set.hash) ?? 0),
      })),
    };
  }

  /**
   * The records that are due now, and when the next one is.
   * @param own as the API server has them
   * @param isWaiting whether a record was refused a moment ago, and must wait
   */
  due(
    own: readonly OwnCache[],
    usage: UsageById,
    now: number,
    isWaiting: (cache: OwnCache) => boolean,
  ): { readonly records: readonly UseRecord[]; readonly nextAtMs: number } {
    const isUsed = ({ uid, id = '', lastUsedAtMs }: OwnCache): boolean =>
      this.#unrecorded.has(uid) || (usage.get(id)?.lastAtMs ?? 0) > lastUsedAtMs;
    const used = own.filter((cache) => !cache.deleting && isUsed(cache) && !isWaiting(cache));
    const due = used.filter(({ uid }) => this.#dueAtMs(uid) <= now);
    const later = used.map(({ uid }) => this.#dueAtMs(uid)).filter((at) => at > now);
    return {
      records: due.slice(0, MOST_AT_ONCE).map((cache) => this.#recordOf(cache, usage)),
      nextAtMs: due.length > MOST_AT_ONCE ? now + SOON : Math.min(Infinity, ...later),
    };
  }

  #dueAtMs(uid: string): number {
    return (this.#recordedAtMs.get(uid) ?? -Infinity) + RECORD_EVERY;
  }

  #recordOf(cache: OwnCache, usage: UsageById): UseRecord {
    const pods = this.#unrecorded.get(cache.uid)?.pods ?? 0;
    const { lastUsedAtMs, sets, contents } = this.withUse(cache, usage);
    const keys = contents.images.map(({ key }) => key);
    const users = [...(usage.get(cache.id ?? '')?.namespaces ?? [])].toSorted().slice(0, MOST_USERS);
    return {
      cache,
      annotations: {
        [LAST_USED]: formatTime(lastUsedAtMs),
        [HITS]: `${cache.hits + pods}`,
        [IMAGE_SETS]: describeSets(sets, keys),
        ...(users.length > 0 && { [USERS]: users.join(',') }),
      },
    };
  }

  /** Notes that the API server has a record. */
  recorded({ cache: { uid } }: UseRecord, now: number): void {
    this.#unrecorded.delete(uid);
    this.#recordedAtMs.set(uid, now);
  }
}

/** A set of the cache is used by each pod all of whose images it has. */
function ofSets(sets: readonly CachedSet[], usage: Usage | undefined): Unrecorded | undefined {
  if (!usage) return undefined;
  const pods = Array.from(usage.sets, ([text, at]) => ({ keys: text.split('\n'), at }));
  const used = sets.map(({ hash, keys }): [string, number] => {
    const times = pods.filter((pod) => pod.keys.every((key) => keys.includes(key))).map(({ at }) => at);
    return [hash, Math.max(0, ...times)];
  });
  return { pods: usage.pods, lastAtMs: usage.lastAtMs, sets: new Map(used) };
}

function together(a: Unrecorded | undefined, b: Unrecorded | undefined): Unrecorded | undefined {
  if (!a || !b) return a ?? b;
  const sets = new Map(a.sets);
  for (const [set, at] of b.sets) sets.set(set, Math.max(sets.get(set) ?? 0, at));
  return { pods: a.pods + b.pods, lastAtMs: Math.max(a.lastAtMs, b.lastAtMs), sets };
}
