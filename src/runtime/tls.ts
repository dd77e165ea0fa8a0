/** Owns where the serving certificate comes from: by the configuration, or made on request. */
import type { FastifyBaseLogger } from 'fastify';
import type { Config } from '../config/config.ts';
import type { KeyPair } from '../tls/authority.ts';
import { readKeyPair } from '../tls/certificate-files.ts';
import { ensureSelfSigned, type SelfSigned } from '../tls/self-signed.ts';

/** @throws CertificateError; Error where the configuration names no certificate */
export function loadServingCertificate({ tls }: Config, log: FastifyBaseLogger): KeyPair {
  if (tls.cert !== '') return readKeyPair(tls.cert, tls.key);
  if (tls.selfSigned === '') {
    throw new Error(
      'no certificate to serve with: give --tls-cert FILE and --tls-key FILE, or --tls-self-signed DIR to have one made',
    );
  }
  const { serving, caFile, created } = ensureSelfSigned(tls.selfSigned, tls.dnsNames, Date.now());
  log.info({ caFile, created, dnsNames: tls.dnsNames }, 'self-signed certificate');
  return serving;
}

/** Makes what is missing in a folder: a CA, and a certificate for these DNS names and IP addresses. */
export function createCertificates(folder: string, names: readonly string[]): SelfSigned {
  return ensureSelfSigned(folder, names, Date.now());
}
