/** The labels of the Namespaces in memory. */
import { EMPTY_MAP, isSameMap, type StringMap } from '../core/kubernetes/json.ts';

export class NamespaceIndex {
  readonly #labels = new Map<string, StringMap>();
  #changes = 0;

  /** Grows with each change. */
  get changes(): number {
    return this.#changes;
  }

  labels(name: string): StringMap {
    return this.#labels.get(name) ?? EMPTY_MAP;
  }

  /** @returns whether anything changed */
  apply(name: string, labels: StringMap): boolean {
    const before = this.#labels.get(name);
    this.#labels.set(name, labels);
    const changed = !before || !isSameMap(before, labels);
    if (changed) this.#changes++;
    return changed;
  }

  /** @returns whether there was a namespace with this name */
  delete(name: string): boolean {
    const changed = this.#labels.delete(name);
    if (changed) this.#changes++;
    return changed;
  }
}
