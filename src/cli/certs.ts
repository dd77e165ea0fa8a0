/** `imc certs`: makes a CA and a serving certificate in a folder. */
import { NAMES } from '../config/value-type.ts';
import { createCertificates } from '../runtime/tls.ts';
import { UsageError, type Command } from './command.ts';

export const certs: Command = {
  name: 'certs',
  summary: 'Make a CA and a serving certificate, or keep the ones that are still good.',
  usage: 'imc certs --out DIR --dns NAME,...',
  flags: [
    { name: 'out', value: 'DIR', help: 'Folder for ca.crt, ca.key, tls.crt and tls.key; made if missing.' },
    { name: 'dns', value: 'NAME,...', help: 'DNS names and IP addresses that the certificate is for.' },
  ],
  settings: [],
  run: (flags, io) => {
    const out = flags.one('out');
    const dns = flags.one('dns');
    if (out === undefined || dns === undefined)
      throw new UsageError('--out DIR and --dns NAME,... are needed');
    const names = NAMES.parse(dns);
    if (names === undefined)
      throw new UsageError(`--dns is ${JSON.stringify(dns)}; it must be ${NAMES.allowed}`);
    const { caFile, certFile, keyFile, created, ca } = createCertificates(out, names);
    const made = (part: 'CA' | 'certificate'): string => (created.includes(part) ? 'made' : 'kept');
    io.out.write(`CA           ${made('CA')}  ${caFile}\n`);
    io.out.write(
      `certificate  ${made('certificate')}  ${certFile}, key ${keyFile}, for ${names.join(', ')}\n`,
    );
    io.out.write(`caBundle for a MutatingWebhookConfiguration:\n${Buffer.from(ca).toString('base64')}\n`);
    return Promise.resolve(0);
  },
};
