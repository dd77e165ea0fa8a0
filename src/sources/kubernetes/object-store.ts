/** Keeps the objects of one kind in memory, by key. */
import type { JsonObject } from '../../core/kubernetes/json.ts';
import type { Store } from './list-all.ts';

export interface ObjectStoreEvents<T> {
  /** Something was added, deleted or changed. */
  readonly onChange: () => void;
  /** An object cannot be read, and is skipped. */
  readonly onUnreadable: (what: string, error: unknown) => void;
  /** Whether two states of an object mean the same, so that onChange is not called; if absent, every update counts. */
  readonly isSame?: (before: T, after: T) => boolean;
}

export class ObjectStore<T> implements Store {
  readonly #items = new Map<string, T | undefined>();
  readonly #read: (object: JsonObject) => T | undefined;
  readonly #events: ObjectStoreEvents<T>;

  /** @param read returns undefined for an object that is not needed */
  constructor(read: (object: JsonObject) => T | undefined, events: ObjectStoreEvents<T>) {
    this.#read = read;
    this.#events = events;
  }

  apply(key: string, object: JsonObject): void {
    const before = this.#items.get(key);
    const after = this.#tryToRead(key, object);
    this.#items.set(key, after);
    if (before === undefined && after === undefined) return;
    if (before && after && this.#events.isSame?.(before, after)) return;
    this.#events.onChange();
  }

  #tryToRead(key: string, object: JsonObject): T | undefined {
    try {
      return this.#read(object);
    } catch (error) {
      if (!this.#items.has(key)) this.#events.onUnreadable(key, error);
      return undefined;
    }
  }

  delete(key: string): void {
    this.#items.delete(key);
    this.#events.onChange();
  }

  get(key: string): T | undefined {
    return this.#items.get(key);
  }

  keys(): Iterable<string> {
    return this.#items.keys();
  }

  size(): number {
    return this.#items.size;
  }

  *entries(): Iterable<[string, T]> {
    for (const [key, item] of this.#items) if (item !== undefined) yield [key, item];
  }

  *values(): Iterable<T> {
    for (const [, item] of this.entries()) yield item;
  }
}
