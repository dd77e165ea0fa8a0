/** Compares index and matcher with the oracle, through random additions, changes and removals of caches. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ClusterIndex } from '../../src/index/cluster-index.ts';
import { readEntry } from '../../src/sources/kinds/index-entry.ts';
import { readManifest } from '../../src/sources/kinds/manifest.ts';
import { nodeObject, NOW } from '../support/objects.ts';
import { askIndex, toObject } from './asking.ts';
import { oracle, type OracleCache } from './oracle.ts';
import { event, options, pod } from './worlds.ts';

describe('index and matcher agree with the oracle on outcome, cache and order', () => {
  it('through random additions, changes and removals', () => {
    fc.assert(
      fc.property(
        fc.array(event, { minLength: 1, maxLength: 24, size: 'max' }),
        fc.array(pod, { minLength: 1, maxLength: 3 }),
        options,
        fc.integer({ min: 1, max: 12 }),
        (events, pods, chosen, every) => {
          const index = new ClusterIndex();
          index.confirm(NOW);
          readEntry(readManifest(nodeObject('worker', {}, chosen.sizes))).apply(index);
          const model = new Map<string, OracleCache>();
          for (const [i, each] of events.entries()) {
            if ('apply' in each) {
              readEntry(readManifest(toObject(each.apply))).apply(index);
              model.set(each.apply.name, each.apply);
            } else {
              expect(index.imageCaches.delete(each.remove)).toBe(model.delete(each.remove));
            }
            if (i % every !== 0 && i < events.length - 1) continue;
            const asked = pods[i % pods.length]!;
            expect(askIndex(index, asked, chosen)).toEqual(oracle(asked, [...model.values()], chosen));
          }
          expect(index.imageCaches.size).toBe(model.size);
        },
      ),
      { numRuns: 4000 },
    );
  });

  it('for pods of about a hundred images, of which pods with more than a hundred are left alone', () => {
    fc.assert(
      fc.property(
        fc.array(event, { minLength: 12, maxLength: 24, size: 'max' }),
        pod,
        options,
        fc.integer({ min: 95, max: 105 }),
        (events, asked, chosen, size) => {
          const index = new ClusterIndex();
          index.confirm(NOW);
          readEntry(readManifest(nodeObject('worker', {}, chosen.sizes))).apply(index);
          const caches = events.flatMap((each) => ('apply' in each ? [each.apply] : []));
          const model = new Map(caches.map((each) => [each.name, each]));
          for (const each of model.values()) readEntry(readManifest(toObject(each))).apply(index);
          const others = Array.from({ length: size }, (_, i) => `other:${i}`);
          const crowded = { ...asked, images: [...others, ...asked.images] };
          expect(askIndex(index, crowded, chosen)).toEqual(oracle(crowded, [...model.values()], chosen));
        },
      ),
      { numRuns: 500 },
    );
  });
});
