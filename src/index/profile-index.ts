/** The profile in memory: Selector objects, and the entries of the eci-profile ConfigMap. */
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
  /** Undefined after a change, until somebody reads the profile. */
  #profile: Profile | undefined;
  #changes = 0;

  /** Grows with each change. */
  get changes(): number {
    return this.#changes;
  }

  /**
   * Changes are rare and come in bursts, and reads come with every pod: the first read after a burst builds the
   * profile.
   */
  get profile(): Profile {
    this.#profile ??= this.#build();
    return this.#profile;
  }

  /** @param key namespace and name, because the scope of the Selector CRD differs between its releases */
  applySelector(key: string, selector: PrioritySelector): void {
    this.#selectors.set(key, selector);
    this.#change();
  }

  deleteSelector(key: string): void {
    if (this.#selectors.delete(key)) this.#change();
  }

  /** @param entries the ConfigMap's selectors, in order; empty if there is no such ConfigMap */
  setEntries(entries: readonly ProfileSelector[]): void {
    this.#inOrder = entries;
    this.#change();
  }

  #change(): void {
    this.#profile = undefined;
    this.#changes++;
  }

  #build(): Profile {
    // By key first: Selectors of equal priority and name are ordered by namespace, and not by their arrival.
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
