import { createServer, request } from 'node:https';
import { X509Certificate } from 'node:crypto';
import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { createAuthority, issueServingCertificate, toSerialNumber } from '../../src/tls/authority.ts';
import { readKeyPair } from '../../src/tls/certificate-files.ts';
import { ensureSelfSigned } from '../../src/tls/self-signed.ts';
import { temporaryFolder } from '../support/webhook.ts';

const NOW = Date.now();
const DAY = 86_400_000;
const NAMES = ['localhost', '127.0.0.1', 'imagecache-webhook.kube-system.svc'];

const folders: { remove: () => void }[] = [];
afterEach(() => {
  for (const made of folders.splice(0)) made.remove();
});

function folder(): string {
  const made = temporaryFolder();
  folders.push(made);
  return made.path;
}

describe('a certificate that we issue', () => {
  it('serves a client that trusts the CA and checks the name, and no other', async () => {
    const authority = createAuthority(NOW);
    const server = createServer(issueServingCertificate(authority, NAMES, NOW), (_request, response) =>
      response.end('served'),
    );
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const get = (options: object): Promise<string> =>
      new Promise((resolve, reject) => {
        request({ host: '127.0.0.1', port, path: '/', agent: false, ...options }, (response) => {
          response.resume();
          resolve('served');
        })
          .on('error', reject)
          .end();
      });
    await expect(get({ ca: authority.cert })).resolves.toBe('served');
    await expect(get({ ca: authority.cert, servername: NAMES[2] })).resolves.toBe('served');
    await expect(get({ ca: authority.cert, servername: 'elsewhere.svc' })).rejects.toThrow('altnames');
    await expect(get({ ca: createAuthority(NOW).cert })).rejects.toThrow('certificate');
    await new Promise((resolve) => server.close(resolve));
  });

  it('has a serial number of its own, and cannot sign others', () => {
    const authority = createAuthority(NOW);
    const [one, two] = [1, 2].map(
      () => new X509Certificate(issueServingCertificate(authority, NAMES, NOW).cert),
    );
    expect(one!.serialNumber).not.toBe(two!.serialNumber);
    expect(one!.ca).toBe(false);
    expect(new X509Certificate(authority.cert).ca).toBe(true);
    expect(one!.subjectAltName).toBe(
      'DNS:localhost, IP Address:127.0.0.1, DNS:imagecache-webhook.kube-system.svc',
    );
  });
});

describe('a serial number', () => {
  // DER allows one encoding of each number: no superfluous zero byte in front, and no byte that makes it negative.
  it.each([
    ['00', '00'],
    ['00', '7f'],
    ['00', 'ff'],
    ['7f', '00'],
    ['80', '00'],
    ['ff', 'ff'],
  ])('made of bytes that begin with %s %s is positive and has no padding', (first, second) => {
    const serial = toSerialNumber(Buffer.from(first + second + 'ab'.repeat(14), 'hex'));
    expect(serial).toMatch(/^[4-7][0-9a-f]{31}$/);
  });
});

describe('the self-signed certificate in a folder', () => {
  it('is made once and used again', () => {
    const path = folder();
    const first = ensureSelfSigned(path, NAMES, NOW);
    expect(first.created).toEqual(['CA', 'certificate']);
    expect(ensureSelfSigned(path, NAMES, NOW)).toEqual({ ...first, created: [] });
    expect(statSync(join(path, 'tls.key')).mode & 0o077).toBe(0);
    expect(readFileSync(first.caFile, 'utf8')).toBe(first.ca);
  });

  it('is made anew for another name, by the same CA', () => {
    const path = folder();
    const { ca } = ensureSelfSigned(path, NAMES, NOW);
    const again = ensureSelfSigned(path, [...NAMES, '10.0.0.1'], NOW);
    expect([again.created, again.ca]).toEqual([['certificate'], ca]);
  });

  it('is made anew before it ends, and so is the CA', () => {
    const path = folder();
    ensureSelfSigned(path, NAMES, NOW);
    expect(ensureSelfSigned(path, NAMES, NOW + 300 * DAY).created).toEqual([]);
    expect(ensureSelfSigned(path, NAMES, NOW + 340 * DAY).created).toEqual(['certificate']);
    expect(ensureSelfSigned(path, NAMES, NOW + 3630 * DAY).created).toEqual(['CA', 'certificate']);
  });

  it('is made anew, and the CA too, if the key of the CA is missing', () => {
    const path = folder();
    ensureSelfSigned(path, NAMES, NOW);
    rmSync(join(path, 'ca.key'));
    expect(ensureSelfSigned(path, NAMES, NOW).created).toEqual(['CA', 'certificate']);
  });

  it('is not overwritten if it cannot be read', () => {
    const path = folder();
    ensureSelfSigned(path, NAMES, NOW);
    writeFileSync(join(path, 'tls.crt'), 'mine');
    expect(() => ensureSelfSigned(path, NAMES, NOW)).toThrow('tls.crt is no PEM certificate');
    expect(readFileSync(join(path, 'tls.crt'), 'utf8')).toBe('mine');
  });
});

describe('a certificate from files', () => {
  it.each<[string, (path: string) => void, string]>([
    [
      'a missing certificate',
      (path) => rmSync(join(path, 'tls.crt')),
      'tls.crt cannot be read: no such file or directory',
    ],
    [
      'a missing key',
      (path) => rmSync(join(path, 'tls.key')),
      'tls.key cannot be read: no such file or directory',
    ],
    [
      'a key that is not a PEM key',
      (path) => writeFileSync(join(path, 'tls.key'), 'x'),
      'tls.key is no PEM private key',
    ],
    [
      'the key of another certificate',
      (path) => writeFileSync(join(path, 'tls.key'), createAuthority(NOW).key),
      'is not the private key of the certificate in',
    ],
  ])('with %s is refused', (_title, spoil, message) => {
    const path = folder();
    ensureSelfSigned(path, NAMES, NOW);
    spoil(path);
    expect(() => readKeyPair(join(path, 'tls.crt'), join(path, 'tls.key'))).toThrow(message);
  });
});
