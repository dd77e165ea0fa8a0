/** Owns the name of a kind: its group and itself, without the version. */
import { Unreadable, type JsonObject } from './json.ts';

/**
 * `apps/Deployment`, `eci.alibabacloud.com/ImageCache`, and `/Pod` for the group without a name.
 * @throws Unreadable where the object does not say
 */
export function readGroupKind({ apiVersion, kind }: JsonObject): string {
  if (typeof apiVersion !== 'string') throw new Unreadable('apiVersion', 'is missing');
  if (typeof kind !== 'string') throw new Unreadable('kind', 'is missing');
  return `${apiVersion.slice(0, Math.max(apiVersion.indexOf('/'), 0))}/${kind}`;
}

/** The kind alone: `Deployment`. */
export function kindOf(groupKind: string): string {
  return groupKind.slice(groupKind.indexOf('/') + 1);
}
