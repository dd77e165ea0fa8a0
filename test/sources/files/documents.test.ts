import { describe, expect, it } from 'vitest';
import { readDocuments } from '../../../src/sources/files/documents.ts';

describe('a manifest means what it means to kubectl', () => {
  it.each([
    ['yes', true],
    ['off', false],
    ['true', true],
    ['"yes"', 'yes'],
    ['1', 1],
    ['012', 10],
    ['1.5', 1.5],
    ['~', null],
    ['2026-11-01', '2026-11-01'],
    ['2026-11-01T08:00:00Z', '2026-11-01T08:00:00Z'],
    ['12:30', '12:30'],
    ['12:30:45', '12:30:45'],
    ['nginx:1.7.9', 'nginx:1.7.9'],
  ])('%s', (text, value) => {
    const { documents, syntaxErrors } = readDocuments('x.yaml', `value: ${text}`);
    expect(syntaxErrors).toEqual([]);
    expect(documents.map((document) => document.value)).toEqual([{ value }]);
  });

  it('with merge keys', () => {
    const [document] = readDocuments('x.yaml', 'a: &a {b: 1}\nc:\n  <<: *a\n  d: 2').documents;
    expect(document?.value).toEqual({ a: { b: 1 }, c: { b: 1, d: 2 } });
  });
});
