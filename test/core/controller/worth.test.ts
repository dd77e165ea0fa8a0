/** When a cache goes because it costs more than it saves. */
import { describe, expect, it } from 'vitest';
import { setOf } from '../../../src/core/controller/image-sets.ts';
import { costsMore } from '../../../src/core/controller/worth.ts';
import { templateOfImages } from '../../../src/core/decision/pod-life.ts';
import { parseImageReference } from '../../../src/core/image/reference.ts';
import { DEFAULT_CONFIG } from '../../support/default-config.ts';
import { indexOf, NOW } from '../../support/objects.ts';
import { cache, DAY, HOUR, planFor, summary } from '../../support/planning.ts';

const MINUTE = 60;
/** Pods of 2 vCPUs and 4 GiB with images of unknown size: a cache pays for itself up to 5.8 minutes. */
const setWith = (...images: readonly string[]): ReturnType<typeof setOf> =>
  setOf(
    images.map((image) => parseImageReference(image)!.key),
    NOW,
  );
function isTooDear(
  lives: Readonly<Record<string, number>>,
  sets = [setWith('a:1')],
  namespaces = ['default'],
  ended = 3,
): boolean {
  const index = indexOf();
  const known = Object.entries(lives).map(([where, seconds]) => {
    const [namespace = '', images = ''] = where.split('/');
    const references = images.split('+').map((image) => parseImageReference(image)!);
    return [
      templateOfImages(namespace, references),
      { seconds, ended, cpu: 2, memoryGib: 4, learnedAtMs: 0 },
    ] as const;
  });
  index.lives.set(new Map(known));
  return costsMore({ sets }, namespaces, DEFAULT_CONFIG, index);
}

describe('a cache costs more than it saves', () => {
  it('if its pods live clearly longer than it pays for', () => {
    expect(isTooDear({ 'default/a': 9 * MINUTE })).toBe(true);
    expect(isTooDear({ 'default/a': 8 * MINUTE })).toBe(false);
  });

  it('if that is known of all its image sets, and of all its namespaces', () => {
    const two = [setWith('a:1'), setWith('b:1', 'c:1')];
    expect(isTooDear({ 'default/a': HOUR }, two)).toBe(false);
    expect(isTooDear({ 'default/a': HOUR, 'default/b+c': 60 }, two)).toBe(false);
    expect(isTooDear({ 'default/a': HOUR, 'default/b+c': HOUR }, two)).toBe(true);
    expect(isTooDear({ 'default/a': HOUR }, undefined, ['default', 'other'])).toBe(false);
    expect(isTooDear({ 'default/a': HOUR, 'other/a': HOUR }, undefined, ['default', 'other'])).toBe(true);
  });

  it('if enough pods have ended to know it', () => {
    expect(isTooDear({ 'default/a': HOUR }, undefined, undefined, 2)).toBe(false);
  });
});

describe('such a cache', () => {
  const own = [cache('a', DAY), cache('b', DAY)];

  it('is marked', () => {
    expect(summary(planFor({ own, tooDear: ['auto-a'] }))).toEqual(summary(planFor({ own, tooDear: ['a'] })));
    const { marks } = planFor({ own, tooDear: [own[0]!.name] });
    expect(marks.map(({ cache: { name }, reason }) => [name, reason])).toEqual([[own[0]!.name, 'CostsMore']]);
  });

  it('stays while a pod is about to start from it, or somebody asks for it', () => {
    const tooDear = [own[0]!.name];
    expect(planFor({ own, tooDear, needed: [own[0]!.id!] }).marks).toEqual([]);
    expect(planFor({ own: [{ ...own[0]!, doNotEvict: true }], tooDear }).marks).toEqual([]);
  });
});
