import { describe, expect, it } from 'vitest';
import { describeMalformed, readRequest } from '../../../src/core/decision/request.ts';
import { GIB } from '../../../src/core/kubernetes/quantity.ts';

const P = 'k8s.aliyun.com/';

type Reading = Omit<ReturnType<typeof readRequest>, 'malformed'> & { readonly malformed: readonly string[] };

function read(annotations: Record<string, string>, boundForEci = true): Reading {
  const reading = readRequest(
    new Map(Object.entries(annotations).map(([key, value]) => [P + key, value])),
    boundForEci,
    0,
  );
  return { ...reading, malformed: reading.malformed.map(describeMalformed) };
}

describe('precedence of the annotations', () => {
  it.each([
    ['nothing, an ECI pod', {}, true, { pin: undefined, auto: true }],
    ['nothing, not known for ECI', {}, false, { pin: undefined, auto: false }],
    ['eci-imc-id', { 'eci-imc-id': 'imc-1' }, true, { pin: 'imc-1' }],
    ['eci-image-snapshot-id', { 'eci-image-snapshot-id': 'imc-2' }, true, { pin: 'imc-2' }],
    [
      'eci-imc-id before eci-image-snapshot-id',
      { 'eci-imc-id': 'imc-1', 'eci-image-snapshot-id': 'imc-2' },
      true,
      { pin: 'imc-1' },
    ],
    [
      'a pin beside eci-auto-imc "false"',
      { 'eci-imc-id': 'imc-1', 'eci-auto-imc': 'false' },
      true,
      { pin: 'imc-1', auto: false },
    ],
    [
      'a legacy pin beside eci-auto-imc',
      { 'eci-image-snapshot-id': 'imc-2', 'eci-auto-imc': 'true' },
      true,
      { pin: 'imc-2' },
    ],
    ['eci-auto-imc on', { 'eci-auto-imc': 'true' }, false, { auto: true }],
    ['eci-auto-imc off', { 'eci-auto-imc': 'false' }, true, { auto: false }],
    ['eci-image-cache on', { 'eci-image-cache': 'true' }, false, { auto: true }],
    ['eci-image-cache off', { 'eci-image-cache': 'false' }, true, { auto: false }],
    [
      'eci-auto-imc before eci-image-cache',
      { 'eci-auto-imc': 'false', 'eci-image-cache': 'true' },
      true,
      { auto: false },
    ],
    [
      'eci-auto-imc before eci-image-cache, the other way',
      { 'eci-auto-imc': 'true', 'eci-image-cache': 'false' },
      true,
      { auto: true },
    ],
    [
      'a malformed eci-auto-imc leaves it to eci-image-cache',
      { 'eci-auto-imc': 'yes', 'eci-image-cache': 'false' },
      true,
      { auto: false },
    ],
    ['a malformed eci-auto-imc leaves it to the default', { 'eci-auto-imc': 'yes' }, true, { auto: true }],
    [
      'an empty eci-imc-id leaves it to eci-image-snapshot-id',
      { 'eci-imc-id': '', 'eci-image-snapshot-id': 'imc-2' },
      true,
      { pin: 'imc-2' },
    ],
    ['perfect match', { 'imc-perfect-match': 'true' }, true, { requirement: { kind: 'perfect' } }],
    [
      'perfect match before a count',
      { 'imc-perfect-match': 'true', 'imc-match-count-request': '2' },
      true,
      { requirement: { kind: 'perfect' } },
    ],
    [
      'a count beside perfect match "false"',
      { 'imc-perfect-match': 'false', 'imc-match-count-request': '2' },
      true,
      { requirement: { kind: 'count', count: 2 } },
    ],
    ['a count', { 'imc-match-count-request': '3' }, true, { requirement: { kind: 'count', count: 3 } }],
    [
      'neither perfect match nor a count',
      {},
      true,
      { requirement: { kind: 'minimum' }, storageBytes: 30 * GIB },
    ],
    ['extra storage', { 'eci-extra-ephemeral-storage': '50Gi' }, true, { storageBytes: 80 * GIB }],
  ])('%s', (_title, annotations, boundForEci, expected) => {
    expect(read(annotations, boundForEci).request).toMatchObject(expected);
  });
});

describe("booleans are those of Go's ParseBool", () => {
  it.each(['1', 't', 'T', 'TRUE', 'true', 'True'])('%s is true', (value) => {
    expect(read({ 'eci-auto-imc': value }, false)).toMatchObject({ request: { auto: true }, malformed: [] });
  });

  it.each(['0', 'f', 'F', 'FALSE', 'false', 'False'])('%s is false', (value) => {
    expect(read({ 'eci-auto-imc': value })).toMatchObject({ request: { auto: false }, malformed: [] });
  });

  it.each(['', 'yes', 'on', 'tRUE', ' true', 'true ', '2', 'null'])('%j is neither', (value) => {
    const { malformed } = read({ 'eci-auto-imc': value });
    expect(malformed).toEqual([expect.stringContaining('k8s.aliyun.com/eci-auto-imc')]);
    expect(malformed[0]).toContain('it must be "true" or "false"');
  });
});

describe('a malformed value is ignored with a warning', () => {
  it.each([
    ['imc-match-count-request', '0'],
    ['imc-match-count-request', '-1'],
    ['imc-match-count-request', '1.5'],
    ['imc-match-count-request', 'two'],
    ['imc-match-count-request', ''],
    ['imc-match-count-request', '1e3'],
    ['imc-match-count-request', '9'.repeat(30)],
    ['imc-perfect-match', 'perfect'],
    ['eci-imc-id', ''],
    ['eci-imc-id', 'imc 1'],
    ['eci-imc-id', 'x'.repeat(300)],
    ['eci-image-snapshot-id', '\u0000'],
    ['eci-image-cache', 'maybe'],
    ['eci-extra-ephemeral-storage', 'lots'],
    ['eci-extra-ephemeral-storage', '-5Gi'],
  ])('%s: %j', (key, value) => {
    const { request, malformed } = read({ [key]: value });
    expect(malformed).toHaveLength(1);
    expect(malformed[0]).toContain(P + key);
    expect(request).toEqual(read({}).request);
  });

  it('a malformed value is reported also beside a value that wins', () => {
    expect(read({ 'eci-imc-id': 'imc-1', 'eci-auto-imc': 'perhaps' })).toMatchObject({
      request: { pin: 'imc-1' },
      malformed: [expect.stringContaining('"perhaps"')],
    });
  });
});

describe('names that contradict each other', () => {
  it.each([
    [{ 'eci-imc-id': 'imc-1', 'eci-image-snapshot-id': 'imc-2' }, 1],
    [{ 'eci-imc-id': 'imc-1', 'eci-image-snapshot-id': 'imc-1' }, 0],
    [{ 'eci-auto-imc': 'true', 'eci-image-cache': 'false' }, 1],
    [{ 'eci-auto-imc': 'true', 'eci-image-cache': '1' }, 0],
    [{ 'eci-auto-imc': 'true', 'eci-image-cache': 'nonsense' }, 0],
  ])('%j: %d warnings', (annotations, count) => {
    expect(read(annotations).conflicts).toHaveLength(count);
  });
});
