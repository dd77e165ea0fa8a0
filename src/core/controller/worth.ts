/** Whether a cache costs more than it saves, with createOnMiss.by: auto (decision/maker.ts). */
import { breakEvenSeconds, type CostOptions } from '../decision/break-even.ts';
import { templateOfImages } from '../decision/pod-life.ts';
import type { View } from '../decision/view.ts';
import { parseImageReference } from '../image/reference.ts';
import type { OwnCache } from './own-cache.ts';

/** A cache goes if its pods live this many times as long as it pays for; less, and one could go that is made again at once. */
const CLEARLY = 1.5;

/**
 * Whether the pods of all its image sets are known to live too long. A set of which nothing is known keeps the cache.
 * @param namespaces of its users
 */
export function costsMore(
  { sets }: Pick<OwnCache, 'sets'>,
  namespaces: readonly string[],
  options: CostOptions,
  view: View,
): boolean {
  return sets.every(({ keys }) => {
    const references = keys.map((key) => parseImageReference(key)).filter((each) => each !== undefined);
    return namespaces.every((namespace) => {
      const life = view.podLife(templateOfImages(namespace, references));
      return life !== undefined && life.seconds > breakEvenSeconds(life, keys, options, view) * CLEARLY;
    });
  });
}
