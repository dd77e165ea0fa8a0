/** Follows the paths of the table of workload kinds through a manifest. */
import { isObject, type JsonObject } from '../kubernetes/json.ts';
import { typeName, Unreadable } from '../kubernetes/problem.ts';

export interface FoundPart {
  /** In the manifest: `spec.workerGroupSpecs[1].template`; empty for the manifest itself. */
  readonly path: string;
  readonly part: JsonObject;
}

/**
 * All parts of a manifest that a path leads to.
 * @param path as in WorkloadKind.templates
 * @throws Unreadable if a part is missing that must be there, or is no object
 */
export function partsAt(manifest: JsonObject, path: string): FoundPart[] {
  let found: FoundPart[] = [{ path: '', part: manifest }];
  for (const step of stepsOf(path)) found = found.flatMap((each) => follow(each, step));
  return found;
}

/** The keys before the first part that may be absent or repeated: those of `metadata.managedFields` stop there too. */
export function fixedSteps(path: string): string[] {
  const steps = stepsOf(path);
  const firstOpen = steps.findIndex((step) => /[?*]/.test(step));
  return (firstOpen < 0 ? steps : steps.slice(0, firstOpen + 1)).map(keyOf).filter((key) => key !== '*');
}

function stepsOf(path: string): string[] {
  return path === '' ? [] : path.split('.');
}

/** `workerGroupSpecs` of `workerGroupSpecs[*]`. */
function keyOf(step: string): string {
  return step.replace(/\?$|\[\*\]$/, '');
}

function follow({ path, part }: FoundPart, step: string): FoundPart[] {
  if (step === '*') {
    return Object.entries(part).flatMap(([key, value]) => asFound(join(path, key), value));
  }
  const key = keyOf(step);
  const at = join(path, key);
  const value = part[key] ?? undefined;
  if (step.endsWith('[*]')) {
    if (value === undefined) return [];
    if (!Array.isArray(value)) throw new Unreadable(at, `is ${typeName(value)}; it must be an array`);
    return value.flatMap((item: unknown, i) => asFound(`${at}[${i}]`, item));
  }
  if (value === undefined && step.endsWith('?')) return [];
  return asFound(at, value);
}

function asFound(path: string, value: unknown): FoundPart[] {
  if (value === undefined) throw new Unreadable(path, 'is missing');
  if (!isObject(value)) throw new Unreadable(path, `is ${typeName(value)}; it must be an object`);
  return [{ path, part: value }];
}

export function join(path: string, key: string): string {
  return path === '' ? key : `${path}.${key}`;
}
