/**
 * Whether a pod waits for the cache that the controller makes for it: such a pod gets a scheduling gate, which the controller
 * lifts (controller/waiting.ts), and each replica of the webhook if it is overdue.
 */
import { MAX_CACHE_IMAGES } from '../image-cache.ts';
import { formatSeconds } from '../kubernetes/time.ts';
import type { DecisionContext } from './context.ts';
import type { Maker } from './options.ts';

/** Why the pod cannot wait; undefined if it can, provided that the controller is asked for a cache. */
function obstacle({ options, sign, user, images, view, nowMs }: DecisionContext): string | undefined {
  if (options.waitForCache !== 'allow') return 'waitForCache is not allow';
  if (sign?.certain !== true) return 'it may also run on a normal node';
  if (user.nodeName !== undefined) return 'it has a node already';
  if (images.count > MAX_CACHE_IMAGES) return 'no cache can hold all of its images';
  return view.isControllerThere(nowMs) ? undefined : 'no controller is there to make it';
}

/** Whether the pod asks to wait, and can. */
export function canWait(context: DecisionContext): boolean {
  return (
    context.request.waitMs !== undefined && context.moment === 'creation' && obstacle(context) === undefined
  );
}

export interface Waiting {
  /** How many milliseconds the pod waits at most; undefined if it does not wait. */
  readonly waitMs: number | undefined;
  /** Why a pod does not wait that asks to. */
  readonly warnings: readonly string[];
  /** Continues the sentence about the cache that is made. */
  readonly why: string;
}

export const NO_WAIT: Waiting = { waitMs: undefined, warnings: [], why: '' };

/** Whether a pod that misses a complete cache waits for it. @param maker who makes it; undefined if nobody does */
export function waitingFor(context: DecisionContext, maker: Maker | undefined): Waiting {
  const { request, moment } = context;
  const { waitMs } = request;
  if (waitMs === undefined || moment !== 'creation') return NO_WAIT;
  const isMade = maker === 'controller';
  const problem = obstacle(context) ?? (isMade ? undefined : 'the controller makes none for it');
  if (problem !== undefined)
    return { ...NO_WAIT, warnings: [`the pod does not wait for an image cache: ${problem}`] };
  return {
    waitMs,
    warnings: [],
    why: `; the pod waits for it, ${formatSeconds(waitMs / 1000)} at most`,
  };
}
