/** When a new CA replaces the current CA, which depends on the time alone. */
import { X509Certificate } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  dated,
  dueStep,
  isDueForRenewal,
  readAuthorities,
  takeStep,
  trustBundle,
  writeAuthorities,
  type Authorities,
} from '../../src/tls/authority-rotation.ts';
import { createAuthority, issueServingCertificate, type KeyPair } from '../../src/tls/authority.ts';

const DAY = 86_400_000;
/** Certificates count in seconds. */
const START = Math.floor(Date.now() / 1000) * 1000;
const LIFETIME = 30 * DAY;
const create = (at: number): KeyPair => createAuthority(at, LIFETIME);
const first: Authorities = { current: dated(create(START)), previous: undefined };
const due = (authorities: Authorities, day: number): ReturnType<typeof dueStep> =>
  dueStep(authorities, START + day * DAY);

describe('a CA of our own', () => {
  it('is made if there is none', async () => {
    expect(dueStep(undefined, START)).toBe('create');
    const made = await takeStep('create', undefined, () => Promise.resolve(create(START)), START);
    expect(made.previous).toBeUndefined();
    expect(made.current).toMatchObject({ issuedAtMs: START, endsAtMs: START + LIFETIME });
  });

  it('is left alone for two thirds of its lifetime, and then gets a new CA beside it', async () => {
    expect([0, 10, 19.99, 20, 29, 31].map((day) => due(first, day))).toEqual([
      undefined,
      undefined,
      undefined,
      'rotate',
      'rotate',
      'rotate',
    ]);
    const at = START + 20 * DAY;
    const rotated = await takeStep('rotate', first, () => Promise.resolve(create(at)), at);
    expect(rotated.previous).toBe(first.current);
    expect(trustBundle(rotated)).toBe(rotated.current.cert + first.current.cert);
    expect([20, 25, 29.99, 30, 39.99, 40].map((day) => due(rotated, day))).toEqual([
      undefined,
      undefined,
      undefined,
      'forget',
      'forget',
      'rotate',
    ]);
    const forgotten = await takeStep('forget', rotated, () => Promise.reject(new Error()), START + 30 * DAY);
    expect(forgotten).toEqual({ current: rotated.current, previous: undefined });
    expect(due(forgotten, 30)).toBeUndefined();
  });

  it('that expired while no replica ran is no longer trusted', async () => {
    const at = START + 31 * DAY;
    const rotated = await takeStep('rotate', first, () => Promise.resolve(create(at)), at);
    expect(rotated.previous).toBeUndefined();
  });

  it('is read back as it was written, and a missing previous CA is deleted from the Secret', async () => {
    expect(readAuthorities(new Map())).toBeUndefined();
    expect(readAuthorities(new Map([['unrelated', 'x']]))).toBeUndefined();
    expect(readAuthorities(writeAuthorities(first))).toEqual(first);
    const rotated = await takeStep('rotate', first, () => Promise.resolve(create(START)), START);
    expect(readAuthorities(writeAuthorities(rotated))).toEqual(rotated);
    expect(writeAuthorities(first).get('previous-ca.crt')).toBe('');
  });

  const other = create(START);
  const serving = issueServingCertificate(other, ['localhost'], START);
  it.each([
    ['text', { 'ca.crt': 'text', 'ca.key': other.key }, 'ca.crt is no PEM certificate'],
    ['no key', { 'ca.crt': other.cert }, 'ca.key is no PEM private key'],
    ['no certificate', { 'ca.key': other.key }, 'ca.crt is no PEM certificate'],
    [
      'the key of another CA',
      { 'ca.crt': other.cert, 'ca.key': first.current.key },
      'ca.key is not the private key of the certificate in ca.crt',
    ],
    [
      'a certificate that is not of a CA',
      { 'ca.crt': serving.cert, 'ca.key': serving.key },
      'ca.crt is not the certificate of a CA',
    ],
    [
      'a previous CA without its key',
      { 'ca.crt': other.cert, 'ca.key': other.key, 'previous-ca.crt': other.cert },
      'previous-ca.key is no PEM private key',
    ],
  ])(
    'with %s in its Secret is refused, and the entry is named',
    (_what, data: Record<string, string>, fault) => {
      expect(() => readAuthorities(new Map(Object.entries(data)))).toThrow(fault);
    },
  );
});

describe('a serving certificate', () => {
  it('is due for renewal after two thirds of its lifetime', () => {
    const pair = dated(issueServingCertificate(first.current, ['localhost'], START, 3 * DAY));
    expect([1.99, 2].map((day) => isDueForRenewal(pair, START + day * DAY))).toEqual([false, true]);
  });

  it('never outlives its CA', () => {
    const { cert } = issueServingCertificate(first.current, ['localhost'], START, 2 * LIFETIME);
    expect(new X509Certificate(cert).validTo).toBe(new X509Certificate(first.current.cert).validTo);
  });
});
