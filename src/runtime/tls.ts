/** Opens the serving certificate that the configuration names, or makes one. */
import { SYSTEM_CLOCK, type Clock } from '../clock.ts';
import type { FastifyBaseLogger } from 'fastify';
import type { Config } from '../config/config.ts';
import { unchanging, type CertificateEvents, type CertificateSource } from '../tls/certificate-source.ts';
import type { TrustedClients } from '../webhook/client-certificate.ts';
import { readCertificates } from '../tls/certificate-files.ts';
import { FileCertificate } from '../tls/file-certificate.ts';
import { ensureSelfSigned, type SelfSigned } from '../tls/self-signed.ts';

/** @throws CertificateError; Error if the configuration names no certificate, or no cluster for a managed one */
export async function openCertificate(
  config: Config,
  log: FastifyBaseLogger,
  clock: Clock = SYSTEM_CLOCK,
): Promise<CertificateSource> {
  const { tls } = config;
  const events: CertificateEvents = {
    onStep: (step) => log.info({ step }, 'certificate step'),
    onProblem: (problem) => log.warn({ problem }, 'certificate problem'),
  };
  if (tls.cert !== '') return new FileCertificate(tls.cert, tls.key, events);
  if (tls.managed.secret !== '') return manage(config, events, clock);
  if (tls.selfSigned === '') {
    throw new Error(
      'no certificate to serve with: give --tls-cert FILE and --tls-key FILE, --tls-managed-secret NAMESPACE/NAME to have a CA kept in the cluster, or --tls-self-signed DIR to have one made in a folder',
    );
  }
  const { serving, caFile, created } = ensureSelfSigned(tls.selfSigned, tls.dnsNames, clock.now());
  log.info({ caFile, created, dnsNames: tls.dnsNames }, 'self-signed certificate');
  return unchanging(serving);
}

async function manage(
  { tls, kubeconfig, kubeContext, maxStalenessMs }: Config,
  events: CertificateEvents,
  clock: Clock,
): Promise<CertificateSource> {
  const { secret, webhookConfiguration, adviceConfiguration, lifetimeMs } = tls.managed;
  const configurations = {
    configurationName: webhookConfiguration,
    adviceConfigurationName: adviceConfiguration === '' ? undefined : adviceConfiguration,
  };
  const [namespace = '', secretName = ''] = secret.split('/');
  const { connectCaBundle } = await import('../sources/kubernetes/connect.ts');
  const { ManagedCertificate } = await import('../tls/managed-certificate.ts');
  const api = connectCaBundle(
    kubeconfig,
    kubeContext,
    { namespace, secretName, ...configurations, maxStalenessMs },
    { onFailure: events.onProblem, onStep: events.onStep },
    clock,
  );
  const options = {
    names: tls.dnsNames,
    lifetimeMs,
    secretName: secret,
    ...configurations,
  };
  return new ManagedCertificate(api, options, events, clock);
}

/**
 * The clients that may use /mutate; undefined: every client.
 * @throws CertificateError
 */
export function readTrustedClients({ tls }: Config): TrustedClients | undefined {
  return tls.clientCa === '' ? undefined : { ca: readCertificates(tls.clientCa), names: tls.clientNames };
}

/** Makes a CA, and a certificate for these DNS names and IP addresses, if the folder lacks them. */
export function createCertificates(folder: string, names: readonly string[]): SelfSigned {
  return ensureSelfSigned(folder, names, Date.now());
}
