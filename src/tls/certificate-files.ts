/** Reads a certificate and its key from files, with errors that say which of the two is at fault. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { messageOf } from '../core/kubernetes/problem.ts';
import type { KeyPair } from './authority.ts';

/** Thrown if a certificate or a key cannot be used. */
export class CertificateError extends Error {}

/** @throws CertificateError */
export function readKeyPair(certFile: string, keyFile: string): KeyPair {
  return checkKeyPair(certFile, read(certFile), keyFile, read(keyFile));
}

/**
 * @returns the content of the file, PEM
 * @throws CertificateError
 */
export function readCertificates(file: string): string {
  const certificates = read(file);
  orFail(file, 'is no PEM certificate', () => new X509Certificate(certificates));
  return certificates;
}

/**
 * Checks that a certificate and a key are valid and belong together.
 * @param certName where the certificate comes from, for the error
 * @throws CertificateError
 */
export function checkKeyPair(certName: string, cert: string, keyName: string, key: string): KeyPair {
  const certificate = orFail(certName, 'is no PEM certificate', () => new X509Certificate(cert));
  const privateKey = orFail(keyName, 'is no PEM private key', () => createPrivateKey(key));
  if (!certificate.checkPrivateKey(privateKey)) {
    throw new CertificateError(`${keyName} is not the private key of the certificate in ${certName}`);
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
