/** Issues certificates for clients, which the webhook itself never does. */
import { generateKeyPairSync } from 'node:crypto';
import forge from 'node-forge';
import type { KeyPair } from '../../src/tls/authority.ts';

/** @param name the common name */
export function issueClientCertificate(authority: KeyPair, name: string): KeyPair {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
  });
  const certificate = forge.pki.createCertificate();
  certificate.publicKey = forge.pki.publicKeyFromPem(publicKey);
  certificate.serialNumber = '01';
  certificate.validity.notBefore = new Date(Date.now() - 60_000);
  certificate.validity.notAfter = new Date(Date.now() + 3_600_000);
  certificate.setSubject([{ shortName: 'CN', value: name }]);
  certificate.setIssuer(forge.pki.certificateFromPem(authority.cert).subject.attributes);
  certificate.setExtensions([{ name: 'extKeyUsage', clientAuth: true }]);
  certificate.sign(forge.pki.privateKeyFromPem(authority.key), forge.md.sha256.create());
  return { cert: forge.pki.certificateToPem(certificate), key: privateKey };
}
