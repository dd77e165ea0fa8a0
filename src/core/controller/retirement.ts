/**
 * Which caches go: those that are superseded, expired, too dear or unused for too long, and those that room.ts lets go. A
 * cache that pods may be given is marked first, and deleted `retireWait` later if no pod needs it then.
 */
import { READY } from '../image-cache.ts';
import { DAY } from '../kubernetes/time.ts';
import type { Alarm } from './alarm.ts';
import { firstNameOf } from './desired-cache.ts';
import type { DeletionReason, OwnCache, Retiring } from './own-cache.ts';
import { replacedByPacks } from './packing.ts';
import type { Miss } from './misses.ts';

export interface RetirementOptions {
  /** The controller deletes a cache that no pod used for this many milliseconds. */
  readonly idleAfter: number;
  /** Milliseconds between the mark of a cache and its deletion: longer than a pod with an older answer takes to appear. */
  readonly retireWait: number;
}

/** The caches that there are, and who needs them. */
export interface Standing {
  /** All caches that the controller made. */
  readonly own: readonly OwnCache[];
  /** By the name of the ImageCache that each miss asks for. */
  readonly misses: ReadonlyMap<string, Miss>;
  /** The IDs of the caches that must stay, because pods are about to start from them. */
  readonly needed: ReadonlySet<string>;
  /** When the API server last confirmed the pods, in milliseconds since 1970. */
  readonly confirmedAtMs: number;
  /** Whether the disks of its pods cost more than the cache saves. */
  readonly costsMore: (cache: OwnCache) => boolean;
  /** Whether the API server refused a change of the ImageCache of this name a moment ago, so that it must wait. */
  readonly isBlocked: (name: string) => boolean;
}

export interface Deletion {
  readonly cache: OwnCache;
  readonly reason: DeletionReason;
}

/** Milliseconds that a cache stays which no pod ever used: as long as ECI keeps an automatic one (docs/domain.md, "Create on miss"). */
const NEVER_USED_FOR = 7 * DAY;
/** Milliseconds after which the plan is made again if the pods were not confirmed yet. */
const CONFIRMED_WITHIN = 1000;

export class Retirement {
  readonly marks: Deletion[] = [];
  readonly unmarks: OwnCache[] = [];
  readonly deletions: Deletion[] = [];
  readonly #situation: Standing;
  readonly #options: RetirementOptions;
  readonly #alarm: Alarm;
  readonly #now: number;
  readonly #standing: readonly OwnCache[];
  /** By the name of the first attempt, the attempts in their order. */
  readonly #attempts: ReadonlyMap<string, readonly OwnCache[]>;
  readonly #marked = new Set<OwnCache>();
  readonly #deleted = new Set<OwnCache>();
  /** First names of caches that somebody deletes, or that this plan deletes. */
  readonly #leaving: Set<string>;

  /** @param now milliseconds since 1970 */
  constructor(situation: Standing, options: RetirementOptions, alarm: Alarm, now: number) {
    this.#situation = situation;
    this.#options = options;
    this.#alarm = alarm;
    this.#now = now;
    const [standing, going] = [[] as OwnCache[], [] as OwnCache[]];
    for (const cache of situation.own) (cache.deleting ? going : standing).push(cache);
    this.#standing = standing;
    this.#leaving = new Set(going.map(({ name }) => firstNameOf(name)));
    const attempts = Map.groupBy(standing, ({ name }) => firstNameOf(name));
    for (const of of attempts.values()) of.sort((a, b) => a.attempt - b.attempt);
    this.#attempts = attempts;
    for (const cache of standing) if (cache.retiring) this.#marked.add(cache);
  }

  readonly isNeeded = ({ id }: OwnCache): boolean => id !== undefined && this.#situation.needed.has(id);

