/** Looks at the ImageCaches: how many there are of the quota, and how many have failed. */
import type { Config } from '../../config/config.ts';
import { HOPELESS } from '../../core/image-cache.ts';
import { readStatus } from '../status.ts';
import { ok, warned, type CheckFinding } from './finding.ts';

/** Manual caches of a region, which ECI allows by default (docs/domain.md, "ImageCache"). */
const DEFAULT_QUOTA = 500;
/** The share of the quota from which a warning is due. */
const NEARLY_FULL = 0.9;

/** @throws if the ImageCaches cannot be read */
export async function checkQuota(config: Config): Promise<CheckFinding> {
  const problems: string[] = [];
  const { caches, usage } = await readStatus(config, (problem) => problems.push(problem));
  const own = caches.filter(({ knownFrom }) => knownFrom !== 'api');
  const failedOnes = own.filter(({ phase }) => HOPELESS.has(phase));
  const { used, most } = usage?.manual ?? { used: own.length, most: DEFAULT_QUOTA };
  const counted = `${used} of ${most} manual caches${usage ? ' of the region' : ', if the quota is the default one'}`;
  if (used >= most * NEARLY_FULL) {
    return warned(
      `The quota is nearly used up: ${counted}.`,
      'Delete caches that nobody uses (imc status shows when each was last used), or ask ECI for a higher quota.',
    );
  }
  if (failedOnes.length > 0) {
    const names = failedOnes.slice(0, 3).map(({ name }) => name);
    const more = failedOnes.length > names.length ? ` and ${failedOnes.length - names.length} more` : '';
    return warned(
      `ECI could not make ${names.join(', ')}${more}; ${counted}.`,
      'kubectl describe imagecache NAME shows why: a wrong image name, a missing pull secret, or a size that is too small.',
    );
  }
  if (problems.length > 0)
    return warned(`${problems[0]}.`, 'Correct the object; the others are read all the same.');
  return ok(`${counted[0]?.toUpperCase()}${counted.slice(1)}.`);
}
