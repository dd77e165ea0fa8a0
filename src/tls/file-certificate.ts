/**
 * A certificate from files that another program renews; if new files cannot be used, the former certificate stays.
 * Polling works the same on every file system, and for the symlinks by which Kubernetes swaps a mounted Secret.
 */
import { messageOf } from '../core/kubernetes/problem.ts';
import type { KeyPair } from './authority.ts';
import { readKeyPair } from './certificate-files.ts';
import { endOf, type CertificateEvents, type CertificateSource } from './certificate-source.ts';

/** Milliseconds between two polls. Certificates are renewed days before they end. */
const POLL_EVERY_MS = 1000;

export class FileCertificate implements CertificateSource {
  readonly #files: readonly [cert: string, key: string];
  readonly #events: CertificateEvents;
  #inForce: KeyPair;
  #problem: string | undefined;
  /**
   * The problem that was reported. A problem is reported only if two polls in a row find it, because a renewal writes
   * two files.
   */
  #reported: string | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** @throws CertificateError */
  constructor(certFile: string, keyFile: string, events: CertificateEvents) {
    this.#files = [certFile, keyFile];
    this.#events = events;
    this.#inForce = readKeyPair(certFile, keyFile);
  }

  get(): KeyPair {
    return this.#inForce;
  }

  start(onRenewed: (pair: KeyPair) => void): void {
    this.#timer = setInterval(() => this.#poll(onRenewed), POLL_EVERY_MS).unref();
  }

  stop(): Promise<void> {
    clearInterval(this.#timer);
    return Promise.resolve();
  }

  healthy(): boolean {
    return true;
  }

  problems(): readonly string[] {
    return this.#reported === undefined ? [] : [this.#reported];
  }

  ends(): ReadonlyMap<string, number> {
    return new Map([['serving', endOf(this.#inForce.cert)]]);
  }

  #poll(onRenewed: (pair: KeyPair) => void): void {
    try {
      const pair = readKeyPair(...this.#files);
      this.#problem = undefined;
      this.#reported = undefined;
      if (pair.cert === this.#inForce.cert && pair.key === this.#inForce.key) return;
      this.#inForce = pair;
      onRenewed(pair);
      this.#events.onStep(`serving with the renewed certificate of ${this.#files[0]}`);
    } catch (error) {
      const problem = `the former certificate stays in force: ${messageOf(error)}`;
      if (problem === this.#problem && problem !== this.#reported) {
        this.#reported = problem;
        this.#events.onProblem(problem);
      }
      this.#problem = problem;
    }
  }
}
