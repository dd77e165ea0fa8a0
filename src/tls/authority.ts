/**
 * Issues certificates: a CA, and serving certificates signed by it. node-forge signs, because node:crypto cannot issue
 * certificates; node:crypto makes the keys, because node-forge takes seconds for one.
 */
import { generateKeyPair, generateKeyPairSync, randomBytes } from 'node:crypto';
import { isIP } from 'node:net';
import { promisify } from 'node:util';
import forge from 'node-forge';
import { DAY } from '../core/kubernetes/time.ts';

/** Certificate and private key, PEM. */
export interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

export interface PrivateKey {
  readonly publicKey: forge.pki.rsa.PublicKey;
  readonly privateKey: forge.pki.rsa.PrivateKey;
  /** PEM. */
  readonly key: string;
}

const CA_LIFETIME = 3650 * DAY;
const SERVING_LIFETIME = 365 * DAY;
/** Certificates are valid from a little earlier, because the clocks of machines differ. */
export const BACKDATED = 5 * 60_000;
const RSA = {
  modulusLength: 2048,
  publicKeyEncoding: { type: 'spki', format: 'pem' },
  privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
} as const;

/**
 * @param now milliseconds since 1970
 * @param lifetime milliseconds
 */
export function createAuthority(now: number, lifetime = CA_LIFETIME, created = createKey()): KeyPair {
  const { publicKey, privateKey, key } = created;
  const subject = [{ shortName: 'CN', value: 'imagecache-webhook CA' }];
  const certificate = prepare(publicKey, subject, subject, now, now + lifetime);
  certificate.setExtensions([
    { name: 'basicConstraints', cA: true, pathLenConstraint: 0, critical: true },
    { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
    { name: 'subjectKeyIdentifier' },
  ]);
  certificate.sign(privateKey, forge.md.sha256.create());
  return { cert: forge.pki.certificateToPem(certificate), key };
}

/**
 * The certificate never outlives the CA.
 * @param names DNS names and IP addresses, at least one
 * @param now milliseconds since 1970
 * @param lifetime milliseconds
 */
export function issueServingCertificate(
  authority: KeyPair,
  names: readonly string[],
  now: number,
  lifetime = SERVING_LIFETIME,
  created = createKey(),
): KeyPair {
  const issuer = forge.pki.certificateFromPem(authority.cert);
  const { publicKey, key } = created;
  const subject = [{ shortName: 'CN', value: 'imagecache-webhook' }];
  const end = Math.min(now + lifetime, issuer.validity.notAfter.getTime());
  const certificate = prepare(publicKey, subject, issuer.subject.attributes, now, end);
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

/** Makes a private key; blocks the event loop for a tenth of a second or more. */
function createKey(): PrivateKey {
  return toPrivateKey(generateKeyPairSync('rsa', RSA));
}

/** Makes a private key without blocking the event loop. */
export async function createKeyInBackground(): Promise<PrivateKey> {
  return toPrivateKey(await promisify(generateKeyPair)('rsa', RSA));
}

function toPrivateKey(pem: { readonly publicKey: string; readonly privateKey: string }): PrivateKey {
  return {
    publicKey: forge.pki.publicKeyFromPem(pem.publicKey),
    privateKey: forge.pki.privateKeyFromPem(pem.privateKey),
    key: pem.privateKey,
  };
}

/**
 * A serial number of random bytes, as hexadecimal digits. The first bit is cleared, because the number must be
 * positive; the second is set, because DER forbids a leading zero byte, and OpenSSL refuses to read one.
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
  end: number,
): forge.pki.Certificate {
  const certificate = forge.pki.createCertificate();
  certificate.publicKey = publicKey;
  certificate.serialNumber = toSerialNumber(randomBytes(16));
  certificate.validity.notBefore = new Date(now - BACKDATED);
  certificate.validity.notAfter = new Date(end);
  certificate.setSubject(subject);
  certificate.setIssuer(issuer);
  return certificate;
}

/** RFC 5280: type 2 is a DNS name, type 7 an IP address. */
function toAltName(name: string): { type: number; value?: string; ip?: string } {
  return isIP(name) === 0 ? { type: 2, value: name } : { type: 7, ip: name };
}
