import { describe, expect, it } from 'vitest';
import { formatBytes, GIB, parseBytes, parseMillis } from '../../../src/core/kubernetes/quantity.ts';

describe('a Kubernetes quantity is read as whole bytes', () => {
  it.each([
    ['0', 0],
    ['1', 1],
    ['50Gi', 50 * GIB],
    ['1.5Gi', 1.5 * GIB],
    ['.5Gi', GIB / 2],
    ['5.Gi', 5 * GIB],
    ['+5Gi', 5 * GIB],
    ['1Ki', 1024],
    ['1Mi', 2 ** 20],
    ['1Ti', 2 ** 40],
    ['1Pi', 2 ** 50],
    ['1k', 1000],
    ['1M', 1e6],
    ['1G', 1e9],
    ['1T', 1e12],
    ['1P', 1e15],
    ['1E', 1e18],
    ['1e3', 1000],
    ['1E3', 1000],
    ['1.5e3', 1500],
    ['2e-1', 1],
    ['1500m', 2],
    ['1u', 1],
    ['1n', 1],
    ['0.1Gi', Math.ceil(GIB / 10)],
    ['100Ei', 2 ** 63],
    ['1e99', 2 ** 63],
    ['1e999999999', 2 ** 63],
    ['1e-999999999', 1],
    ['-0', 0],
    ['0e99', 0],
  ])('%s', (text, bytes) => {
    expect(parseBytes(text)).toBe(bytes);
  });

  it.each([
    '',
    ' ',
    'Gi',
    '50 Gi',
    '50gi',
    '50GB',
    '1e',
    '1e3Gi',
    '1Gi5',
    '-1',
    '-1Gi',
    '--1',
    '0x10',
    '1_000',
    'NaN',
    'Infinity',
    '١',
    '9'.repeat(65),
  ])('refuses %j', (text) => {
    expect(parseBytes(text)).toBeUndefined();
  });
});

it.each([
  [0, '0'],
  [1023, '1023'],
  [1024, '1Ki'],
  [20 * GIB, '20Gi'],
  [1.5 * GIB, '1.5Gi'],
  [512 * 2 ** 20, '512Mi'],
])('%d bytes are written %s', (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text);
});

describe('a quantity of CPUs in thousandths', () => {
  it.each([
    ['2', 2000],
    ['500m', 500],
    ['0.1', 100],
    ['1.5', 1500],
    ['1e1', 10_000],
    ['1n', 1],
    ['1Ki', 1_024_000],
    ['0', 0],
    ['-1', undefined],
    ['half', undefined],
  ])('%s', (text, millis) => {
    expect(parseMillis(text)).toBe(millis);
  });
});
