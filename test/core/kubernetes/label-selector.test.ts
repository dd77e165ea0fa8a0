import { describe, expect, it } from 'vitest';
import { matchesLabels, readLabelSelector } from '../../../src/core/kubernetes/label-selector.ts';
import { Unreadable } from '../../../src/core/kubernetes/problem.ts';

function matches(selector: unknown, labels: Record<string, string>): boolean {
  return matchesLabels(readLabelSelector(selector, 'selector'), new Map(Object.entries(labels)));
}

const expression = (operator: string, values?: string[]): unknown => ({
  matchExpressions: [{ key: 'tier', operator, ...(values && { values }) }],
});

describe('a label selector matches as Kubernetes does', () => {
  it.each([
    ['nothing given', undefined, {}, true],
    ['null', null, { a: '1' }, true],
    ['empty', {}, { a: '1' }, true],
    ['an equal label', { matchLabels: { a: '1' } }, { a: '1', b: '2' }, true],
    ['another value', { matchLabels: { a: '1' } }, { a: '2' }, false],
    ['a missing label', { matchLabels: { a: '1' } }, {}, false],
    ['all of several labels', { matchLabels: { a: '1', b: '2' } }, { a: '1', b: '2' }, true],
    ['not all of several', { matchLabels: { a: '1', b: '2' } }, { a: '1' }, false],
    ['In, one of them', expression('In', ['web', 'api']), { tier: 'api' }, true],
    ['In, none of them', expression('In', ['web', 'api']), { tier: 'db' }, false],
    ['In, no such label', expression('In', ['web']), {}, false],
    ['NotIn, one of them', expression('NotIn', ['web']), { tier: 'web' }, false],
    ['NotIn, none of them', expression('NotIn', ['web']), { tier: 'db' }, true],
    ['NotIn, no such label', expression('NotIn', ['web']), {}, true],
    ['Exists, there', expression('Exists'), { tier: '' }, true],
    ['Exists, not there', expression('Exists'), {}, false],
    ['DoesNotExist, there', expression('DoesNotExist'), { tier: 'x' }, false],
    ['DoesNotExist, not there', expression('DoesNotExist'), {}, true],
    [
      'labels and expressions together',
      { matchLabels: { a: '1' }, ...(expression('Exists') as object) },
      { a: '1' },
      false,
    ],
    ['a label called constructor', { matchLabels: { constructor: 'x' } }, {}, false],
  ])('%s', (_title, selector, labels, expected) => {
    expect(matches(selector, labels as Record<string, string>)).toBe(expected);
  });
});

describe('a broken label selector is refused with its path', () => {
  it.each([
    ['text', 'selector is a string'],
    [[], 'selector is an array'],
    [{ labels: {} }, 'selector.labels is unknown; allowed are matchLabels and matchExpressions'],
    [{ matchLabels: { a: 1 } }, 'selector.matchLabels["a"] is a number; it must be a string'],
    [{ matchExpressions: {} }, 'selector.matchExpressions is an object'],
    [{ matchExpressions: ['x'] }, 'selector.matchExpressions[0] is a string'],
    [{ matchExpressions: [{ operator: 'In' }] }, 'selector.matchExpressions[0].key'],
    [expression('Equals', ['x']), 'operator is "Equals"; allowed are In, NotIn, Exists, DoesNotExist'],
    [expression('toString'), 'operator is "toString"'],
    [expression('In'), 'values must not be empty for the operator In'],
    [expression('NotIn', []), 'values must not be empty for the operator NotIn'],
    [expression('Exists', ['x']), 'values must be empty for the operator Exists'],
    [{ matchExpressions: [{ key: 'a', operator: 'In', values: [1] }] }, 'values must be an array of strings'],
  ])('%j', (selector, message) => {
    expect(() => readLabelSelector(selector, 'selector')).toThrow(Unreadable);
    expect(() => readLabelSelector(selector, 'selector')).toThrow(message);
  });
});
