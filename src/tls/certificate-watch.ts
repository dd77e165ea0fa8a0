/**
 * Owns keeping in step with certificate files that others renew. It looks at what they say, because that works the same
 * on every file system and for the symlinks by which Kubernetes swaps a mounted Secret. A pair that cannot be used
 * leaves the former one in force.
 */
import { messageOf } from '../core/error-message.ts';
import type { KeyPair } from './authority.ts';
import { readKeyPair } from './certificate-files.ts';

/** Milliseconds. A renewal is seen by the next look; who renews certificates leaves days for it. */
const LOOK_EVERY = 1000;

export interface CertificateEvents {
  readonly onRenewed: (pair: KeyPair) => void;
  /** Told once of each thing that is wrong, and not of what is right again by the next look: a renewal takes two writes. */
  readonly onProblem: (problem: string) => void;
}

export class CertificateWatch {
  readonly #files: readonly [cert: string, key: string];
  readonly #events: CertificateEvents;
  #inForce: KeyPair;
  #problem: string | undefined;
  #reported: string | undefined;
  readonly #timer: NodeJS.Timeout;

  /** @param inForce the pair that the files held when they were read last */
  constructor(certFile: string, keyFile: string, inForce: KeyPair, events: CertificateEvents) {
    this.#files = [certFile, keyFile];
    this.#inForce = inForce;
    this.#events = events;
    this.#timer = setInterval(() => this.#look(), LOOK_EVERY).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    try {
      const pair = readKeyPair(...this.#files);
      this.#problem = undefined;
      this.#reported = undefined;
      if (pair.cert === this.#inForce.cert && pair.key === this.#inForce.key) return;
      this.#inForce = pair;
      this.#events.onRenewed(pair);
    } catch (error) {
      const problem = messageOf(error);
      if (problem === this.#problem && problem !== this.#reported) {
        this.#reported = problem;
        this.#events.onProblem(problem);
      }
      this.#problem = problem;
    }
  }
}
