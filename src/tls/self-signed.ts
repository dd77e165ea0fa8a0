/**
 * The CA and certificate in a folder: ca.crt, ca.key, tls.crt and tls.key. A restart uses the same files again, so that
 * clients that trust the CA need no change.
 */
import { X509Certificate } from 'node:crypto';
import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { DAY } from '../core/kubernetes/time.ts';
import { createAuthority, issueServingCertificate, type KeyPair } from './authority.ts';
import { readKeyPair } from './certificate-files.ts';

export interface SelfSigned {
  readonly serving: KeyPair;
  /** The CA that clients must trust, PEM. */
  readonly ca: string;
  readonly caFile: string;
  readonly certFile: string;
  readonly keyFile: string;
  /** Which parts were made just now. */
  readonly created: readonly ('CA' | 'certificate')[];
}

/** Milliseconds. A certificate that ends within this time from now is replaced. */
const RENEW_BEFORE = 30 * DAY;

/**
 * Reads the CA and the certificate in the folder; makes those new that are missing, end soon, or lack a name.
 * @param names DNS names and IP addresses
 * @param now milliseconds since 1970
 * @throws CertificateError if a certificate and its key do not belong together; these two files are not overwritten
 */
export function ensureSelfSigned(folder: string, names: readonly string[], now: number): SelfSigned {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const created: ('CA' | 'certificate')[] = [];
  const caFile = join(folder, 'ca.crt');
  const caKeyFile = join(folder, 'ca.key');
  const certFile = join(folder, 'tls.crt');
  const keyFile = join(folder, 'tls.key');

  let authority = readIfPresent(caFile, caKeyFile);
  if (!authority || endsSoon(authority, now)) {
    authority = createAuthority(now);
    write(caKeyFile, authority.key);
    write(caFile, authority.cert);
    created.push('CA');
  }
  let serving = readIfPresent(certFile, keyFile);
  if (!serving || endsSoon(serving, now) || !isSignedBy(serving, authority) || !holdsNames(serving, names)) {
    serving = issueServingCertificate(authority, names, now);
    write(keyFile, serving.key);
    write(certFile, serving.cert);
    created.push('certificate');
  }
  return { serving, ca: authority.cert, caFile, certFile, keyFile, created };
}

function readIfPresent(certFile: string, keyFile: string): KeyPair | undefined {
  return existsSync(certFile) && existsSync(keyFile) ? readKeyPair(certFile, keyFile) : undefined;
}

/** Written to a second file and renamed, so that a crash leaves the old or the new content, and never half of it. */
function write(path: string, text: string): void {
  const draft = `${path}.new`;
  writeFileSync(draft, text, { mode: 0o600 });
  renameSync(draft, path);
}

function endsSoon({ cert }: KeyPair, now: number): boolean {
  return new Date(new X509Certificate(cert).validTo).getTime() < now + RENEW_BEFORE;
}

function isSignedBy({ cert }: KeyPair, authority: KeyPair): boolean {
  const issuer = new X509Certificate(authority.cert);
  const certificate = new X509Certificate(cert);
  return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}

function holdsNames({ cert }: KeyPair, names: readonly string[]): boolean {
  const certificate = new X509Certificate(cert);
  return names.every((name) =>
    isIP(name) === 0 ? certificate.checkHost(name) !== undefined : certificate.checkIP(name) !== undefined,
  );
}
