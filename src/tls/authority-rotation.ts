/**
 * The rotation of the webhook's own CA, as data: the content of the Secret, the next step, and the CAs to trust. The
 * replicas need no leader, because a write fails if the Secret has changed meanwhile, and because no step undoes
 * another (docs/decisions/own-ca.md).
 */
import { X509Certificate } from 'node:crypto';
import { BACKDATED, type KeyPair } from './authority.ts';
import { CertificateError, checkKeyPair } from './certificate-files.ts';
import { endOf } from './certificate-source.ts';

/** A key pair, and when its certificate was issued and ends, in milliseconds since 1970. */
export interface Dated extends KeyPair {
  readonly issuedAtMs: number;
  readonly endsAtMs: number;
}

export interface Authorities {
  /** The newest CA. */
  readonly current: Dated;
  /** The CA before the current one, until it ends: it signs certificates until clients trust the current CA. */
  readonly previous: Dated | undefined;
}

/** The step that is due: make a first CA, add a new CA beside the old CA, or remove the old CA. */
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
 * The CAs after the step.
 * @param create makes a CA; called if the step needs a new CA
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
 * @returns undefined if the Secret holds no CA yet
 * @throws CertificateError if the Secret holds something else than a CA
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
