/** What pods lack is remembered, and never longer than it holds: a model that remembers nothing says the same. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Lacks, type Lack } from '../../../src/core/controller/lacks.ts';
import { readWatchedPod } from '../../../src/core/controller/watched-pod.ts';
import { templateOf, type PodLives } from '../../../src/core/decision/pod-life.ts';
import type { TrackedView } from '../../../src/core/decision/view.ts';
import { cacheObject, configWith, indexOf, NOW, podObject } from '../../support/objects.ts';
import { RULES } from '../../support/misses.ts';
import { readManifest } from '../../../src/sources/kinds/manifest.ts';
import { readImageCache } from '../../../src/sources/kinds/image-cache.ts';

const IMAGES = ['a:1', 'b:1', 'proxy:1', 'a:2'];
const contentOf = (images: readonly string[]): NonNullable<ReturnType<typeof readWatchedPod>['content']> =>
  readWatchedPod(podObject({ images })).content!;
const CONTENTS = [['a:1', 'proxy:1'], ['b:1', 'proxy:1'], ['a:1'], ['a:2', 'b:1', 'proxy:1']].map(contentOf);

const livesOf = (seconds: number): PodLives =>
  new Map(
    CONTENTS.slice(0, 2).map(({ pod }) => [
      templateOf(pod),
      { seconds, ended: 3, cpu: 2, memoryGib: 4, learnedAtMs: 0 },
    ]),
  );

/** What a pod found is told as of the time when it was decided. */
const withoutFound = ({ marker, desired }: Lack): Partial<Lack> => ({ marker, desired });

const change = fc.record({
  name: fc.constantFrom('x', 'y', 'z'),
  images: fc.subarray(IMAGES, { minLength: 1 }),
  phase: fc.constantFrom('Ready', 'Creating', 'Failed'),
  isDeleted: fc.boolean(),
  /** Seconds that pods are known to live; undefined: nothing becomes known. */
  life: fc.constantFrom(undefined, undefined, 60, 36_000),
  /** Minutes that pass before. */
  after: fc.nat(20),
});

it('what is remembered is what would be found now, whatever changes and whatever time passes', () => {
  fc.assert(
    fc.property(
      fc.array(change, { maxLength: 12 }),
      fc.constantFrom('incomplete', 'no-match'),
      fc.constantFrom('controller', 'auto'),
      (changes, when, by) => {
        const options = {
          ...RULES,
          decision: configWith({ createOnMiss: { by, when } }),
        };
        const index = indexOf();
        const remembering = new Lacks();
        let now = NOW;
        for (const { name, images, phase, isDeleted, after, life } of changes) {
          now += after * 60_000;
          index.confirm(now);
          if (life !== undefined) index.lives.set(livesOf(life));
          const created = new Date(now).toISOString();
          if (isDeleted) index.imageCaches.delete(name);
          else
            index.imageCaches.apply(
              readImageCache(readManifest(cacheObject({ name, images, phase, created }))),
            );
          for (const content of CONTENTS)
            expect(withoutFound(remembering.of(content, index, options, now))).toEqual(
              withoutFound(new Lacks().of(content, index, options, now)),
            );
        }
      },
    ),
    { numRuns: 300 },
  );
});

it('a pod is decided once, however often it is looked at, until a cache with all its images changes', () => {
  const index = indexOf();
  let lookUps = 0;
  const counting = new Proxy<TrackedView>(index, {
    get: (target, name) => {
      if (name === 'candidates') lookUps += 1;
      const value: unknown = Reflect.get(target, name);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
  const options = { ...RULES, decision: configWith({ createOnMiss: { by: 'controller' } }) };
  const lacks = new Lacks();
  const look = (): number => {
    lookUps = 0;
    lacks.of(CONTENTS[0]!, counting, options, NOW);
    return lookUps;
  };
  const put = (images: readonly string[]): boolean =>
    index.imageCaches.apply(
      readImageCache(readManifest(cacheObject({ name: images.join('-').replaceAll(':', ''), images }))),
    );
  expect(look()).toBeGreaterThan(0);
  expect(look()).toBe(0);
  put(['b:1', 'proxy:1']);
  expect(look()).toBe(0);
  put(['a:1', 'proxy:1']);
  expect(look()).toBeGreaterThan(0);
});
