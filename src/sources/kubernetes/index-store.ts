/**
 * Puts the objects of one kind into the index and takes them out. An object that cannot be read is reported once; then
 * either its last good state stays in force, or it is not used.
 */
import type { JsonObject } from '../../core/kubernetes/json.ts';
import { messageOf } from '../../core/kubernetes/problem.ts';
import type { ClusterIndex } from '../../index/cluster-index.ts';
import { identify, readEntry, type IndexEntry } from '../kinds/index-entry.ts';
import { manifestOf, type Manifest } from '../kinds/manifest.ts';
import type { SourceEvents } from '../source.ts';
import type { Store } from './list-all.ts';

export interface IndexStoreOptions {
  /**
   * Whether an object's last good state stays in force if an edit cannot be read. True for what people write. False for
   * ImageCaches, which ECI writes: one that cannot be read may no longer work, and would fail the pods that are given
   * it.
   */
  readonly lastGoodStays: boolean;
  /** Called for an object that cannot be read, in addition to the usual report. */
  readonly onUnreadable: (manifest: Manifest, problem: string) => void;
  readonly setServed: (served: boolean) => void;
}

export class IndexStore implements Store {
  readonly #groupKind: string;
  readonly #index: ClusterIndex;
  readonly #events: SourceEvents;
  readonly #options: IndexStoreOptions;
  /** How to take each object out of the index again; undefined for an object that never could be read. */
  readonly #held = new Map<string, IndexEntry['delete'] | undefined>();
  readonly #problems = new Map<string, string>();

  constructor(groupKind: string, index: ClusterIndex, events: SourceEvents, options: IndexStoreOptions) {
    this.#groupKind = groupKind;
    this.#index = index;
    this.#events = events;
    this.#options = options;
  }

  /** The objects that cannot be read now, one a line. */
  problems(): Iterable<string> {
    return this.#problems.values();
  }

  setServed(served: boolean): void {
    this.#options.setServed(served);
  }

  keys(): Iterable<string> {
    return this.#held.keys();
  }

  size(): number {
    return this.#held.size;
  }

  apply(key: string, object: JsonObject): void {
    let manifest: Manifest | undefined;
    try {
      manifest = manifestOf(this.#groupKind, object);
      const entry = readEntry(manifest);
      entry.apply(this.#index);
      this.#held.set(key, entry.delete);
      this.#problems.delete(key);
      this.#events.onChange({ applied: 1, deleted: 0 });
    } catch (error) {
      const former = this.#held.get(key);
      const staying = this.#options.lastGoodStays ? former : undefined;
      if (!staying) former?.(this.#index);
      this.#held.set(key, staying);
      const consequence = staying ? 'its last good state stays in force' : 'it is not used';
      this.#report(key, manifest, `${messageOf(error)}; ${consequence}`);
    }
  }

  delete(key: string): void {
    this.#held.get(key)?.(this.#index);
    this.#held.delete(key);
    this.#problems.delete(key);
    this.#events.onChange({ applied: 0, deleted: 1 });
  }

  #report(key: string, manifest: Manifest | undefined, message: string): void {
    const name = manifest ? identify(manifest) : key;
    const problem = `${name}: ${message}`;
    const known = this.#problems.get(key) === problem;
    this.#problems.set(key, problem);
    if (known) return;
    this.#events.onProblem(problem);
    if (manifest) this.#options.onUnreadable(manifest, problem);
  }
}
