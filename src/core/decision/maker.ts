/** Who makes the cache for a pod that misses one: ECI by itself, or our controller. */
import { formatSeconds } from '../kubernetes/time.ts';
import { breakEvenSeconds } from './break-even.ts';
import type { DecisionContext } from './context.ts';
import type { Maker } from './options.ts';
import { templateOf } from './pod-life.ts';
import { canWait } from './wait.ts';

export interface ChosenMaker {
  readonly by: Maker;
  /** The clause that says why. */
  readonly because: string;
}

/**
 * With `auto`, the controller, if the pod waits for its cache, or if the pods of the template are expected to end before
 * the disk of a cache has cost what it saves. Else ECI, whose own caches cost nothing, though it keeps only 25 of them in a region.
 */
export function makerOf(context: DecisionContext): ChosenMaker {
  const { user, images, view, options } = context;
  const { by } = options.createOnMiss;
  if (by !== 'auto') return { by, because: `createOnMiss.by is ${by}` };
  if (canWait(context)) return { by: 'controller', because: 'the pod waits for its cache' };
  const life = view.podLife(templateOf(user));
  if (life === undefined)
    return { by: 'eci', because: 'it is not known yet how long pods of this template live' };
  const keys = images.references.map(({ key }) => key);
  const breakEven = breakEvenSeconds(life, keys, options, view);
  const because = `pods of this template live ${formatSeconds(life.seconds)}, and a cache of the controller pays for itself up to ${formatSeconds(breakEven)}`;
  return { by: life.seconds < breakEven ? 'controller' : 'eci', because };
}
