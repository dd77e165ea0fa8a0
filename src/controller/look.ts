/** Reads the situation that a plan is made for: misses, uses, and the caches that must stay. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { OwnCache } from '../core/controller/own-cache.ts';
import { firstNameOf } from '../core/controller/desired-cache.ts';
import { neededGib } from '../core/cache-size.ts';
import { Injected } from '../core/controller/injected.ts';
import { Lacks } from '../core/controller/lacks.ts';
import { groupPods, Misses, missingTenants, type MissOptions } from '../core/controller/misses.ts';
import type { Situation } from '../core/controller/plan.ts';
import { comingPods, type PrewarmOptions } from '../core/controller/prewarm.ts';
import { protectedCaches } from '../core/controller/protection.ts';
import { usageOf, type UsageById } from '../core/controller/uses.ts';
import { quotaWithin, withUseInRegion, type RegionFacts } from '../core/controller/region-facts.ts';
import type { WaitingPod } from '../core/controller/waiting.ts';
import { costsMore } from '../core/controller/worth.ts';
import { Holdings, tenantOfNamespace } from '../core/controller/tenants.ts';
import type { TrackedView } from '../core/decision/view.ts';
import type { Backoffs } from './backoffs.ts';
import type { Cluster } from './cluster.ts';
import type { CreationLog } from './creation-log.ts';
import type { UseRecords } from './use-records.ts';

export interface LookOptions {
  readonly misses: MissOptions;
  /** Undefined: caches are made after a miss only. */
  readonly prewarm: PrewarmOptions | undefined;
  /** The label of namespaces that makes several of them one tenant; empty: none. */
  readonly tenantLabel: string;
  readonly quota: number;
}

export interface Look {
  readonly situation: Situation;
  /** How many caches the controller may keep now. */
  readonly quota: number;
  /** The pods with our scheduling gate. */
  readonly waiting: readonly WaitingPod[];
  /** How the pods that are present use each cache, by ID. */
  readonly usage: UsageById;
  /** Whether pods need the cache now; looks at the pods again at each call. */
  readonly isNeededNow: (cache: OwnCache) => boolean;
  /** When time alone changes the situation, in milliseconds since 1970; Infinity: never. */
  readonly reconcileAgainAtMs: number;
}

/** Decisions after which other work of the process gets a turn. */
const DECISIONS_A_TURN = 500;

export class Looking {
  readonly #cluster: Cluster;
  readonly #view: TrackedView;
  readonly #lacks = new Lacks();
  readonly #injected = new Injected();
  readonly #options: LookOptions;
  readonly #uses: UseRecords;
  readonly #log: CreationLog;
  readonly #backoffs: Backoffs;
  readonly #region: RegionFacts;
  /** When this replica first saw the mark of a cache, by uid: clocks of earlier leaders may differ from ours. */
  #markSeenAtMs = new Map<string, number>();

  constructor(
    cluster: Cluster,
    view: TrackedView,
    options: LookOptions,
    uses: UseRecords,
    log: CreationLog,
    backoffs: Backoffs,
    region: RegionFacts,
  ) {
    this.#cluster = cluster;
    this.#view = view;
    this.#options = options;
    this.#uses = uses;
    this.#log = log;
    this.#backoffs = backoffs;
    this.#region = region;
  }

