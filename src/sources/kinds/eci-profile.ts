/**
 * The eci-profile ConfigMap: `data.selectors` is a JSON array of selectors that apply in order. The vendor's example
 * has `#` comments, which users forget to remove, so they are skipped (docs/domain.md, "eci-profile").
 */
import { isObject } from '../../core/kubernetes/json.ts';
import { messageOf, typeName, Unreadable } from '../../core/kubernetes/problem.ts';
import type { ProfileSelector } from '../../core/decision/profile/effects.ts';
import { readLabelSelector } from '../../core/kubernetes/label-selector.ts';
import { readPart, type Manifest } from './manifest.ts';
import { readEffect } from './selector.ts';

export const CONFIG_MAP = '/ConfigMap';

const PROFILE_NAMESPACE = 'kube-system';
const NAME = 'eci-profile';
const KEY = 'data.selectors';

/** Whether a ConfigMap is the one with the profile; a manifest may leave its namespace to the command line. */
export function isEciProfile({ name, namespace }: Manifest): boolean {
  return name === NAME && (namespace === PROFILE_NAMESPACE || namespace === '');
}

export function readEciProfile({ object }: Manifest): readonly ProfileSelector[] {
  const data = readPart(object, 'data');
  const text: unknown = data['selectors'] ?? '';
  if (typeof text !== 'string') throw new Unreadable(KEY, `is ${typeName(text)}; it must be a JSON text`);
  const json = withoutComments(text);
  if (json.trim() === '') return [];

  let list: unknown;
  try {
    list = JSON.parse(json);
  } catch (error) {
    throw new Unreadable(KEY, `is not JSON: ${messageOf(error)}`);
  }
  if (!Array.isArray(list))
    throw new Unreadable(KEY, `is ${typeName(list)}; it must be a JSON array of selectors`);

  const selectors: ProfileSelector[] = [];
  for (const [index, item] of list.entries()) {
    const selector = readProfileEntry(item, `${KEY}[${index}]`, `${index}`);
    selectors.push(selector);
  }
  return selectors;
}

function readProfileEntry(value: unknown, path: string, index: string): ProfileSelector {
  if (!isObject(value)) throw new Unreadable(path, `is ${typeName(value)}; it must be an object`);
  const { name, namespaceSelector, objectSelector } = value;
  if (name !== undefined && typeof name !== 'string')
    throw new Unreadable(`${path}.name`, 'must be a string');
  const namespaces = readLabelSelector(namespaceSelector, `${path}.namespaceSelector`);
  const objects = readLabelSelector(objectSelector, `${path}.objectSelector`);
  const effect = readEffect(value, path);
  return {
    name: name ?? index,
    namespaceSelector: namespaces,
    objectSelector: objects,
    ...effect,
    destination: 'eci',
  };
}

/** Replaces `#` comments outside of strings with spaces, so that errors still point to the right place. */
function withoutComments(text: string): string {
  return text.replaceAll(
    /("(?:[^"\\\n]|\\.)*")|#[^\n]*/g,
    (match, string: string | undefined) => string ?? ' '.repeat(match.length),
  );
}
