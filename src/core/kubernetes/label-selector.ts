/**
 * Kubernetes label selectors: `matchLabels`, and `matchExpressions` with In, NotIn, Exists and DoesNotExist, all ANDed.
 * As in Kubernetes, an absent key satisfies NotIn, and the same selectors are invalid (LabelSelectorAsSelector in
 * k8s.io/apimachinery).
 */
import { isObject, readStringMap, type StringMap } from './json.ts';
import { problemOfLabelKey, problemOfLabelValue } from './metadata-syntax.ts';
import { quote, typeName, Unreadable } from './problem.ts';

interface LabelRequirement {
  readonly key: string;
  readonly operator: Operator;
  readonly values: ReadonlySet<string>;
}

/** The requirements are ANDed; an empty selector matches everything. */
export type LabelSelector = readonly LabelRequirement[];

const OPERATORS = {
  In: (value: string | undefined, values: ReadonlySet<string>) => value !== undefined && values.has(value),
  NotIn: (value: string | undefined, values: ReadonlySet<string>) =>
    value === undefined || !values.has(value),
  Exists: (value: string | undefined) => value !== undefined,
  DoesNotExist: (value: string | undefined) => value === undefined,
};

type Operator = keyof typeof OPERATORS;

function isOperator(value: unknown): value is Operator {
  return typeof value === 'string' && Object.hasOwn(OPERATORS, value);
}

export function matchesLabels(selector: LabelSelector, labels: StringMap): boolean {
  return selector.every(({ key, operator, values }) => OPERATORS[operator](labels.get(key), values));
}

/**
 * Reads a LabelSelector; absent and null set no constraint.
 * @throws Unreadable
 */
export function readLabelSelector(value: unknown, path: string): LabelSelector {
  if (value === undefined || value === null) return [];
  if (!isObject(value)) throw new Unreadable(path, `is ${typeName(value)}; it must be an object`);
  for (const key of Object.keys(value)) {
    if (key !== 'matchLabels' && key !== 'matchExpressions') {
      throw new Unreadable(`${path}.${key}`, 'is unknown; allowed are matchLabels and matchExpressions');
    }
  }
  const labels = readStringMap(value['matchLabels'], `${path}.matchLabels`);
  const requirements: LabelRequirement[] = Array.from(labels, ([key, label]) => {
    checkLabel(`${path}.matchLabels`, key, [label]);
    return { key, operator: 'In', values: new Set([label]) };
  });

  const expressions = value['matchExpressions'] ?? [];
  if (!Array.isArray(expressions)) {
    throw new Unreadable(`${path}.matchExpressions`, `is ${typeName(expressions)}; it must be an array`);
  }
  for (const [index, expression] of expressions.entries()) {
    const requirement = readRequirement(expression, `${path}.matchExpressions[${index}]`);
    requirements.push(requirement);
  }
  return requirements;
}

function readRequirement(value: unknown, path: string): LabelRequirement {
  if (!isObject(value)) throw new Unreadable(path, `is ${typeName(value)}; it must be an object`);
  const { key, operator } = value;
  if (typeof key !== 'string' || key === '') throw new Unreadable(`${path}.key`, 'must be a label key');
  if (!isOperator(operator)) {
    throw new Unreadable(
      `${path}.operator`,
      `is ${JSON.stringify(operator)}; allowed are ${Object.keys(OPERATORS).join(', ')}`,
    );
  }
  const values: unknown = value['values'] ?? [];
  if (!Array.isArray(values) || !values.every((item) => typeof item === 'string')) {
    throw new Unreadable(`${path}.values`, 'must be an array of strings');
  }
  const wantsValues = operator === 'In' || operator === 'NotIn';
  if (wantsValues !== values.length > 0) {
    throw new Unreadable(
      `${path}.values`,
      `must ${wantsValues ? 'not ' : ''}be empty for the operator ${operator}`,
    );
  }
  checkLabel(path, key, values);
  return { key, operator, values: new Set(values) };
}

/** @throws Unreadable for a key or a value that no label can have */
function checkLabel(path: string, key: string, values: readonly string[]): void {
  const ofKey = problemOfLabelKey(key);
  if (ofKey !== undefined) throw new Unreadable(path, `names the label key ${quote(key)}, which ${ofKey}`);
  for (const value of values) {
    const ofValue = problemOfLabelValue(value);
    if (ofValue !== undefined)
      throw new Unreadable(path, `names the label value ${quote(value)}, which ${ofValue}`);
  }
}
