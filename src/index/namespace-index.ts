/** The labels and the uids of the Namespaces in memory. */
import { EMPTY_MAP, isSameMap, type StringMap } from '../core/kubernetes/json.ts';

export class NamespaceIndex {
  readonly #labels = new Map<string, StringMap>();
  readonly #uids = new Map<string, string>();
  #changes = 0;

  /** Grows with each change. */
  get changes(): number {
    return this.#changes;
  }

  labels(name: string): StringMap {
    return this.#labels.get(name) ?? EMPTY_MAP;
  }

  /** Undefined for an unknown namespace. */
  uid(name: string): string | undefined {
    return this.#uids.get(name);
  }

  /** @returns whether anything changed */
  apply(name: string, labels: StringMap, uid: string | undefined): boolean {
    const before = this.#labels.get(name);
    const changed = !before || !isSameMap(before, labels) || this.#uids.get(name) !== uid;
    this.#labels.set(name, labels);
    if (uid === undefined) this.#uids.delete(name);
    else this.#uids.set(name, uid);
    if (changed) this.#changes++;
    return changed;
  }

  /** @returns whether there was a namespace with this name */
  delete(name: string): boolean {
    this.#uids.delete(name);
    const changed = this.#labels.delete(name);
    if (changed) this.#changes++;
    return changed;
  }
}
