/** One certificate for all servers of a run, so that none of them has a cheaper key than another. */
import { createAuthority, issueServingCertificate } from '../../src/tls/authority.ts';

const VARIABLE = 'BENCH_CERTIFICATE';

export interface Certificate {
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
}

/** @returns the variable to give to the processes of a run */
export function certificateVariable(): Record<string, string> {
  const authority = createAuthority(Date.now());
  const serving = issueServingCertificate(authority, ['localhost', '127.0.0.1'], Date.now());
  return { [VARIABLE]: JSON.stringify({ ...serving, ca: authority.cert }) };
}

/** @throws where the process was not given one */
export function servingCertificate(environment: NodeJS.ProcessEnv = process.env): Certificate {
  return JSON.parse(environment[VARIABLE] ?? '') as Certificate;
}
