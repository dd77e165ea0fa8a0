/**
 * Owns string maps (labels, annotations, node selectors) read from untrusted JSON. A Map, never a plain
 * object, so that keys such as `__proto__` or `constructor` are data and nothing else.
 */

export type StringMap = ReadonlyMap<string, string>;

export const EMPTY_MAP: StringMap = new Map();

/** Thrown where a value cannot be read: where it stands, what is wrong with it, and what would be allowed. */
export class Unreadable extends Error {
  readonly path: string;

  constructor(path: string, problem: string) {
    super(`${path} ${problem}`);
    this.path = path;
  }
}

/** A JSON object, as opposed to null, an array or a scalar. */
export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What a JSON value is, in the words of an error message. */
export function typeName(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'an array' : `${typeof value === 'object' ? 'an' : 'a'} ${typeof value}`;
}

/**
 * Reads an optional object whose values are all strings; absent and null are empty, as in Kubernetes.
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
