/** Owns the profile in memory: Selector objects and the entries of the eci-profile ConfigMap, ready for matching. */
import {
  comparePriority,
  EMPTY_PROFILE,
  type PrioritySelector,
  type Profile,
  type ProfileSelector,
} from '../core/profile/effect.ts';

export class ProfileIndex {
  readonly #selectors = new Map<string, PrioritySelector>();
  #inOrder: readonly ProfileSelector[] = [];
  #profile: Profile = EMPTY_PROFILE;

  get profile(): Profile {
    return this.#profile;
  }

  /** @param key namespace and name, as the scope of the Selector differs between releases of its CRD */
  applySelector(key: string, selector: PrioritySelector): void {
    this.#selectors.set(key, selector);
    this.#rebuild();
  }

  deleteSelector(key: string): void {
    if (this.#selectors.delete(key)) this.#rebuild();
  }

  /** @param entries the ConfigMap's selectors, in order; empty where there is no such ConfigMap */
  setEntries(entries: readonly ProfileSelector[]): void {
    this.#inOrder = entries;
    this.#rebuild();
  }

  /** Profiles change rarely and are read for every pod, so all the work is done here. */
  #rebuild(): void {
    const all = [...this.#selectors.values(), ...this.#inOrder];
    this.#profile = {
      byPriority: [...this.#selectors.values()].toSorted(comparePriority),
      inOrder: this.#inOrder,
      annotationKeys: new Set(all.flatMap((selector) => [...selector.annotations.keys()])),
      labelKeys: new Set(all.flatMap((selector) => [...selector.labels.keys()])),
    };
  }
}
