/** The ConfigMap in which the controller publishes how long pods live. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  describeLives,
  LIVES_KEY,
  MOST_TEMPLATES,
  readLives,
  type PodLife,
} from '../../../src/core/decision/pod-life.ts';
import { indexOf } from '../../support/objects.ts';

const LIFE: PodLife = { seconds: 95, ended: 3, cpu: 2, memoryGib: 4, learnedAtMs: Date.parse('2026-12-01') };

describe('what is published', () => {
  it('is JSON with a template a line', () => {
    const lives = new Map([
      ['b/2', LIFE],
      ['a/1', { ...LIFE, seconds: 0.5 }],
    ]);
    expect(describeLives(lives)).toBe(
      '{"a/1":{"seconds":0.5,"ended":3,"cpu":2,"memoryGib":4,"learned":"2026-12-01"},\n"b/2":{"seconds":95,"ended":3,"cpu":2,"memoryGib":4,"learned":"2026-12-01"}}',
    );
    expect(describeLives(new Map())).toBe('{}');
  });

  it('is read as it was written', () => {
    const amount = fc.double({ min: 0, max: 1e9, noNaN: true }).map((value) => value + 0);
    const learnedAtMs = fc.nat(30_000).map((day) => day * 86_400_000);
    const life = fc.record({ seconds: amount, ended: amount, cpu: amount, memoryGib: amount, learnedAtMs });
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.string(), life), { maxLength: 20 }), (entries) => {
        const lives = new Map(entries);
        lives.delete('__proto__');
        expect(readLives(describeLives(lives))).toEqual(lives);
      }),
    );
  });

  it('fits into a ConfigMap', () => {
    const template = (i: number): string => `${'n'.repeat(63)}/${`${i}`.padStart(32, '0')}`;
    const lives = Array.from({ length: MOST_TEMPLATES }, (_, i) => [template(i), LIFE] as const);
    expect(describeLives(new Map(lives)).length).toBeLessThan(2 ** 20 / 2);
  });
});

describe('what somebody else wrote into it', () => {
  it.each(['{', '', '[]', '7'])('is refused if it is no JSON object: %s', (text) => {
    expect(() => readLives(text)).toThrow(/^data\.pod-lives\.json/);
  });

  it.each([
    ['no object', 7],
    ['without a size', { seconds: 1, ended: 3 }],
    ['negative', { ...LIFE, seconds: -1 }],
    ['no number', { ...LIFE, ended: '3' }],
  ])('is left out if it is %s', (_title, life) => {
    const written = { ...LIFE, learned: '2026-12-01' };
    const text = JSON.stringify({ 'a/1': life, 'b/2': written });
    expect(readLives(text)).toEqual(new Map([['b/2', LIFE]]));
  });

  it('counts up to the number of templates that are published', () => {
    const many = Object.fromEntries(Array.from({ length: MOST_TEMPLATES + 5 }, (_, i) => [`a/${i}`, LIFE]));
    expect(readLives(JSON.stringify(many)).size).toBe(MOST_TEMPLATES);
  });
});

it('is read from a folder of manifests too', () => {
  const data = { [LIVES_KEY]: describeLives(new Map([['a/1', LIFE]])) };
  const configMap = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'lives', namespace: 'x' },
    data,
  };
  expect(indexOf(configMap).podLife('a/1')).toEqual(LIFE);
});
