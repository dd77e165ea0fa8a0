/** Issues one certificate for all servers of a run, so that no server has a cheaper key than another. */
import { createAuthority, issueServingCertificate } from '../../src/tls/authority.ts';
import { CERTIFICATE_VARIABLE, type Certificate } from './certificate.ts';

const authority = createAuthority(Date.now());

export function issueCertificate(): Certificate {
  const pair = issueServingCertificate(authority, ['localhost', '127.0.0.1'], Date.now());
  return { ...pair, ca: authority.cert };
}

/** The variable to give to the processes of a run. */
export function certificateVariable(certificate: Certificate): Record<string, string> {
  return { [CERTIFICATE_VARIABLE]: JSON.stringify(certificate) };
}
