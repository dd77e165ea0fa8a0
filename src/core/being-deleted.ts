/** Owns how an object says that it is going: it stays for as long as somebody has something to do first. */
import type { JsonObject } from './json.ts';

export function isBeingDeleted(metadata: JsonObject): boolean {
  return (metadata['deletionTimestamp'] ?? undefined) !== undefined;
}
