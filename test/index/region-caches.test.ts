/** How what ECI's API says of caches joins their ImageCache objects in the index. */
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { isReady, type ImageCache } from '../../src/core/image-cache.ts';
import { ImageCacheIndex } from '../../src/index/image-cache-index.ts';
import { nameInRegion, RegionCaches, type RegionEntry } from '../../src/index/region-caches.ts';
import { indexedCache } from '../support/objects.ts';

let index: ImageCacheIndex;
let region: RegionCaches;

beforeEach(() => {
  index = new ImageCacheIndex();
  region = new RegionCaches(index);
});

function entry(id: string, phase = 'Ready', change: Partial<ImageCache> = {}): RegionEntry {
  const cache = {
    ...indexedCache(0, { phase, apiPhase: phase, knownFrom: 'api', ...change }),
    id,
    name: nameInRegion(id),
  };
  return { cache, lastMatchedAtMs: undefined, isAutomatic: false };
}

const object = (name: string, id: string | undefined, phase = 'Ready'): ImageCache =>
  indexedCache(0, { name, id, phase });

/** `name knownFrom ready`, by ID. */
function known(id: string): string[] {
  return index.claimants(id).map((each) => `${each.name} ${each.knownFrom} ${isReady(each)}`);
}

describe('a cache', () => {
  it('that only the API knows is known by its ID, under a name that no object can have', () => {
    region.reset([entry('imc-1')]);
    expect(known('imc-1')).toEqual(['region/imc-1 api true']);
    region.reset([]);
    expect(known('imc-1')).toEqual([]);
    expect(index.size).toBe(0);
  });

  it('that an object and the API know is one, whichever comes first', () => {
    region.reset([entry('imc-1')]);
    region.applyObject(object('web', 'imc-1'));
    expect(known('imc-1')).toEqual(['web both true']);
    region.reset([]);
    expect(known('imc-1')).toEqual(['web object true']);
    region.reset([entry('imc-1')]);
    expect(known('imc-1')).toEqual(['web both true']);
  });

  it.each([
    ['Ready', 'Ready', true],
    ['Ready', 'Failed', false],
    ['Creating', 'Ready', false],
  ])('is Ready only if both say so: object %s, API %s', (ofObject, ofApi, ready) => {
    region.applyObject(object('web', 'imc-1', ofObject));
    region.reset([entry('imc-1', ofApi)]);
    expect(known('imc-1')).toEqual([`web both ${ready}`]);
  });

  it('counts by its object alone again once the list of the API is forgotten', () => {
    region.applyObject(object('web', 'imc-1'));
    region.reset([entry('imc-1', 'Failed')]);
    region.reset([]);
    expect(known('imc-1')).toEqual(['web object true']);
  });

  it('stays known from the API if its object goes, or gets another ID', () => {
    region.reset([entry('imc-1')]);
    region.applyObject(object('web', 'imc-1'));
    region.applyObject(object('web', 'imc-2'));
    expect(known('imc-1')).toEqual(['region/imc-1 api true']);
    region.applyObject(object('web', 'imc-1'));
    region.deleteObject('web');
    expect(known('imc-1')).toEqual(['region/imc-1 api true']);
  });
});

it('a cache whose object has gone may be gone too, until a list that began afterwards has it', () => {
  const mayVanish = (): boolean | undefined => index.byId('imc-1')?.mayVanish;
  region.reset([entry('imc-1')], region.begin());
  region.applyObject(object('web', 'imc-1'));
  const underWay = region.begin();
  region.deleteObject('web');
  expect(mayVanish()).toBe(true);
  region.reset([entry('imc-1')], underWay);
  expect(mayVanish()).toBe(true);
  region.reset([entry('imc-1')], region.begin());
  expect(mayVanish()).toBe(false);
});

it('the index is the same in whatever order objects and lists come', () => {
  const id = fc.constantFrom('imc-1', 'imc-2', 'imc-3');
  const phase = fc.constantFrom('Ready', 'Failed');
  const event = fc.oneof(
    fc.record({ name: fc.constantFrom('a', 'b'), id: fc.option(id, { nil: undefined }), phase }),
    fc.record({ remove: fc.constantFrom('a', 'b') }),
    fc.record({ list: fc.uniqueArray(fc.tuple(id, phase), { selector: ([each]) => each }) }),
  );
  fc.assert(
    fc.property(fc.array(event, { maxLength: 20 }), (events) => {
      const after = new ImageCacheIndex();
      const joined = new RegionCaches(after);
      const objects = new Map<string, ImageCache>();
      let list: RegionEntry[] = [];
      for (const each of events) {
        if ('list' in each) {
          list = each.list.map(([ofId, ofPhase]) => entry(ofId, ofPhase));
          joined.reset(list);
        } else if ('remove' in each) {
          objects.delete(each.remove);
          joined.deleteObject(each.remove);
        } else {
          objects.set(each.name, object(each.name, each.id, each.phase));
          joined.applyObject(objects.get(each.name)!);
        }
      }
      const anew = new ImageCacheIndex();
      const direct = new RegionCaches(anew);
      for (const each of objects.values()) direct.applyObject(each);
      direct.reset(list);
      // Lists that began after all of this.
      joined.reset(list, joined.begin());
      for (const each of ['imc-1', 'imc-2', 'imc-3'])
        expect(after.claimants(each)).toEqual(anew.claimants(each));
      expect(after.size).toBe(anew.size);
    }),
    { numRuns: 500 },
  );
});
