/** Owns a Node as the decision sees it. */
import type { StringMap } from './json.ts';

export interface Node {
  readonly name: string;
  readonly labels: StringMap;
  /** Bytes by image key, from `status.images`. */
  readonly imageSizes: ReadonlyMap<string, number>;
}
