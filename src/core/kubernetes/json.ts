/** Reads untrusted JSON: what its parts are, and an error that names the part that cannot be read. */

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

/** Thrown if a value cannot be read. Says where it stands, what is wrong with it, and what is allowed. */
export class Unreadable extends Error {
  readonly path: string;

  constructor(path: string, problem: string) {
    super(`${path} ${problem}`);
    this.path = path;
  }
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

/** The type of a JSON value, for an error message. */
export function typeName(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'an array' : `${typeof value === 'object' ? 'an' : 'a'} ${typeof value}`;
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

/** `ENOENT: no such file or directory, open 'x.yaml'`. The caller names the file, so people need only the middle part. */
const FILE_ERROR = /^E[A-Z]+: ([^,]+), \w+ '[^]*'$/;

/** The message of something that was caught; in JavaScript anything may be thrown. */
export function messageOf(error: unknown): string {
  return Error.isError(error) ? error.message.replace(FILE_ERROR, '$1') : String(error);
}
