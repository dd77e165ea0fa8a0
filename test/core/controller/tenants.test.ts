/** Tenants and their shares. */
import { describe, expect, it } from 'vitest';
import { Holdings, tenantOfNamespace } from '../../../src/core/controller/tenants.ts';
import { indexOf, namespaceObject } from '../../support/objects.ts';

describe('the tenant of a namespace', () => {
  const index = indexOf(
    namespaceObject('a', { team: 'red' }),
    namespaceObject('b', { team: 'red' }),
    namespaceObject('c', {}),
  );
  it('is the namespace itself without a label', () => {
    expect(['a', 'b', 'nowhere'].map((each) => tenantOfNamespace(each, '', index))).toEqual([
      'a',
      'b',
      'nowhere',
    ]);
  });
  it('is the same for namespaces with the same value of the label', () => {
    expect(['a', 'b', 'c'].map((each) => tenantOfNamespace(each, 'team', index))).toEqual([
      'team=red',
      'team=red',
      'c',
    ]);
  });
});

describe('the share of a tenant', () => {
  it('is an equal part of the quota for each tenant that holds or misses a cache', () => {
    expect(new Holdings(9, [['a'], ['a', 'b']], ['c']).share).toBe(3);
    expect(new Holdings(9, [], []).share).toBe(9);
  });
  it('is at least one place', () => expect(new Holdings(1, [['a'], ['b'], ['c']], []).share).toBe(1));
});

it('tenants are charged in equal parts, and thirds add up to whole places', () => {
  const holdings = new Holdings(
    9,
    Array.from({ length: 9 }, () => ['a', 'b', 'c']),
    [],
  );
  expect(holdings.overShare()).toEqual([]);
  expect(holdings.isBelowShare('a')).toBe(false);
  holdings.charge(['a', 'b'], -1);
  expect([holdings.of('a'), holdings.of('b'), holdings.of('c')].map((each) => each.toFixed(3))).toEqual([
    '2.500',
    '2.500',
    '3.000',
  ]);
  expect(holdings.isBelowShare('a')).toBe(true);
});
