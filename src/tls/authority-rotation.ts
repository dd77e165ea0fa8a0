/**
 * Owns the life of the CA that the webhook keeps for itself, as data: what its Secret holds, when a new CA takes the
 * place of the old one, and what clients trust meanwhile. Who reads and writes the Secret is elsewhere.
 *
 * Every replica follows these rules by its own clock and without a leader. That is safe because each step is written
 * over the very state that it was derived from, or not at all, and because no step undoes another.
 */
import { X509Certificate } from 'node:crypto';
import { BACKDATED, type KeyPair } from './authority.ts';
import { CertificateError, checkKeyPair } from './certificate-files.ts';
import { endOf } from './certificate-source.ts';

/** A key pair and its life, in milliseconds since 1970. */
export interface Dated extends KeyPair {
  readonly issuedAtMs: number;
  readonly endsAtMs: number;
}

export interface Authorities {
  /** The one that is there to stay. */
  readonly current: Dated;
  /** The one before it, while it is good: clients still trust it, and it signs until they trust the current one. */
  readonly previous: Dated | undefined;
}

/** What is due: a first CA, a new one beside the old one, or the end of the old one. */
export type DueStep = 'create' | 'rotate' | 'forget';

/** Of a certificate's life, after which it is replaced. */
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
 * Undefined where all is as it should be.
 * @param now milliseconds since 1970
 */
export function dueStep(authorities: Authorities | undefined, now: number): DueStep | undefined {
  if (!authorities) return 'create';
  const { current, previous } = authorities;
  if (isDueForRenewal(current, now)) return 'rotate';
  return previous && now >= previous.endsAtMs ? 'forget' : undefined;
}

/**
 * @param create makes a CA; called where one is needed
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

/** What clients are to trust, PEM. */
export function trustBundle({ current, previous }: Authorities): string {
  return current.cert + (previous?.cert ?? '');
}

/** Names of the Secret's keys: those of its own files, as Kubernetes has them, and the CA's before. */
const CURRENT = { cert: 'ca.crt', key: 'ca.key' };
const PREVIOUS = { cert: 'previous-ca.crt', key: 'previous-ca.key' };

/**
 * @param data of the Secret, decoded
 * @returns undefined where it holds no CA yet
 * @throws CertificateError where it holds something else
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

/** The Secret's data, decoded; empty where nothing stands any more. */
export function writeAuthorities({ current, previous }: Authorities): ReadonlyMap<string, string> {
  return new Map([
    [CURRENT.cert, current.cert],
    [CURRENT.key, current.key],
    [PREVIOUS.cert, previous?.cert ?? ''],
    [PREVIOUS.key, previous?.key ?? ''],
  ]);
}
