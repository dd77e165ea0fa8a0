/** Which pods that wait for their cache need not wait any longer, and why. */
import { FAILED } from '../image-cache.ts';
import { Alarm } from './alarm.ts';
import { cacheName, firstNameOf } from './desired-cache.ts';
import type { Lack } from './lacks.ts';
import type { OwnCache } from './own-cache.ts';
import type { Plan } from './plan.ts';
import type { WatchedPod } from './watched-pod.ts';

/** A pod with our scheduling gate, and what it lacks; undefined if its content is not known. */
export interface WaitingPod {
  readonly pod: WatchedPod;
  readonly lack: Lack | undefined;
}

export const WAIT_ENDS = ['Ready', 'TimeIsUp', 'Refused', 'Failed', 'NotMade'] as const;
export type WaitEnd = (typeof WAIT_ENDS)[number];

export interface EndedWait {
  readonly pod: WatchedPod;
  readonly end: WaitEnd;
}

/**
 * @param isBlocked whether the API server refused the change of the ImageCache of this name a moment ago
 * @param now milliseconds since 1970
 * @returns the pods that go, the oldest first, and when time alone lets another go
 */
export function endedWaits(
  waiting: readonly WaitingPod[],
  own: readonly OwnCache[],
  { refused }: Pick<Plan, 'refused'>,
  isBlocked: (name: string) => boolean,
  now: number,
): { readonly ended: readonly EndedWait[]; readonly reconcileAgainAtMs: number } {
  const alarm = new Alarm(now);
  if (waiting.length === 0) return { ended: [], reconcileAgainAtMs: alarm.atMs };
  const refusedNames = new Set(refused.map(({ miss }) => cacheName(miss.desired)));
  const failed = new Set(own.filter(({ phase }) => phase === FAILED).map(({ name }) => firstNameOf(name)));
  const endOf = ({ pod, lack }: WaitingPod): WaitEnd | undefined => {
    if (lack && lack.marker === undefined) return 'Ready';
    if (alarm.isDue(pod.waitsUntilMs ?? now)) return 'TimeIsUp';
    if (lack?.isBeingMade) return undefined;
    const names = [...(lack?.desired.keys() ?? [])];
    if (names.length === 0) return 'NotMade';
    if (names.some((name) => refusedNames.has(name))) return 'Refused';
    return names.some((name) => failed.has(name) || isBlocked(name)) ? 'Failed' : undefined;
  };
  const ended = waiting.flatMap((each): EndedWait[] => {
    const end = endOf(each);
    return end === undefined ? [] : [{ pod: each.pod, end }];
  });
  const oldestFirst = ended.toSorted((a, b) => a.pod.createdAtMs - b.pod.createdAtMs);
  return { ended: oldestFirst, reconcileAgainAtMs: alarm.atMs };
}
