/**
 * Puts the objects of one kind into the index and takes them out. If an object, or a part of it, cannot be read, the
 * store reports the problem once; if no part can be read, the last good state stays, or the object is not used.
 */
import type { JsonObject } from '../../core/kubernetes/json.ts';
import { messageOf, type Unreadable } from '../../core/kubernetes/problem.ts';
import type { ClusterIndex } from '../../index/cluster-index.ts';
import { identify, readEntry, type IndexEntry } from '../kinds/index-entry.ts';
import { manifestOf, type Manifest } from '../kinds/manifest.ts';
import type { SourceEvents } from '../source.ts';
import type { Store } from './list-all.ts';

export interface IndexStoreOptions {
  /**
   * Whether the last good state of an object stays in force if its new state cannot be read. False for ImageCaches: a
   * cache that cannot be read may no longer work, and would then fail the pods that get it.
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
  /** By key, the function that takes the object out of the index; undefined for an object that is not in the index. */
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
      if (entry.problems.length === 0) this.#problems.delete(key);
      else this.#report(key, manifest, describeProblems(entry.problems));
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

/** How many problems of one object are named, so that a line of the log stays readable. */
const MAX_NAMED_PROBLEMS = 5;

function describeProblems(problems: readonly Unreadable[]): string {
  const named = problems.slice(0, MAX_NAMED_PROBLEMS).map(({ message }) => message);
  const more = problems.length - named.length;
  return [...named, ...(more > 0 ? [`and ${more} more problems`] : [])].join('; ');
}
