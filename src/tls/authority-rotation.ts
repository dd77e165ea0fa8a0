/**
 * The life of the webhook's own CA, as data: what the Secret holds, when a new CA replaces the old one, and what
 * clients must trust meanwhile. managed-certificate.ts reads and writes the Secret.
 *
 * Every replica follows these rules by its own clock, without a leader. That is safe, because each step is written only
 * if the Secret is still in the state that the step was derived from, and because no step undoes another
 * (docs/decisions/own-ca.md).
 */
import { X509Certificate } from 'node:crypto';
import { BACKDATED, type KeyPair } from './authority.ts';
import { CertificateError, checkKeyPair } from './certificate-files.ts';
import { endOf } from './certificate-source.ts';

/** A key pair and when it was issued and ends. */
export interface Dated extends KeyPair {
  readonly issuedAtMs: number;
  readonly endsAtMs: number;
}

export interface Authorities {
  /** The CA that stays. */
  readonly current: Dated;
  /** The CA before it, until it ends: clients still trust it, and it signs until they trust the current one. */
  readonly previous: Dated | undefined;
}

/** The step that is due: a first CA, a new one beside the old one, or the removal of the old one. */
export type DueStep = 'create' | 'rotate' | 'forget';

/** A certificate is replaced after this share of its life. */
const RENEWED_AFTER = 2 / 3;

export function dated({ cert, key }: KeyPair): Dated {
  const issuedAtMs = new Date(new X509Certificate(cert).validFrom).getTime() + BACKDATED;
  return { cert, key, issuedAtMs, endsAtMs: endOf(cert) };
}

/** @param now milliseconds since 1970 */
export function isDueForRenewal({ issuedAtMs, endsAtMs }: Dated, now: number): boolean {
  return now >= issuedAtMs + (endsAtMs - issuedAtMs) * RENEWED_AFTER;
}

/**
 * Undefined if no step is due.
 * @param now milliseconds since 1970
 */
export function dueStep(authorities: Authorities | undefined, now: number): DueStep | undefined {
  if (!authorities) return 'create';
  const { current, previous } = authorities;
  if (isDueForRenewal(current, now)) return 'rotate';
  return previous && now >= previous.endsAtMs ? 'forget' : undefined;
}

/**
 * @param create makes a CA; called if the step needs one
 * @param now milliseconds since 1970
 */
export async function takeStep(
  step: DueStep,
  authorities: Authorities | undefined,
  create: () => Promise<KeyPair>,
  now: number,
): Promise<Authorities> {
  if (step === 'forget' && authorities) return { ...authorities, previous: undefined };
  const former = authorities?.current;
  const previous = former && now < former.endsAtMs ? former : undefined;
  return { current: dated(await create()), previous };
}

/** The CAs that clients must trust, PEM. */
export function trustBundle({ current, previous }: Authorities): string {
  return current.cert + (previous?.cert ?? '');
}

/** The keys of the Secret, for the current CA and for the one before. */
const CURRENT = { cert: 'ca.crt', key: 'ca.key' };
const PREVIOUS = { cert: 'previous-ca.crt', key: 'previous-ca.key' };

/**
 * @param data of the Secret, decoded
 * @returns undefined if it holds no CA yet
 * @throws CertificateError if it holds something else
 */
export function readAuthorities(data: ReadonlyMap<string, string>): Authorities | undefined {
  const current = readAuthority(data, CURRENT);
  return current && { current, previous: readAuthority(data, PREVIOUS) };
}

function readAuthority(data: ReadonlyMap<string, string>, at: typeof CURRENT): Dated | undefined {
  const cert = data.get(at.cert) ?? '';
  const key = data.get(at.key) ?? '';
  if (cert === '' && key === '') return undefined;
  const pair = dated(checkKeyPair(at.cert, cert, at.key, key));
  if (!new X509Certificate(cert).ca) throw new CertificateError(`${at.cert} is not the certificate of a CA`);
  return pair;
}

/** The data of the Secret, decoded; an empty text removes a key. */
export function writeAuthorities({ current, previous }: Authorities): ReadonlyMap<string, string> {
  return new Map([
    [CURRENT.cert, current.cert],
    [CURRENT.key, current.key],
    [PREVIOUS.cert, previous?.cert ?? ''],
    [PREVIOUS.key, previous?.key ?? ''],
  ]);
}
