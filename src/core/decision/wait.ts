/**
 * Whether a pod waits for the cache that the controller makes for it: such a pod gets a scheduling gate, which the controller
 * lifts (controller/waiting.ts), and each replica of the webhook if it is overdue.
 */
import { MAX_CACHE_IMAGES } from '../image-cache.ts';
import type { DecisionContext } from './context.ts';

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

/** Why a pod that asks to wait does not; nothing if it is bound by now. */
export function warningsOfWait(context: DecisionContext, isMadeByController: boolean): string[] {
  if (context.moment !== 'creation') return [];
  const why = obstacle(context) ?? (isMadeByController ? undefined : 'the controller makes none for it');
  return why === undefined ? [] : [`the pod does not wait for an image cache: ${why}`];
}
