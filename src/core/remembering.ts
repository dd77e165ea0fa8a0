/** Owns the remembering of what pure functions have found: bounded, and invisible but for the time that it saves. */

/**
 * The same function, remembering what it returned for up to twice as many arguments as `limit`, those that were asked
 * for last.
 */
export function remembering<R>(limit: number, find: (text: string) => R): (text: string) => R {
  let recent = new Map<string, R>();
  let older = new Map<string, R>();
  return (text) => {
    const known = recent.get(text);
    if (known !== undefined) return known;
    const result = older.get(text) ?? find(text);
    if (recent.size >= limit) {
      older = recent;
      recent = new Map();
    }
    recent.set(text, result);
    return result;
  };
}
