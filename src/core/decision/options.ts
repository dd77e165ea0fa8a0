/** The options of a decision, as types. src/config/settings.ts has their defaults and explains each. */
import type { CostOptions } from './break-even.ts';
import type { MinimumMatch } from './match/filters.ts';
import type { Scope } from './scope.ts';
import type { Sharing } from './sharing.ts';

/** The annotation names that the webhook writes: `eci-*imc*`, the older `eci-image-*`, or both. */
export type Dialect = 'modern' | 'legacy' | 'both';

/** Who makes a cache after a miss. */
export type Maker = 'eci' | 'controller';

export interface DecisionOptions extends CostOptions {
  /** Whether a pod that may still run on a normal node is decided when it is bound. */
  readonly bindTime: boolean;
  readonly scope: Scope;
  /** The cluster's region; empty if unknown. */
  readonly region: { readonly name: string };
  readonly onInvalidAnnotation: 'warn' | 'deny';
  readonly pin: {
    readonly notReady: 'deny' | 'warn' | 'auto';
    readonly unknown: 'warn' | 'deny';
  };
  readonly minimumMatch: MinimumMatch;
  readonly dialect: Dialect;
  readonly pullPolicy: 'warn' | 'keep' | 'enforce';
  /** What happens with a cache that holds some of the images; see `usesPartial` in auto-match.ts. */
  readonly partialHits: 'auto' | 'use' | 'leave';
  /** Whether image volumes count as images of the pod. */
  readonly imageVolumes: 'ignore' | 'count';
  readonly sharing: {
    readonly mode: Sharing;
  };
  readonly createOnMiss: {
    readonly when: 'no-match' | 'incomplete';
    readonly by: Maker | 'auto';
  };
  /** Whether pods may wait for their cache: `drain` lets those go that wait still. */
  readonly waitForCache: 'never' | 'drain' | 'allow';
  /** A cache that expires sooner than this is not chosen. */
  readonly expiryMarginMs: number;
  /** An index that was not confirmed for longer than this is not trusted. */
  readonly maxStalenessMs: number;
}
