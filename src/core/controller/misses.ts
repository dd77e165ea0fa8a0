/**
 * Finds the caches that pods miss now, from the pods alone. So the controller need not remember any miss, and a miss ends as
 * soon as a cache serves the pod. Pods with the same content are looked at once.
 */
import { CREATE_ON_MISS, WEBHOOK_SWITCH } from '../annotations.ts';
import type { DecisionOptions } from '../decision/options.ts';
import { DAY } from '../kubernetes/time.ts';
import type { TrackedView } from '../decision/view.ts';
import type { StringMap } from '../kubernetes/json.ts';
import type { ObjectReference } from '../kubernetes/object.ts';
import { Alarm } from './alarm.ts';
import type { PodContent, WatchedPod } from './watched-pod.ts';
import type { DesiredCache } from './desired-cache.ts';
import type { Lack, Lacks } from './lacks.ts';
import type { CacheRules } from './missing-images.ts';

export interface Miss {
  readonly desired: DesiredCache;
  /** When the youngest pod that misses the cache was created. */
  readonly missedAtMs: number;
  /** How many pods of the last day miss the cache, by namespace; 0 for a pre-warmed workload that has no pod yet. */
  readonly pods: ReadonlyMap<string, number>;
  /** What the latest of those pods found. */
  readonly found: Lack['found'];
  /** The youngest pod that misses the cache, or the workload. */
  readonly lastBy: ObjectReference;
  /** Whether a pod waits for the cache, which counts as many misses at once. */
  readonly isAwaited: boolean;
}

export interface MissOptions extends CacheRules {
  readonly decision: DecisionOptions;
  /** Namespaces whose pods the API server does not send to the webhook, so that a marker on them means nothing. */
  readonly exceptNamespaces: ReadonlySet<string>;
}

/** Pods with the same content. */
export interface PodGroup {
  readonly content: PodContent;
  /** Those of the last day. */
  readonly pods: number;
  readonly isAwaited: boolean;
  readonly newest: WatchedPod;
}

/** Milliseconds that a pod without a node must have waited until it counts: before, it may never run at all. */
export const COUNTS_AFTER_MS = 60_000;

/**
 * The pods that may miss a cache, grouped by their content: those on a node, those that the scheduler may not place yet,
 * those that have waited for a node for COUNTS_AFTER_MS, and those of templates.
 * @param now milliseconds since 1970
 */
export function groupPods(
  pods: Iterable<WatchedPod>,
  now: number,
): { readonly groups: readonly PodGroup[]; readonly reconcileAgainAtMs: number } {
  const groups = new Map<PodContent, PodGroup>();
  const alarm = new Alarm(now);
  for (const watched of pods) {
    const { content, deleting, createdAtMs } = watched;
    if (!content || deleting || !isMarked(content, watched)) continue;
    if (!alarm.isDue(mayCountAt(watched))) continue;
    const known = groups.get(content);
    const newest = known && known.newest.createdAtMs >= createdAtMs ? known.newest : watched;
    const isRecentPod = watched.subject.kind === 'Pod' && now - createdAtMs < DAY;
    const isAwaited = known?.isAwaited === true || watched.waitsUntilMs !== undefined;
    groups.set(content, { content, pods: (known?.pods ?? 0) + Number(isRecentPod), isAwaited, newest });
  }
  return { groups: [...groups.values()], reconcileAgainAtMs: alarm.atMs };
}

/** Pods of templates have no marker yet. */
function isMarked({ pod }: PodContent, { subject }: WatchedPod): boolean {
  return subject.kind !== 'Pod' || pod.annotations.has(CREATE_ON_MISS);
}

function mayCountAt({ nodeName, isGated, subject, createdAtMs }: WatchedPod): number {
  return nodeName !== undefined || isGated || subject.kind !== 'Pod' ? 0 : createdAtMs + COUNTS_AFTER_MS;
}

/** The misses of the groups that were added, by the name of the ImageCache that each miss asks for. */
export class Misses {
  readonly byName = new Map<string, Miss>();
  /** One for each content. */
  readonly #lackOf = new Map<PodContent, Lack>();
  readonly #view: TrackedView;
  readonly #lacks: Lacks;
  readonly #options: MissOptions;
  readonly #now: number;

  /** @param now milliseconds since 1970 */
  constructor(view: TrackedView, lacks: Lacks, options: MissOptions, now: number) {
    this.#view = view;
    this.#lacks = lacks;
    this.#options = options;
    this.#now = now;
  }

  /** Makes at most one decision. */
  add({ content, pods, isAwaited, newest }: PodGroup): void {
    const { pod } = content;
    if (!this.#isInCharge(content)) return;
    const lack = this.#lacks.of(content, this.#view, this.#options, this.#now);
    this.#lackOf.set(content, lack);
    const marker = pod.annotations.get(CREATE_ON_MISS);
    // A marker with another hash is none of ours, or the pod was changed after the webhook saw it.
    if (marker !== undefined && marker !== lack.marker) return;
    for (const [name, desired] of lack.desired) {
      const known = this.byName.get(name);
      const isLast = known === undefined || newest.createdAtMs > known.missedAtMs;
      const counts = new Map(known?.pods);
      counts.set(pod.namespace, (counts.get(pod.namespace) ?? 0) + pods);
      this.byName.set(name, {
        desired: known && known.desired.largestGib >= desired.largestGib ? known.desired : desired,
        missedAtMs: isLast ? newest.createdAtMs : known.missedAtMs,
        pods: counts,
        found: isLast ? lack.found : known.found,
        lastBy: isLast ? newest.subject : known.lastBy,
        isAwaited: isAwaited || known?.isAwaited === true,
      });
    }
  }

  /** What the pods with this content lack; undefined if they were not looked at. */
  lackOf(content: PodContent | undefined): Lack | undefined {
    return content && this.#lackOf.get(content);
  }

  /** Whether the webhook decides on such pods; a marker on another pod is forged. */
  #isInCharge({ pod: { namespace, labels } }: PodContent): boolean {
    if (this.#options.exceptNamespaces.has(namespace)) return false;
    return !isSwitchedOff(labels) && !isSwitchedOff(this.#view.namespaceLabels(namespace));
  }
}

/** Whether the labels of a pod or a namespace keep the API server from sending the pod to the webhook. */
export function isSwitchedOff(labels: StringMap): boolean {
  return labels.get(WEBHOOK_SWITCH.label) === WEBHOOK_SWITCH.off;
}

/** The tenants whose pods miss a cache; one that misses several comes several times. */
export function missingTenants(misses: Iterable<Miss>, tenantOf: (namespace: string) => string): string[] {
  return [...misses].flatMap(({ pods }) => Array.from(pods.keys(), tenantOf));
}

/** How many pods miss a cache, in all namespaces. */
export function podCount({ pods }: Miss): number {
  let count = 0;
  for (const each of pods.values()) count += each;
  return count;
}
