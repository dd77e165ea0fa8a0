/**
 * Owns the options of the decision, as types; defaults, validation and where values come from are src/config's.
 * design.md names each; the README's table explains them.
 */
import type { MinimumMatch } from './match/filters.ts';
import type { Scope } from './scope.ts';

/** Under which names the webhook writes: `eci-*imc*`, the older `eci-image-*`, or both. */
export type Dialect = 'modern' | 'legacy' | 'both';

export interface DecisionConfig {
  /** Whether a pod whose node is not known yet, and may be a normal one, is decided when it is bound. */
  readonly bindTime: boolean;
  readonly scope: Scope;
  /** The cluster's region; empty where unknown. */
  readonly region: string;
  readonly onInvalidAnnotation: 'warn' | 'deny';
  readonly pin: {
    readonly notReady: 'deny' | 'warn' | 'auto';
    readonly unknown: 'warn' | 'deny';
  };
  readonly minimumMatch: MinimumMatch;
  readonly dialect: Dialect;
  readonly pullPolicy: 'warn' | 'keep' | 'enforce';
  readonly createOnMiss: {
    readonly when: 'no-match' | 'incomplete';
    readonly by: 'eci' | 'controller';
  };
  /** Milliseconds. A cache that expires sooner than this is not chosen. */
  readonly expiryMargin: number;
  /** Milliseconds. An index without word for longer is not taken for true. */
  readonly maxStaleness: number;
}
