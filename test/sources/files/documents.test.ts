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

it('knows the line of an annotation by its key, which has dots in it, with and without quotes', () => {
  const text = 'metadata:\n  annotations:\n    a.b/c: "1"\n    k8s.io/x-y: "2"\nspec:\n  list: [1,\n    2]\n';
  for (const file of ['x.yaml', 'x.json']) {
    const json = JSON.stringify({ metadata: { annotations: { 'a.b/c': '1', 'k8s.io/x-y': '2' } } }, null, 1);
    const [document] = readDocuments(file, file === 'x.json' ? json : text).documents;
    expect(document?.lineOf('metadata.annotations[k8s.io/x-y]')).toBe(file === 'x.json' ? 5 : 4);
    expect(document?.lineOf('metadata.annotations["a.b/c"]')).toBe(file === 'x.json' ? 4 : 3);
    expect(document?.lineOf('metadata.annotations[absent]')).toBe(file === 'x.json' ? 3 : 3);
  }
  expect(readDocuments('x.yaml', text).documents[0]?.lineOf('spec.list[1]')).toBe(7);
});
