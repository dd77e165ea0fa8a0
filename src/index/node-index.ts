/** The Nodes in memory: their labels, and the sizes of the images that they hold. */
import { isVirtual } from '../core/decision/scope.ts';
import type { Node } from '../core/kubernetes/object.ts';
import { EMPTY_MAP, isSameMap, type StringMap } from '../core/kubernetes/json.ts';

export class NodeIndex {
  readonly #nodes = new Map<string, Node>();
  readonly #virtual = new Set<string>();
  #changes = 0;
  /** Image key → node name → bytes. */
  readonly #sizes = new Map<string, Map<string, number>>();
  /** Image key → the largest size, so that a look-up does not depend on how many nodes hold the image. */
  readonly #largest = new Map<string, number>();

  /** Grows with each change. */
  get changes(): number {
    return this.#changes;
  }

  get size(): number {
    return this.#nodes.size;
  }

  /** The names of the virtual nodes. */
  get virtualNodes(): ReadonlySet<string> {
    return this.#virtual;
  }

  labels(name: string): StringMap {
    return this.#nodes.get(name)?.labels ?? EMPTY_MAP;
  }

  imageSize(key: string): number | undefined {
    return this.#largest.get(key);
  }

  /** @returns whether the labels or the images changed; most updates by the kubelet change neither */
  apply(node: Node): boolean {
    const before = this.#nodes.get(node.name);
    if (before && isSameMap(before.labels, node.labels) && isSameMap(before.imageSizes, node.imageSizes))
      return false;
    this.#changes++;
    this.#nodes.set(node.name, node);
    if (isVirtual(node.name, node.labels)) this.#virtual.add(node.name);
    else this.#virtual.delete(node.name);
    for (const key of before?.imageSizes.keys() ?? [])
      if (!node.imageSizes.has(key)) this.#forget(key, node.name);
    for (const [key, bytes] of node.imageSizes) {
      const sizes = this.#sizes.get(key) ?? new Map<string, number>();
      const known = sizes.get(node.name);
      if (known === bytes) continue;
      this.#sizes.set(key, sizes.set(node.name, bytes));
      // The other nodes matter only if the largest size itself shrank.
      const largest = this.#largest.get(key) ?? 0;
      this.#largest.set(
        key,
        known === largest && bytes < known ? Math.max(...sizes.values()) : Math.max(largest, bytes),
      );
    }
    return true;
  }

  /** @returns whether there was a node with this name */
  delete(name: string): boolean {
    const node = this.#nodes.get(name);
    if (!node) return false;
    this.#changes++;
    this.#nodes.delete(name);
    this.#virtual.delete(name);
    for (const key of node.imageSizes.keys()) this.#forget(key, name);
    return true;
  }

  #forget(key: string, nodeName: string): void {
    const sizes = this.#sizes.get(key);
    const bytes = sizes?.get(nodeName);
    sizes?.delete(nodeName);
    if (!sizes || sizes.size === 0) {
      this.#sizes.delete(key);
      this.#largest.delete(key);
    } else if (bytes === this.#largest.get(key)) this.#largest.set(key, Math.max(...sizes.values()));
  }
}
