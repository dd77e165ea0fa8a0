/** Owns the reading of a certificate and its key from files, with errors that say which file is at fault. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { messageOf } from '../core/error-message.ts';
import type { KeyPair } from './authority.ts';

/** Thrown where a certificate or a key cannot be used. */
export class CertificateError extends Error {}

export function readKeyPair(certFile: string, keyFile: string): KeyPair {
  const cert = read(certFile);
  const key = read(keyFile);
  const certificate = orFail(certFile, 'is no PEM certificate', () => new X509Certificate(cert));
  const privateKey = orFail(keyFile, 'is no PEM private key', () => createPrivateKey(key));
  if (!certificate.checkPrivateKey(privateKey)) {
    throw new CertificateError(`${keyFile} is not the private key of the certificate in ${certFile}`);
  }
  return { cert, key };
}

function read(file: string): string {
  return orFail(file, 'cannot be read', () => readFileSync(file, 'utf8'));
}

function orFail<T>(file: string, fault: string, attempt: () => T): T {
  try {
    return attempt();
  } catch (error) {
    throw new CertificateError(`${file} ${fault}: ${messageOf(error)}`);
  }
}