  /** @param now milliseconds since 1970 */
  async look(now: number, signal: AbortSignal): Promise<Look> {
    const { prewarm } = this.#options;
    if (prewarm) this.#injected.learn(this.#cluster.pods(), () => this.#cluster.workloads());
    const coming = prewarm
      ? comingPods(this.#cluster, this.#view, prewarm, now)
      : { pods: [], reconcileAgainAtMs: Infinity };
    const templates = coming.pods.map((each) => this.#injected.withInjected(each));
    const grouped = groupPods([...this.#cluster.pods(), ...templates], now);
    const misses = new Misses(this.#view, this.#lacks, this.#options.misses, now);
    for (const [i, group] of grouped.groups.entries()) {
      misses.add(group);
      // oxlint-disable-next-line no-await-in-loop -- so that one look never holds up the renewal of the Lease
      if ((i + 1) % DECISIONS_A_TURN === 0 && !signal.aborted) await nextTurn();
    }
    // From here on nothing is awaited: pods, caches and plan belong together.
    const waitingPods: WaitingPod[] = [];
    /** The IDs and the image sets of caches that pods asked to wait for: those are worth their price. */
    const asked = new Set<string>();
    for (const pod of this.#cluster.pods()) {
      const { content, waitsUntilMs, deleting, asksToWait, pointsTo } = pod;
      const lack = misses.lackOf(content);
      if (asksToWait) for (const what of [...pointsTo, lack?.marker]) if (what !== undefined) asked.add(what);
      if (waitsUntilMs !== undefined && !deleting) waitingPods.push({ pod, lack });
    }
    const usage = usageOf(this.#cluster.pods());
    const own = this.#withFirstSight(this.#cluster.ownCaches(), now).map((cache) =>
      withUseInRegion(this.#uses.withUse(cache, usage), this.#region),
    );
    const quota = quotaWithin(this.#options.quota, this.#region);
    const tenantOf = (namespace: string): string => this.#tenantOf(namespace);
    const namespacesOf = (cache: OwnCache): readonly string[] => {
      const waiting = misses.byName.get(firstNameOf(cache.name))?.pods.keys() ?? [];
      const present = usage.get(cache.id ?? '')?.namespaces ?? cache.users;
      const namespaces = [...present, ...waiting];
      return namespaces.length > 0 ? namespaces : [cache.madeFor];
    };
    const usersOf = remembered((cache: OwnCache): readonly string[] => [
      ...new Set(namespacesOf(cache).map(tenantOf)),
    ]);
    const { decision } = this.#options.misses;
    const isAskedFor = ({ id, sets }: OwnCache): boolean =>
      (id !== undefined && asked.has(id)) || sets.some(({ hash }) => asked.has(hash));
    const isTooDear = (cache: OwnCache): boolean =>
      decision.createOnMiss.by === 'auto' &&
      !isAskedFor(cache) &&
      costsMore(cache, namespacesOf(cache), decision, this.#view);
    const missing = missingTenants(misses.byName.values(), tenantOf);
    const { share } = new Holdings(quota, own.map(usersOf), missing);
    const protectedNow = (): ReadonlySet<string> =>
      protectedCaches(this.#cluster.pods(), tenantOf, share, now);
    return {
      situation: {
        own,
        misses: misses.byName,
        needed: protectedNow(),
        usersOf,
        costsMore: isTooDear,
        tenantOf,
        recent: this.#log.recent(own, tenantOf, now),
        confirmedAtMs: this.#cluster.confirmedAtMs() ?? 0,
        moved: (cache) => this.#cluster.moved(cache),
        // Without the limit for a cache, which would make everything seem to fit.
        neededGib: (keys) => neededGib(keys, { maxSizeGib: Infinity }, this.#view),
        isBlocked: (name) => this.#backoffs.isWaiting(name, now),
      },
      quota,
      waiting: waitingPods,
      usage,
      isNeededNow: ({ id }) => id !== undefined && protectedNow().has(id),
      reconcileAgainAtMs: Math.min(grouped.reconcileAgainAtMs, coming.reconcileAgainAtMs),
    };
  }

  #tenantOf(namespace: string): string {
    return tenantOfNamespace(namespace, this.#options.tenantLabel, this.#view);
  }

  #withFirstSight(own: readonly OwnCache[], now: number): OwnCache[] {
    const seen = new Map<string, number>();
    const caches = own.map((cache): OwnCache => {
      if (!cache.retiring) return cache;
      const sinceMs = this.#markSeenAtMs.get(cache.uid) ?? now;
      seen.set(cache.uid, sinceMs);
      return { ...cache, retiring: { ...cache.retiring, sinceMs } };
    });
    this.#markSeenAtMs = seen;
    return caches;
  }
}

function remembered<K extends object, V>(compute: (key: K) => V): (key: K) => V {
  const values = new Map<K, V>();
  return (key) => {
    const known = values.get(key);
    if (known !== undefined) return known;
    const value = compute(key);
    values.set(key, value);
    return value;
  };
}
