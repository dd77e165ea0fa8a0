/** One setting: a row of the tables in settings.ts and controller-settings.ts. */
import type { ValueType } from './value-type.ts';

export interface Setting {
  /** The key: `pin.notReady`. */
  readonly path: string;
  readonly type: ValueType;
  readonly default: unknown;
  readonly help: string;
  /** A shorter name that means the same: `region` for `region.name`. In a file, it is a text in place of the group. */
  readonly alias?: string;
}
