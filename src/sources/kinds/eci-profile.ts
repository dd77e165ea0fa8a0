/**
 * The eci-profile ConfigMap: `data.selectors` is a JSON array of selectors that apply in order. The vendor's example
 * has `#` comments, which users forget to remove, so they are skipped (docs/domain.md, "eci-profile").
 */
import { isObject, readText } from '../../core/kubernetes/json.ts';
import { messageOf, typeName, Unreadable } from '../../core/kubernetes/problem.ts';
import type { ProfileSelector } from '../../core/decision/profile/effects.ts';
import { readPart, type Manifest } from './manifest.ts';
import { readSelecting, type SelectorReading } from './selector.ts';

export const CONFIG_MAP = '/ConfigMap';

const PROFILE_NAMESPACE = 'kube-system';
const NAME = 'eci-profile';
const KEY = 'data.selectors';

/** Whether a ConfigMap is the one with the profile; a manifest may leave its namespace to the command line. */
export function isEciProfile({ name, namespace }: Pick<Manifest, 'name' | 'namespace'>): boolean {
  return name === NAME && (namespace === PROFILE_NAMESPACE || namespace === '');
}

/** The selectors of a profile that can be used, and the problems with its other parts. */
export interface EciProfileReading {
  readonly selectors: readonly ProfileSelector[];
  readonly problems: readonly Unreadable[];
}

/** @throws Unreadable if the whole profile cannot be read */
export function readEciProfile({ object }: Manifest): EciProfileReading {
  const data = readPart(object, 'data');
  const text: unknown = data['selectors'] ?? '';
  if (typeof text !== 'string') throw new Unreadable(KEY, `is ${typeName(text)}; it must be a JSON text`);
  const json = withoutComments(text);
  if (json.trim() === '') return { selectors: [], problems: [] };

  let list: unknown;
  try {
    list = JSON.parse(json);
  } catch (error) {
    throw new Unreadable(KEY, `is not JSON: ${messageOf(error)}`);
  }
  if (!Array.isArray(list))
    throw new Unreadable(KEY, `is ${typeName(list)}; it must be a JSON array of selectors`);

  const readings = list.map((item: unknown, index) => readProfileEntry(item, `${KEY}[${index}]`, `${index}`));
  return {
    selectors: readings.flatMap(({ selector }) => selector ?? []),
    problems: readings.flatMap(({ problems }) => problems),
  };
}

function readProfileEntry(value: unknown, path: string, index: string): SelectorReading<ProfileSelector> {
  if (!isObject(value)) {
    const problem = new Unreadable(path, `is ${typeName(value)}; it must be an object: it matches nothing`);
    return { selector: undefined, problems: [problem] };
  }
  const { name } = value;
  const { selector, problems } = readSelecting(value, path, ['namespaceSelector', 'objectSelector']);
  return {
    selector: selector && { ...selector, name: readText(name) ?? index, destination: 'eci' },
    problems:
      name === undefined || typeof name === 'string'
        ? problems
        : [...problems, new Unreadable(`${path}.name`, `is ${typeName(name)}; it must be a string`)],
  };
}

/** Replaces `#` comments outside of strings with spaces, so that errors still point to the right place. */
function withoutComments(text: string): string {
  return text.replaceAll(
    /("(?:[^"\\\n]|\\.)*")|#[^\n]*/g,
    (match, string: string | undefined) => string ?? ' '.repeat(match.length),
  );
}
