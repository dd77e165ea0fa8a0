import { describe, expect, it } from 'vitest';
import {
  annotationsFit,
  MAX_ANNOTATION_BYTES,
  problemOfAnnotationKey,
  problemOfLabelKey,
  problemOfLabelValue,
  utf8Length,
} from '../../../src/core/kubernetes/metadata-syntax.ts';

describe('a label key', () => {
  it.each([
    'a',
    'A',
    '1',
    'a.b_c-D',
    'x'.repeat(63),
    'example.com/a',
    'a-b.c1/D',
    '1/2',
    `${'a'.repeat(253)}/b`,
  ])('is accepted: %s', (key) => {
    expect(problemOfLabelKey(key)).toBeUndefined();
  });

  it.each([
    '',
    '-a',
    'a-',
    '.a',
    'a_',
    'a b',
    'ä',
    'x'.repeat(64),
    'a\n',
    '/a',
    'a/',
    'a/b/c',
    'A.com/a',
    'a_b/c',
    '-a/b',
    'a..b/c',
    'a./b',
    `${'a'.repeat(254)}/b`,
  ])('is refused: %j', (key) => {
    expect(problemOfLabelKey(key)).toMatch(/^has a /);
  });

  it('of an annotation may have capitals in its prefix, and no other freedom', () => {
    expect(problemOfAnnotationKey('Example.COM/a')).toBeUndefined();
    expect(problemOfAnnotationKey('a b')).toMatch(/^has a name/);
  });
});

describe('a label value', () => {
  it.each(['', 'a', '1', 'A.b_c-d', 'x'.repeat(63)])('is accepted: %j', (value) => {
    expect(problemOfLabelValue(value)).toBeUndefined();
  });

  it.each(['-a', 'a-', 'a b', 'a/b', 'ä', 'x'.repeat(64), 'a\n'])('is refused: %j', (value) => {
    expect(problemOfLabelValue(value)).toMatch(/^is not/);
  });
});

describe('annotations', () => {
  it.each([
    ['a', 1],
    ['é', 2],
    ['中', 3],
    ['😀', 4],
    ['', 0],
  ])('take the bytes of UTF-8: %s takes %i', (text, bytes) => {
    expect(utf8Length(text)).toBe(bytes);
    expect(Buffer.byteLength(text)).toBe(bytes);
  });

  it.each(['a', 'é', '中', '😀'])('of %s fit up to the last byte', (character) => {
    const width = Buffer.byteLength(character);
    const room = MAX_ANNOTATION_BYTES - 'key'.length;
    const value = character.repeat(Math.floor(room / width));
    const left = room - Buffer.byteLength(value);
    expect(annotationsFit(new Map([['key', value]]), left)).toBe(true);
    expect(annotationsFit(new Map([['key', value]]), left + 1)).toBe(false);
  });
});
