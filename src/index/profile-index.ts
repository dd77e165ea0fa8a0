/** Owns the profile in memory: Selector objects and the entries of the eci-profile ConfigMap, ready for matching. */
import {
  comparePriority,
  type PrioritySelector,
  type Profile,
  type ProfileSelector,
} from '../core/decision/profile/effects.ts';
import { SelectorTable } from '../core/decision/profile/selector-table.ts';

export class ProfileIndex {
  readonly #selectors = new Map<string, PrioritySelector>();
  #inOrder: readonly ProfileSelector[] = [];
  /** Undefined after a change, until it is read again. */
  #profile: Profile | undefined;
  #changes = 0;

  /** How often what is in here may have become something else. */
  get changes(): number {
    return this.#changes;
  }

  /** Changes come in bursts and rarely, reads with every pod: a burst is worked in once, by the first read after it. */
  get profile(): Profile {
    this.#profile ??= this.#build();
    return this.#profile;
  }

  /** @param key namespace and name, as the scope of the Selector differs between releases of its CRD */
  applySelector(key: string, selector: PrioritySelector): void {
    this.#selectors.set(key, selector);
    this.#change();
  }

  deleteSelector(key: string): void {
    if (this.#selectors.delete(key)) this.#change();
  }

  /** @param entries the ConfigMap's selectors, in order; empty where there is no such ConfigMap */
  setEntries(entries: readonly ProfileSelector[]): void {
    this.#inOrder = entries;
    this.#change();
  }

  #change(): void {
    this.#profile = undefined;
    this.#changes++;
  }

  #build(): Profile {
    // By key first: where priority and name are the same, the namespace decides, and not the order of arrival.
    const selectors = [...this.#selectors]
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([, selector]) => selector);
    const all = [...selectors, ...this.#inOrder];
    return {
      byPriority: new SelectorTable(selectors.toSorted(comparePriority)),
      inOrder: new SelectorTable(this.#inOrder),
      annotationKeys: new Set(all.flatMap((selector) => [...selector.annotations.keys()])),
      labelKeys: new Set(all.flatMap((selector) => [...selector.labels.keys()])),
    };
  }
}
