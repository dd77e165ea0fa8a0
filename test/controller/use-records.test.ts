/** When the use of a cache is recorded, and with which values. */
import { beforeEach, describe, expect, it } from 'vitest';
import { UseRecords } from '../../src/controller/use-records.ts';
import type { OwnCache } from '../../src/core/controller/own-cache.ts';
import type { Usage, UsageById } from '../../src/core/controller/uses.ts';
import { setOf } from '../../src/core/controller/image-sets.ts';
import { cache, HOUR, MINUTE, NOW } from '../support/planning.ts';

const SECOND = 1000;
let records: UseRecords;
let own: OwnCache[];
beforeEach(() => {
  records = new UseRecords();
  own = ['a', 'b', 'c'].map((image) => cache(image, HOUR));
});

const use = (id: string, pods: number, ago: number): void =>
  records.note(new Map([[id, usedBy(pods, ago)]]), own);
const usedBy = (pods: number, ago: number, namespaces: readonly string[] = []): Usage => ({
  pods,
  lastAtMs: NOW - ago,
  namespaces: new Set(namespaces),
  sets: new Map(),
});
const usage = (...uses: readonly [string, number, string][]): UsageById =>
  new Map(uses.map(([id, ago, namespace]) => [id, usedBy(1, ago, [namespace])]));
const due = (present = usage(), now = NOW): Record<string, unknown> =>
  Object.fromEntries(
    records.due(own, present, now, () => false).records.map((each) => [each.cache.id, each.annotations]),
  );

describe('a use', () => {
  it('is recorded with its time, the number of pods and their namespaces', () => {
    use('imc-a', 3, SECOND);
    expect(due(usage(['imc-a', SECOND, 'team']))).toEqual({
      'imc-a': {
        'imagecache-webhook.io/last-used': '2026-11-21T11:59:59Z',
        'imagecache-webhook.io/hits': '3',
        'imagecache-webhook.io/image-sets': expect.any(String) as string,
        'imagecache-webhook.io/users': 'team',
      },
    });
  });

  it('is one of each image set that has all images of the pod, and of no other', () => {
    const sets = [
      ['a', 'b', 'proxy'],
      ['b', 'proxy'],
      ['c', 'proxy'],
    ].map((keys) => setOf(keys, NOW - HOUR));
    own[0] = { ...own[0]!, sets };
    const used = {
      ...usedBy(1, SECOND),
      sets: new Map([
        ['b\nproxy', NOW - SECOND],
        ['z', NOW],
      ]),
    };
    records.note(new Map([['imc-a', used]]), own);
    const since = records.withUse(own[0], new Map()).sets.map(({ lastUsedAtMs }) => NOW - lastUsedAtMs);
    expect(since).toEqual([SECOND, SECOND, HOUR]);
  });

  it('is added to the hits that are recorded already', () => {
    own[0] = { ...own[0]!, hits: 40 };
    use('imc-a', 2, SECOND);
    expect(due()).toMatchObject({ 'imc-a': { 'imagecache-webhook.io/hits': '42' } });
  });

  it('is recorded once in a minute for each cache, and none is lost in between', () => {
    use('imc-a', 1, SECOND);
    const [first] = records.due(own, usage(), NOW, () => false).records;
    records.recorded(first!, NOW);
    own[0] = { ...own[0]!, hits: 1, lastUsedAtMs: NOW - SECOND };
    use('imc-a', 1, 0);
    use('imc-a', 1, 0);
    expect(records.due(own, usage(), NOW + MINUTE - 1, () => false)).toEqual({
      records: [],
      nextAtMs: NOW + MINUTE,
    });
    expect(due(usage(), NOW + MINUTE)).toMatchObject({ 'imc-a': { 'imagecache-webhook.io/hits': '3' } });
  });

  it('counts for the plan at once, recorded or not', () => {
    use('imc-a', 1, SECOND);
    expect(records.withUse(own[0]!, usage()).lastUsedAtMs).toBe(NOW - SECOND);
    expect(records.withUse(own[1]!, usage(['imc-b', 2 * SECOND, 'team'])).lastUsedAtMs).toBe(
      NOW - 2 * SECOND,
    );
    expect(records.withUse(own[2]!, usage()).lastUsedAtMs).toBe(NOW - HOUR);
  });

  it('of a pod that is still there is recorded by a leader that did not see it come', () => {
    expect(due(usage(['imc-a', SECOND, 'team']))).toMatchObject({
      'imc-a': { 'imagecache-webhook.io/last-used': '2026-11-21T11:59:59Z' },
    });
  });

  it('of a cache that cannot be written does not keep the others from being recorded', () => {
    for (const id of ['imc-a', 'imc-b']) use(id, 1, SECOND);
    const [, second] = records.due(own, usage(), NOW, () => false).records;
    records.recorded(second!, NOW);
    expect(Object.keys(due())).toEqual(['imc-a']);
  });

  it('of a cache that is gone, or of somebody else, is forgotten', () => {
    use('imc-a', 1, SECOND);
    use('imc-of-others', 1, SECOND);
    own = own.slice(1);
    records.note(new Map(), own);
    own = [cache('a', HOUR), ...own];
    expect(due()).toEqual({});
  });
});

it('at most twenty caches are recorded at once, and the others at once after them', () => {
  own = Array.from({ length: 45 }, (_, i) => cache(`x${i}`, HOUR));
  records.note(new Map(own.map(({ id }) => [id!, usedBy(1, 0)])), own);
  const counts = [0, 1, 2, 3].map(() => {
    const round = records.due(own, usage(), NOW, () => false);
    for (const each of round.records) records.recorded(each, NOW);
    return [round.records.length, round.nextAtMs === NOW + 1000];
  });
  expect(counts).toEqual([
    [20, true],
    [20, true],
    [5, false],
    [0, false],
  ]);
});

it('records that were refused a moment ago do not keep others from being recorded', () => {
  own = Array.from({ length: 50 }, (_, i) => cache(`x${i}`, HOUR));
  records.note(new Map(own.map(({ id }) => [id!, usedBy(1, 0)])), own);
  const refused = new Set(own.slice(0, 20));
  const round = records.due(own, usage(), NOW, (each) => refused.has(each));
  expect(round.records.map(({ cache: { id } }) => id)).toEqual(own.slice(20, 40).map(({ id }) => id));
  expect(round.nextAtMs).toBeGreaterThan(NOW);
});
