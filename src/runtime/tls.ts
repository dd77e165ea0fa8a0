/** Owns where the serving certificate comes from: by the configuration, or made on request. */
import type { FastifyBaseLogger } from 'fastify';
import type { Config } from '../config/config.ts';
import type { KeyPair } from '../tls/authority.ts';
import { readKeyPair } from '../tls/certificate-files.ts';
import { CertificateWatch } from '../tls/certificate-watch.ts';
import { ensureSelfSigned, type SelfSigned } from '../tls/self-signed.ts';

export interface ServingCertificate {
  readonly pair: KeyPair;
  /** Tells of each pair that takes its place, until it is stopped. */
  readonly follow: (onRenewed: (pair: KeyPair) => void) => { readonly stop: () => void };
}

/** @throws CertificateError; Error where the configuration names no certificate */
export function loadServingCertificate({ tls }: Config, log: FastifyBaseLogger): ServingCertificate {
  if (tls.cert !== '') return fromFiles(tls.cert, tls.key, log);
  if (tls.selfSigned === '') {
    throw new Error(
      'no certificate to serve with: give --tls-cert FILE and --tls-key FILE, or --tls-self-signed DIR to have one made',
    );
  }
  const { serving, caFile, created } = ensureSelfSigned(tls.selfSigned, tls.dnsNames, Date.now());
  log.info({ caFile, created, dnsNames: tls.dnsNames }, 'self-signed certificate');
  return unchanging(serving);
}

/** A certificate that nobody renews. */
export function unchanging(pair: KeyPair): ServingCertificate {
  return { pair, follow: () => ({ stop: () => undefined }) };
}

function fromFiles(certFile: string, keyFile: string, log: FastifyBaseLogger): ServingCertificate {
  const pair = readKeyPair(certFile, keyFile);
  return {
    pair,
    follow: (onRenewed) =>
      new CertificateWatch(certFile, keyFile, pair, {
        onRenewed: (renewed) => {
          onRenewed(renewed);
          log.info({ certFile }, 'serving with the renewed certificate');
        },
        onProblem: (problem) => log.warn({ certFile }, `the former certificate stays in force: ${problem}`),
      }),
  };
}

/** Makes what is missing in a folder: a CA, and a certificate for these DNS names and IP addresses. */
export function createCertificates(folder: string, names: readonly string[]): SelfSigned {
  return ensureSelfSigned(folder, names, Date.now());
}
