/**
 * The required node affinity of a pod (`nodeSelectorTerms`): the terms are alternatives, and the requirements of one
 * term are ANDed. Reads only the requirements on labels; `matchFields` selects single nodes by name.
 */
import { isObject, partOf, type JsonObject } from './json.ts';

interface NodeRequirement {
  readonly key: string;
  /** As written: In, NotIn, Exists, DoesNotExist, Gt or Lt. */
  readonly operator: string;
  readonly values: readonly string[];
}

export type NodeTerm = readonly NodeRequirement[];

/**
 * The terms of `spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution`. A part that is not as it
 * must be is left out, because the API server refuses such a pod itself.
 */
export function readRequiredNodeTerms(spec: JsonObject): readonly NodeTerm[] {
  const { affinity } = spec;
  if (!isObject(affinity)) return [];
  const nodeAffinity = partOf(affinity, 'nodeAffinity');
  const terms = partOf(nodeAffinity, 'requiredDuringSchedulingIgnoredDuringExecution')['nodeSelectorTerms'];
  const read: NodeTerm[] = [];
  if (!Array.isArray(terms)) return read;
  for (const term of terms) {
    if (!isObject(term)) continue;
    const requirements = readRequirements(term['matchExpressions']);
    // A term without any requirement matches no node, so it is no alternative.
    if (requirements.length > 0 || isNonEmptyArray(term['matchFields'])) read.push(requirements);
  }
  return read;
}

function readRequirements(expressions: unknown): NodeTerm {
  if (!Array.isArray(expressions)) return [];
  const requirements: NodeRequirement[] = [];
  for (const expression of expressions) {
    if (!isObject(expression)) continue;
    const { key, operator, values } = expression;
    if (typeof key !== 'string' || typeof operator !== 'string') continue;
    const texts: readonly unknown[] = Array.isArray(values) ? values : [];
    requirements.push({ key, operator, values: texts.filter((each) => typeof each === 'string') });
  }
  return requirements;
}

function isNonEmptyArray(value: unknown): boolean {
  return Array.isArray(value) && value.length > 0;
}

/** Stands for the values that a term neither names nor excludes, if the possible values are unknown. */
export const ANY_OTHER = 'any other';

/**
 * The values of a label that a term allows; undefined if the term does not restrict the label. The cost is linear in
 * the number of values that the term names.
 * @param keys the names of the label: its present name, and a deprecated one
 * @param possible the values that the label can have, of which NotIn leaves some; undefined if they are unknown
 */
export function allowedValues(
  term: NodeTerm,
  keys: readonly string[],
  possible: readonly string[] | undefined,
): readonly string[] | undefined {
  let allowed: readonly string[] | undefined;
  const forbidden = new Set<string>();
  for (const { key, operator, values } of term) {
    if (!keys.includes(key)) continue;
    if (operator === 'In') {
      const named = new Set(values);
      allowed = allowed ? allowed.filter((value) => named.has(value)) : [...named];
    } else if (operator === 'NotIn') {
      for (const value of values) forbidden.add(value);
    }
  }
  if (forbidden.size === 0) return allowed;
  return (allowed ?? possible ?? [ANY_OTHER]).filter((value) => !forbidden.has(value));
}
