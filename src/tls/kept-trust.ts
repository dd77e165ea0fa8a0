/**
 * Keeps the CAs in the caBundle of one webhook configuration: writes them, restores them if somebody changes them, and knows
 * since when they are there.
 */
import type { Authorities } from './authority-rotation.ts';
import { trustBundle } from './authority-rotation.ts';
import { TrustContest } from './trust-contest.ts';

/** The current caBundle of each webhook in a configuration. */
export interface WebhookTrust {
  /** PEM. */
  readonly bundles: readonly { readonly webhook: string; readonly caBundle: string }[];
  readonly resourceVersion: string;
}

/** Overwrites the caBundle of these webhooks. @returns false if the configuration has changed meanwhile */
export type WriteTrust = (
  webhooks: readonly string[],
  caBundle: string,
  resourceVersion: string,
) => Promise<boolean>;

/** Milliseconds between two writes at least: the watch needs a moment to report the first one. */
const WRITES_APART = 1000;

export class KeptTrust {
  /** What is reported if the configuration does not exist. */
  readonly #missing: string;
  readonly #write: WriteTrust;
  readonly #onStep: (step: string) => void;
  /** Undefined: unknown yet; null: does not exist. */
  #trust: WebhookTrust | null | undefined;
  /** Which CA the configuration trusts, and since when, as far as this replica knows. */
  #trusted: { readonly cert: string; readonly since: number } | undefined;
  /** The caBundle that this replica last wrote, and when. */
  #written: { readonly bundle: string; readonly atMs: number } | undefined;
  readonly #contest = new TrustContest();

  constructor(missing: string, write: WriteTrust, onStep: (step: string) => void) {
    this.#missing = missing;
    this.#write = write;
    this.#onStep = onStep;
  }

  /** Notes the state of the configuration; null: it does not exist. */
  note(trust: WebhookTrust | null): void {
    this.#trust = trust;
  }

  /** Writes the CAs if they are not there. */
  async keep(authorities: Authorities, now: number): Promise<void> {
    const trust = this.#trust;
    if (!trust) return;
    const bundle = trustBundle(authorities);
    if (trust.bundles.every(({ caBundle }) => caBundle === bundle)) {
      const { cert } = authorities.current;
      if (this.#trusted?.cert !== cert) this.#trusted = { cert, since: now };
      return;
    }
    const isRestoration = this.#written?.bundle === bundle;
    if (isRestoration && !this.#contest.mayRestore(now)) return;
    if (this.#written && now - this.#written.atMs < WRITES_APART) return;
    if (isRestoration) this.#contest.restored(now);
    this.#written = { bundle, atMs: now };
    const webhooks = trust.bundles.map(({ webhook }) => webhook);
    if (await this.#write(webhooks, bundle, trust.resourceVersion))
      this.#onStep(`caBundle of ${webhooks.join(', ')} written`);
  }

  /** Whether the configuration has trusted a CA for so long that its clients do too; also if it has no clients. */
  hasSettled(cert: string, settlingMs: number, now: number): boolean {
    if (this.#trust === null) return true;
    return this.#trusted?.cert === cert && now - this.#trusted.since >= settlingMs;
  }

  /** A problem that only somebody else can solve; undefined if there is none. */
  problem(now: number): string | undefined {
    return this.#trust === null ? this.#missing : this.#contest.problem(now);
  }
}
