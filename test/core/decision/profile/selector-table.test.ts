import fc from 'fast-check';
import { expect, it } from 'vitest';
import { matchesLabels, readLabelSelector } from '../../../../src/core/kubernetes/label-selector.ts';
import { SelectorTable } from '../../../../src/core/decision/profile/selector-table.ts';

const key = fc.constantFrom('a', 'b', 'c');
const value = fc.constantFrom('1', '2', '3');
const labels = fc.dictionary(key, value, { maxKeys: 3 }).map((each) => new Map(Object.entries(each)));
const selector = fc
  .record({
    matchLabels: fc.dictionary(key, value, { maxKeys: 2 }),
    matchExpressions: fc.array(
      fc.oneof(
        fc.record({
          key,
          operator: fc.constantFrom('In', 'NotIn'),
          values: fc.uniqueArray(value, { minLength: 1 }),
        }),
        fc.record({ key, operator: fc.constantFrom('Exists', 'DoesNotExist') }),
      ),
      { maxLength: 2 },
    ),
  })
  .map((each) => readLabelSelector(each, 'selector'));

it('a table finds, in order, the selectors that match, and no others', () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ objectSelector: selector, namespaceSelector: selector }), { maxLength: 12 }),
      labels,
      labels,
      (selectors, ofPod, ofNamespace) => {
        expect(new SelectorTable(selectors).matching(ofPod, ofNamespace)).toEqual(
          selectors.filter(
            (each) =>
              matchesLabels(each.objectSelector, ofPod) && matchesLabels(each.namespaceSelector, ofNamespace),
          ),
        );
      },
    ),
    { numRuns: 3000 },
  );
});
