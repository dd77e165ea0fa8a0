/**
 * Owns the issuing of certificates: a CA, and serving certificates signed by it. node-forge issues them, because
 * node:crypto cannot; the keys come from node:crypto, because node-forge takes seconds to find one.
 */
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { isIP } from 'node:net';
import forge from 'node-forge';

/** Certificate and private key, PEM. */
export interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

const DAY = 86_400_000;
const CA_DAYS = 3650;
const SERVING_DAYS = 365;
/** Clocks differ a little between machines. */
const BACKDATED = 5 * 60_000;
const RSA_BITS = 2048;

/** @param now milliseconds since 1970 */
export function createAuthority(now: number): KeyPair {
  const { publicKey, privateKey, key } = createKey();
  const subject = [{ shortName: 'CN', value: 'imagecache-webhook CA' }];
  const certificate = prepare(publicKey, subject, subject, now, CA_DAYS);
  certificate.setExtensions([
    { name: 'basicConstraints', cA: true, pathLenConstraint: 0, critical: true },
    { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
    { name: 'subjectKeyIdentifier' },
  ]);
  certificate.sign(privateKey, forge.md.sha256.create());
  return { cert: forge.pki.certificateToPem(certificate), key };
}

/**
 * @param names DNS names and IP addresses, at least one
 * @param now milliseconds since 1970
 */
export function issueServingCertificate(authority: KeyPair, names: readonly string[], now: number): KeyPair {
  const issuer = forge.pki.certificateFromPem(authority.cert);
  const { publicKey, key } = createKey();
  const subject = [{ shortName: 'CN', value: 'imagecache-webhook' }];
  const certificate = prepare(publicKey, subject, issuer.subject.attributes, now, SERVING_DAYS);
  certificate.setExtensions([
    { name: 'basicConstraints', cA: false, critical: true },
    { name: 'keyUsage', digitalSignature: true, keyEncipherment: true, critical: true },
    { name: 'extKeyUsage', serverAuth: true },
    { name: 'subjectAltName', altNames: names.map(toAltName) },
    { name: 'authorityKeyIdentifier', keyIdentifier: issuer.generateSubjectKeyIdentifier().getBytes() },
  ]);
  certificate.sign(forge.pki.privateKeyFromPem(authority.key), forge.md.sha256.create());
  return { cert: forge.pki.certificateToPem(certificate), key };
}

function createKey(): {
  publicKey: forge.pki.rsa.PublicKey;
  privateKey: forge.pki.rsa.PrivateKey;
  key: string;
} {
  const pair = generateKeyPairSync('rsa', {
    modulusLength: RSA_BITS,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
  });
  return {
    publicKey: forge.pki.publicKeyFromPem(pair.publicKey),
    privateKey: forge.pki.privateKeyFromPem(pair.privateKey),
    key: pair.privateKey,
  };
}

/**
 * A serial number of random bytes, as hexadecimal digits. The first bit is cleared, or the number would be negative, and
 * the second set, or it might begin with a zero byte, which DER forbids and OpenSSL then refuses to read.
 */
export function toSerialNumber(random: Buffer): string {
  const bytes = Buffer.from(random);
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40;
  return bytes.toString('hex');
}

function prepare(
  publicKey: forge.pki.rsa.PublicKey,
  subject: forge.pki.CertificateField[],
  issuer: forge.pki.CertificateField[],
  now: number,
  days: number,
): forge.pki.Certificate {
  const certificate = forge.pki.createCertificate();
  certificate.publicKey = publicKey;
  certificate.serialNumber = toSerialNumber(randomBytes(16));
  certificate.validity.notBefore = new Date(now - BACKDATED);
  certificate.validity.notAfter = new Date(now + days * DAY);
  certificate.setSubject(subject);
  certificate.setIssuer(issuer);
  return certificate;
}

/** RFC 5280: type 2 is a DNS name, type 7 an IP address. */
function toAltName(name: string): { type: number; value?: string; ip?: string } {
  return isIP(name) === 0 ? { type: 2, value: name } : { type: 7, ip: name };
}
