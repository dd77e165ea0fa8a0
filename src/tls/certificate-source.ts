/** What every source of the serving certificate offers. */
import { X509Certificate } from 'node:crypto';
import type { KeyPair } from './authority.ts';

export interface CertificateSource {
  /** The pair to serve with now. */
  get(): KeyPair;
  /** Starts renewing the pair, and reports each new one. */
  start(onRenewed: (pair: KeyPair) => void): void;
  stop(): Promise<void>;
  /** Whether clients can trust the pair. */
  healthy(): boolean;
  /** The current problems, one a line. */
  problems(): readonly string[];
  /** When each certificate ends, in milliseconds since 1970, by its purpose. */
  ends(): ReadonlyMap<string, number>;
}

/** What a source reports while it works. */
export interface CertificateEvents {
  /** A step that an operator may want to know of, in one line. */
  readonly onStep: (message: string) => void;
  /** A new problem, in one line. */
  readonly onProblem: (problem: string) => void;
}

/** A pair that is never renewed. */
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
