/** Reads the parts of untrusted JSON, and checks their types. */
import { typeName, Unreadable } from './problem.ts';

export type JsonObject = Readonly<Record<string, unknown>>;

/** Labels or annotations. A Map, so that a key such as `__proto__` or `constructor` is plain data. */
export type StringMap = ReadonlyMap<string, string>;

export const EMPTY_MAP: StringMap = new Map();

/** Whether two maps have the same entries, in any order. */
export function isSameMap<T>(a: ReadonlyMap<string, T>, b: ReadonlyMap<string, T>): boolean {
  if (a.size !== b.size) return false;
  for (const [key, value] of a) if (b.get(key) !== value) return false;
  return true;
}

/** Whether a value is a JSON object, and not null, an array or a scalar. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A part of an object that is an object itself; empty if it is absent or something else. */
export function partOf(parent: JsonObject, name: string): JsonObject {
  const value = parent[name];
  return isObject(value) ? value : {};
}

/** A non-empty string, else undefined: Kubernetes' Go types write an absent name as an empty string. */
export function readText(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** The objects in a list; empty if it is no list. */
export function objectsIn(list: unknown): JsonObject[] {
  return Array.isArray(list) ? list.filter(isObject) : [];
}

/** The strings in a list; empty if it is no list. */
export function textsIn(list: unknown): string[] {
  return Array.isArray(list) ? list.filter((each) => typeof each === 'string') : [];
}

/**
 * Reads an optional object whose values are strings; absent and null are empty, as in Kubernetes.
 * @throws Unreadable
 */
export function readStringMap(value: unknown, path: string): StringMap {
  if (value === undefined || value === null) return EMPTY_MAP;
  if (!isObject(value)) throw new Unreadable(path, `is ${typeName(value)}; it must be an object of strings`);
  const map = new Map<string, string>();
  for (const key of Object.keys(value)) {
    const item = value[key];
    if (typeof item !== 'string') {
      throw new Unreadable(
        `${path}[${JSON.stringify(key)}]`,
        `is ${typeName(item)}; it must be a string: quote it`,
      );
    }
    map.set(key, item);
  }
  return map;
}
