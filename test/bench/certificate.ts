/** Hands the certificate of a run to the processes of its servers. */
export const CERTIFICATE_VARIABLE = 'BENCH_CERTIFICATE';

export interface Certificate {
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
}

/** @throws if the process was given no certificate */
export function servingCertificate(environment: NodeJS.ProcessEnv = process.env): Certificate {
  return JSON.parse(environment[CERTIFICATE_VARIABLE] ?? '') as Certificate;
}
