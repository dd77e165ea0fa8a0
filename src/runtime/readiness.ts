/** Whether the webhook is ready for pods, and the state of its source. */
import type { ClusterIndex } from '../index/cluster-index.ts';
import { stalenessOf, type Staleness } from '../core/staleness.ts';
import type { KindReadiness, Readiness } from '../http/health.ts';
import type { KindStatus, Source } from '../sources/source.ts';
import type { CertificateSource } from '../tls/certificate-source.ts';

/** How many problems /readyz shows; the log has all of them. */
const MAX_SHOWN_PROBLEMS = 10;

export function shownProblems(...parts: readonly { problems(): readonly string[] }[]): string[] {
  return parts.flatMap((part) => part.problems()).slice(0, MAX_SHOWN_PROBLEMS);
}

/** @param now milliseconds since 1970 */
export function webhookReadiness(
  index: ClusterIndex,
  sources: readonly Source[],
  certificate: CertificateSource,
  draining: boolean,
  maxStalenessMs: number,
  now: number,
): Readiness {
  const confirmedAtMs = index.confirmedAtMs();
  return {
    ...describe(index, certificate, draining, stalenessOf(confirmedAtMs, maxStalenessMs, now)),
    sourceAgeSeconds: secondsSince(confirmedAtMs, now),
    kinds: kindsAsOf(
      sources.flatMap((source) => source.status()),
      now,
    ),
    problems: shownProblems(certificate, ...sources),
  };
}

/** @param now milliseconds since 1970 */
export function kindsAsOf(kinds: readonly KindStatus[], now: number): KindReadiness[] {
  return kinds.map(({ kind, state, objects, confirmedAtMs }) => ({
    kind,
    state,
    objects,
    ageSeconds: secondsSince(confirmedAtMs, now),
  }));
}

/** @returns null if the time is undefined */
export function secondsSince(time: number | undefined, now: number): number | null {
  return time === undefined ? null : (now - time) / 1000;
}

/**
 * A stale index does not make the webhook unready: if no replica were ready, the API server would get no answer, and a
 * replica with a stale index still answers safely, because it leaves the choice to ECI.
 */
function describe(
  index: ClusterIndex,
  certificate: CertificateSource,
  draining: boolean,
  staleness: Staleness | undefined,
): Pick<Readiness, 'ready' | 'status'> {
  if (draining) return { ready: false, status: 'shutting down' };
  if (!certificate.healthy())
    return { ready: false, status: 'there is no certificate yet that clients trust' };
  if (staleness?.reason === 'IndexNotSynced')
    return { ready: false, status: 'the source has not been read yet' };
  if (!index.supportsImageCaches())
    return { ready: true, status: 'ready; image caches are not supported here: pods are left alone' };
  if (staleness) return { ready: true, status: 'ready; the index is stale: the choice is left to ECI' };
  return { ready: true, status: 'ready' };
}
