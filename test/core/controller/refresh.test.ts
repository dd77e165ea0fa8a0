/** How a cache of which a tag has moved is replaced, and when it goes. */
import { describe, expect, it } from 'vitest';
import type { OwnCache } from '../../../src/core/controller/own-cache.ts';
import type { Plan, PlanOptions } from '../../../src/core/controller/plan.ts';
import { ownCache } from '../../support/own-cache.ts';
import { HOUR, NOW, OPTIONS, planFor } from '../../support/planning.ts';

const NAME = `auto-${'0'.repeat(32)}`;

function cache(change: Partial<OwnCache> = {}): OwnCache {
  return ownCache(NAME, NOW - 24 * HOUR, { id: 'imc-1', lastUsedAtMs: NOW, ...change });
}

const next = (phase: string): OwnCache =>
  cache({ name: `${NAME}-2`, uid: 'u2', id: 'imc-2', attempt: 2, phase, createdAtMs: NOW - HOUR });

function planned(own: readonly OwnCache[], change: Partial<PlanOptions> = {}): Plan {
  const options = { ...OPTIONS, refresh: 'digest' as const, ...change };
  return planFor({ own, moved: [NAME], options });
}

describe('a cache of which a tag has moved', () => {
  it('is made anew, and stays meanwhile', () => {
    const { refreshes, marks, deletions } = planned([cache()]);
    expect(refreshes).toMatchObject([{ cache: { name: NAME }, attempt: 2, images: ['a:1'] }]);
    expect([marks, deletions]).toEqual([[], []]);
  });

  it.each(['', 'Preparing', 'Creating', 'Failed'])(
    'stays while the new one is %j, and no third is made',
    (phase) => {
      const { refreshes, marks, deletions } = planned([cache(), next(phase)]);
      expect([refreshes, marks, deletions]).toEqual([[], [], []]);
    },
  );

  it('is marked once the new one is Ready', () => {
    const { refreshes, marks, deletions } = planned([cache(), next('Ready')]);
    expect([refreshes, deletions]).toEqual([[], []]);
    expect(marks).toMatchObject([{ cache: { name: NAME }, reason: 'Superseded' }]);
  });

  it.each<[string, OwnCache, Partial<PlanOptions>]>([
    ['unless it is switched on', cache(), { refresh: 'never' }],
    ['unless it is older than six hours', cache({ createdAtMs: NOW - 6 * HOUR + 1 }), {}],
    ['unless there is a place', cache(), { quota: 1 }],
    ['unless its tenant may have one made in this hour', cache(), { tenantCreationsPerHour: 0 }],
    ['unless it is kept by its user', cache({ doNotEvict: true }), {}],
    ['unless it is Ready', cache({ phase: 'Creating' }), {}],
    ['unless it goes already', cache({ retiring: { reason: 'Idle', sinceMs: NOW } }), {}],
  ])('is made anew, %s', (_title, own, change) => {
    expect(planned([own], change).refreshes).toEqual([]);
  });
});
