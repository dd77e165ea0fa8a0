/** The misses of pods, as the controller finds them in one look. */
import { Lacks } from '../../src/core/controller/lacks.ts';
import { groupPods, Misses, type Miss } from '../../src/core/controller/misses.ts';
import type { CacheRules } from '../../src/core/controller/missing-images.ts';
import type { WatchedPod } from '../../src/core/controller/watched-pod.ts';
import type { DecisionOptions } from '../../src/core/decision/options.ts';
import type { TrackedView } from '../../src/core/decision/view.ts';

export const RULES: CacheRules = { publicRegistries: [], privateImages: 'namespace', maxSizeGib: 100 };

/** @param now milliseconds since 1970 */
export function missesOf(
  pods: Iterable<WatchedPod>,
  view: TrackedView,
  decision: DecisionOptions,
  rules: CacheRules,
  now: number,
): ReadonlyMap<string, Miss> {
  const misses = new Misses(
    view,
    new Lacks(),
    { ...rules, decision, exceptNamespaces: new Set(['kube-system']) },
    now,
  );
  for (const group of groupPods(pods, now).groups) misses.add(group);
  return misses.byName;
}