  /**
   * When the cache was last used. A miss counts as a use of the cache that is being made for it: if the plan deleted that
   * cache, the miss would stay, and the next plan would make the cache again.
   */
  readonly usedAt = ({ name, lastUsedAtMs }: OwnCache): number =>
    Math.max(lastUsedAtMs, this.#situation.misses.get(firstNameOf(name))?.missedAtMs ?? 0);

  lastAttempt(name: string): OwnCache | undefined {
    return this.#attempts.get(name)?.at(-1);
  }

  /** Those that take a place of the quota; to be asked before room.ts lets caches go. */
  kept(): OwnCache[] {
    return this.#standing.filter((cache) => !this.#deleted.has(cache));
  }

  /** Those of them that will be deleted later. */
  marked(): ReadonlySet<OwnCache> {
    return new Set(this.#marked);
  }

  /** The latest attempt of each cache, without those that go. */
  latest(): OwnCache[] {
    const latest = Array.from(this.#attempts.values(), (attempts) => attempts.at(-1)!);
    return latest.filter((cache) => !this.#marked.has(cache) && !this.#deleted.has(cache));
  }

  isMarked(cache: OwnCache): boolean {
    return this.#marked.has(cache);
  }

  /** Whether a cache of this name goes at once, so that no other can have the name yet. */
  isNameLeaving(name: string): boolean {
    return this.#leaving.has(name);
  }

  /**
   * Superseded attempts go first: if the controller stopped after it deleted only the latest attempt, an earlier attempt
   * would look like the latest one.
   */
  retireUnneeded(packing: boolean): void {
    const isMarked = (cache: OwnCache): boolean => this.#marked.has(cache);
    const replaced = packing ? replacedByPacks(this.#standing, isMarked, this.#now) : new Set<OwnCache>();
    const isLatest = (cache: OwnCache): boolean => this.lastAttempt(firstNameOf(cache.name)) === cache;
    const earlierFirst = this.#standing.toSorted((a, b) => Number(isLatest(a)) - Number(isLatest(b)));
    for (const cache of earlierFirst) {
      if (this.#situation.isBlocked(cache.name)) continue;
      if (cache.retiring) this.#endWait(cache, cache.retiring);
      else if (cache.doNotEvict) continue;
      else if (!this.isNeeded(cache)) {
        const ofLatest = replaced.has(cache) ? 'Packed' : this.#reasonToGo(cache);
        const reason = isLatest(cache) || this.#isStillGiven(cache) ? ofLatest : 'Superseded';
        if (reason !== undefined) this.retire(cache, reason);
      }
    }
  }

  /** Whether pods are given the cache until the attempt that replaces it is Ready. */
  #isStillGiven(cache: OwnCache): boolean {
    return this.#mayBeGiven(cache) && this.lastAttempt(firstNameOf(cache.name))?.phase !== READY;
  }

  /** @returns whether the cache goes at once, or is marked and goes later */
  retire(cache: OwnCache, reason: DeletionReason): 'deleted' | 'marked' {
    if (!this.#mayBeGiven(cache)) {
      this.#delete(cache, reason);
      return 'deleted';
    }
    this.marks.push({ cache, reason });
    this.#marked.add(cache);
    return 'marked';
  }

  /** Takes the mark back. */
  unmark(cache: OwnCache): void {
    this.unmarks.push(cache);
    this.#marked.delete(cache);
  }

  /**
   * Whether a cache that was marked earlier may stay if its images are wanted again. One that makes room for another miss
   * goes all the same: otherwise its tenant could keep it, or move the mark from one to the next, for ever.
   */
  isWorthKeeping({ retiring }: OwnCache): boolean {
    return retiring?.reason === 'Idle' || retiring?.reason === 'Packed';
  }

  #endWait(cache: OwnCache, { reason, sinceMs }: Retiring): void {
    const endsAtMs = sinceMs + this.#options.retireWait;
    if (!this.#alarm.isDue(endsAtMs)) return;
    // The pods must be known as of the end of the wait, and they may become known later.
    if (this.#situation.confirmedAtMs < endsAtMs) this.#alarm.isDue(this.#now + CONFIRMED_WITHIN);
    else if (this.isNeeded(cache) || cache.doNotEvict) this.unmark(cache);
    else this.#delete(cache, reason);
  }

  #delete(cache: OwnCache, reason: DeletionReason): void {
    this.deletions.push({ cache, reason });
    this.#deleted.add(cache);
    this.#marked.delete(cache);
    if (this.lastAttempt(firstNameOf(cache.name)) === cache) this.#leaving.add(firstNameOf(cache.name));
  }

  #reasonToGo(cache: OwnCache): DeletionReason | undefined {
    const { expiresAtMs } = cache;
    if (expiresAtMs !== undefined && this.#alarm.isDue(expiresAtMs)) return 'Expired';
    if (this.#situation.costsMore(cache)) return 'CostsMore';
    const { idleAfter } = this.#options;
    const isUsed = cache.lastUsedAtMs > cache.createdAtMs;
    const unused = isUsed ? idleAfter : Math.min(idleAfter, NEVER_USED_FOR);
    return this.#alarm.isDue(this.usedAt(cache) + unused) ? 'Idle' : undefined;
  }

  /** Whether pods may be given the cache; a cache in another state can be deleted at once. */
  #mayBeGiven({ phase, id, expiresAtMs = Infinity }: OwnCache): boolean {
    return phase === READY && id !== undefined && expiresAtMs > this.#now;
  }
}
