/** Owns what every source of the serving certificate offers to whoever serves with it. */
import { X509Certificate } from 'node:crypto';
import type { KeyPair } from './authority.ts';

export interface CertificateSource {
  /** What to serve with now. */
  get(): KeyPair;
  /** From now on keeps it up to date, and tells of each pair that takes its place. */
  start(onRenewed: (pair: KeyPair) => void): void;
  stop(): Promise<void>;
  /** Whether clients can trust what it gives. */
  healthy(): boolean;
  /** What is wrong at the moment, each in a line. */
  problems(): readonly string[];
  /** When each certificate ends that somebody should renew in time, in milliseconds since 1970, by its purpose. */
  ends(): ReadonlyMap<string, number>;
}

/** What a source tells while it works. */
export interface CertificateEvents {
  /** Something that an operator may want to know, as a line. */
  readonly onStep: (message: string) => void;
  /** A new problem, as a line. */
  readonly onProblem: (problem: string) => void;
}

/** A certificate that nobody renews. */
export function unchanging(pair: KeyPair): CertificateSource {
  return {
    get: () => pair,
    start: () => undefined,
    stop: () => Promise.resolve(),
    healthy: () => true,
    problems: () => [],
    ends: () => new Map([['serving', endOf(pair.cert)]]),
  };
}

/**
 * @param cert PEM
 * @returns milliseconds since 1970
 */
export function endOf(cert: string): number {
  return new Date(new X509Certificate(cert).validTo).getTime();
}
