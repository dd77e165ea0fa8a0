import { beforeEach, describe, expect, it } from 'vitest';
import { ClusterIndex } from '../../../src/index/cluster-index.ts';
import { CONFIG_MAP } from '../../../src/sources/kinds/eci-profile.ts';
import { IMAGE_CACHE } from '../../../src/sources/kinds/image-cache.ts';
import { IndexStore } from '../../../src/sources/kubernetes/index-store.ts';
import { cacheObject, eciProfileObject, type Json } from '../../support/objects.ts';

let index: ClusterIndex;
let reported: string[];
let events: string[];
let changes: { applied: number; deleted: number };

beforeEach(() => {
  index = new ClusterIndex();
  reported = [];
  events = [];
  changes = { applied: 0, deleted: 0 };
});

function storeOf(groupKind: string, lastGoodStays: boolean): IndexStore {
  return new IndexStore(
    groupKind,
    index,
    {
      onChange: ({ applied, deleted }) => {
        changes.applied += applied;
        changes.deleted += deleted;
      },
      onProblem: (problem) => reported.push(problem),
      onProgress: () => undefined,
    },
    {
      lastGoodStays,
      onUnreadable: (_manifest, problem) => events.push(problem),
      setServed: () => undefined,
    },
  );
}

const profileNames = (): string[] => index.profile().inOrder.all.map(({ name }) => name);
const good = { name: 'good' };
const matchesNothing = { name: 'bad', objectSelector: { matchLabels: { 'a b': 'c' } } };

describe('the eci-profile, of which the last good state stays', () => {
  let store: IndexStore;
  beforeEach(() => (store = storeOf(CONFIG_MAP, true)));
  const put = (selectors: string | Json[]): void => store.apply('profile', eciProfileObject(selectors));

  it('stays as it was if nothing of an edit can be read, and is reported once', () => {
    put([good]);
    put('{');
    put('{');
    expect(profileNames()).toEqual(['good']);
    expect(reported).toEqual([
      expect.stringMatching(/data\.selectors is not JSON.*; its last good state stays in force$/),
    ]);
    expect(events).toEqual(reported);
    expect([...store.problems()]).toEqual(reported);
  });

  it('takes effect without the selector that is invalid, and reports that selector', () => {
    put([matchesNothing, good]);
    expect(profileNames()).toEqual(['good']);
    expect(reported).toEqual([
      expect.stringMatching(
        /^ConfigMap kube-system\/eci-profile: data\.selectors\[0\]\.objectSelector.*; the selector matches nothing$/,
      ),
    ]);
    expect(events).toEqual(reported);
    expect(changes).toEqual({ applied: 1, deleted: 0 });
  });

  it('takes effect without the part of an effect that Kubernetes would refuse', () => {
    put([{ name: 'good', effect: { labels: { fine: 'yes', 'not fine': 'no' } } }]);
    const [selector] = index.profile().inOrder.all;
    expect(selector?.labels).toEqual(new Map([['fine', 'yes']]));
    expect([...store.problems()]).toEqual([expect.stringContaining('sets "not fine"')]);
  });

  it('names five of many problems, and counts the others', () => {
    put(Array.from({ length: 12 }, () => matchesNothing));
    expect(reported).toHaveLength(1);
    expect(reported[0]).toMatch(/selectors\[4\].*; and 7 more problems$/);
    expect(reported[0]).not.toContain('selectors[5]');
  });

  it('has no problem any more once it is mended, or gone', () => {
    put([matchesNothing]);
    put([good]);
    expect([...store.problems()]).toEqual([]);
    put([matchesNothing]);
    store.delete('profile');
    expect([...store.problems()]).toEqual([]);
    expect(profileNames()).toEqual([]);
    expect(store.size()).toBe(0);
  });
});

describe('an ImageCache, which ECI writes', () => {
  const put = (store: IndexStore, object: Json): void => store.apply('x', object);

  it('is not used any more once it cannot be read, because it would fail a pod', () => {
    const store = storeOf(IMAGE_CACHE, false);
    put(store, cacheObject({ name: 'x' }));
    expect(index.cacheById('imc-x')?.name).toBe('x');
    put(store, cacheObject({ name: 'x', expires: 'tomorrow' }));
    expect(index.cacheById('imc-x')).toBeUndefined();
    expect(reported).toEqual([
      expect.stringMatching(/^ImageCache x: status\.expireDateTime .*; it is not used$/),
    ]);
    expect([...store.keys()]).toEqual(['x']);
    put(store, cacheObject({ name: 'x' }));
    expect(index.cacheById('imc-x')?.name).toBe('x');
    expect([...store.problems()]).toEqual([]);
  });

  it('that is deleted leaves the index, and is counted', () => {
    const store = storeOf(IMAGE_CACHE, false);
    put(store, cacheObject({ name: 'x' }));
    store.delete('x');
    expect(index.cacheById('imc-x')).toBeUndefined();
    expect(changes).toEqual({ applied: 1, deleted: 1 });
  });

  it('without a name is reported under its key', () => {
    put(storeOf(IMAGE_CACHE, false), { metadata: {} });
    expect(reported).toEqual([expect.stringMatching(/^x: metadata\.name is missing/)]);
    expect(events).toEqual([]);
  });
});
