/**
 * The certificate that the webhook manages itself: a CA in a Secret that all replicas share, a serving certificate in
 * the memory of each replica, and the CA in the caBundle of the webhook configurations (kept-trust.ts). A new CA replaces the old CA in
 * this order, so that clients always trust the serving certificate:
 *
 * 1. a replica puts the new CA into the Secret beside the old CA, which still signs;
 * 2. the replicas put both CAs into the caBundle, which they also restore if somebody changes it;
 * 3. when the caBundle has held both CAs for a while, each replica serves with a certificate of the new CA;
 * 4. when the old CA has ended, a replica removes it.
 */
import type { Clock, Timer } from '../clock.ts';
import { messageOf } from '../core/kubernetes/problem.ts';
import {
  createAuthority,
  createKeyInBackground,
  issueServingCertificate,
  type KeyPair,
  type PrivateKey,
} from './authority.ts';
import {
  dated,
  dueStep,
  isDueForRenewal,
  readAuthorities,
  takeStep,
  writeAuthorities,
  type Authorities,
  type Dated,
} from './authority-rotation.ts';
import type { CertificateEvents, CertificateSource } from './certificate-source.ts';
import { KeptTrust, type WebhookTrust, type WriteTrust } from './kept-trust.ts';

/** The current state of the Secret with the CA. */
export interface AuthoritySecret {
  /** Decoded from base64. */
  readonly data: ReadonlyMap<string, string>;
  readonly resourceVersion: string;
}

/** The API calls that a managed certificate needs; sources/kubernetes implements them. */
export interface CaBundleApi {
  /** Reports the state of all objects, at first and after each change; null: the object does not exist. */
  start(observer: {
    readonly onSecret: (secret: AuthoritySecret | null) => void;
    readonly onTrust: (configuration: ConfigurationKind, trust: WebhookTrust | null) => void;
  }): void;
  stop(): Promise<void>;
  /** The problems with the connection to the API server, one per line. */
  problems(): readonly string[];
  /** Overwrites the given keys. @returns false if the Secret has changed meanwhile; then nothing is written */
  writeSecret(data: ReadonlyMap<string, string>, resourceVersion: string): Promise<boolean>;
  writeTrust(configuration: ConfigurationKind, ...trust: Parameters<WriteTrust>): Promise<boolean>;
}

/** `mutating` decides on pods, `validating` gives advice on workloads. */
export type ConfigurationKind = 'mutating' | 'validating';

export interface ManagedOptions {
  /** DNS names and IP addresses that clients use for the webhook. */
  readonly names: readonly string[];
  /** How long a CA is valid. */
  readonly lifetimeMs: number;
  /** Names for messages. */
  readonly secretName: string;
  readonly configurationName: string;
  /** Undefined: advice is not given, or somebody else keeps its caBundle. */
  readonly adviceConfigurationName?: string | undefined;
}

/** A serving certificate lasts this share of the CA's life, so that it is renewed long before the CA ends. */
const SERVING_SHARE = 1 / 6;
/** How long API servers may take to use a new caBundle: milliseconds at most, and a share of the CA's lifetime. */
const LONGEST_SETTLING = 60_000;
const SETTLING_SHARE = 1 / 12;
/** Milliseconds. */
const POLL_EVERY_MS = 1000;
const RETRY_AFTER = 5000;

export class ManagedCertificate implements CertificateSource {
  readonly #api: CaBundleApi;
  readonly #options: ManagedOptions;
  readonly #events: CertificateEvents;
  readonly #clock: Clock;
  /** Undefined: unknown yet; null: does not exist. */
  #secret: AuthoritySecret | null | undefined;
  /** The last readable content of the Secret. */
  #authorities: Authorities | undefined;
  #readFrom: AuthoritySecret | undefined;
  readonly #kept: ReadonlyMap<ConfigurationKind, KeptTrust>;
  #serving: Dated;
  /** The CA that signed the serving certificate; undefined for the first one, which nobody can trust. */
  #signer: Dated | undefined;
  #problem: string | undefined;
  #restUntilMs = 0;
  #timer: Pick<Timer, 'cancel'> | undefined;
  #working: Promise<void> | undefined;
  #wokenAgain = false;
  #stopped = false;

  /** Until the Secret has been read, a certificate that nobody can trust serves /healthz. */
  constructor(api: CaBundleApi, options: ManagedOptions, events: CertificateEvents, clock: Clock) {
    this.#api = api;
    this.#options = options;
    this.#events = events;
    this.#clock = clock;
    this.#serving = dated(issueServingCertificate(createAuthority(clock.now()), options.names, clock.now()));
    this.#kept = new Map(
      configurationsOf(options).map(([kind, missing]) => {
        const write: WriteTrust = (...trust) => api.writeTrust(kind, ...trust);
        return [kind, new KeptTrust(missing, write, events.onStep)];
      }),
    );
  }

  get(): KeyPair {
    return this.#serving;
  }

  healthy(): boolean {
    return this.#signer !== undefined;
  }

  problems(): readonly string[] {
    return [...this.#api.problems(), ...(this.#problem === undefined ? [] : [this.#problem])];
  }

  ends(): ReadonlyMap<string, number> {
    const ends = new Map<string, number>();
    if (this.#signer) ends.set('serving', this.#serving.endsAtMs);
    const current = this.#authorities?.current;
    if (current) ends.set('authority', current.endsAtMs);
    return ends;
  }

  start(onRenewed: (pair: KeyPair) => void): void {
    const wake = (): void => this.#wake(onRenewed);
    this.#timer = this.#clock.every(POLL_EVERY_MS, wake);
    this.#api.start({
      onSecret: (secret) => {
        this.#secret = secret;
        wake();
      },
      onTrust: (configuration, trust) => {
        this.#kept.get(configuration)?.note(trust);
        wake();
      },
    });
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#api.stop();
    await this.#working;
  }

  /** Runs one reconciliation at a time, and another one afterwards if something changed meanwhile. */
  #wake(onRenewed: (pair: KeyPair) => void): void {
    this.#wokenAgain = true;
    this.#working ??= this.#work(onRenewed).finally(() => {
      this.#working = undefined;
    });
  }

  async #work(onRenewed: (pair: KeyPair) => void): Promise<void> {
    while (this.#wokenAgain && !this.#stopped && this.#clock.now() >= this.#restUntilMs) {
      this.#wokenAgain = false;
      try {
        // oxlint-disable-next-line no-await-in-loop -- each round reads what the round before wrote
        this.#note(await this.#reconcile(onRenewed));
      } catch (error) {
        if (this.#stopped) return;
        this.#restUntilMs = this.#clock.now() + RETRY_AFTER;
        this.#note(messageOf(error));
      }
    }
  }

  #note(problem: string | undefined): void {
    if (problem !== undefined && problem !== this.#problem) this.#events.onProblem(problem);
    this.#problem = problem;
  }

  /** @returns a problem that only somebody else can solve; undefined if there is none */
  async #reconcile(onRenewed: (pair: KeyPair) => void): Promise<string | undefined> {
    const secret = this.#secret;
    const fault = this.#readSecret(secret);
    const authorities = this.#authorities;
    let failed: unknown;
    if (authorities) {
      // The renewal comes first: it needs no request, so a failed request does not stop it.
      await this.#renew(authorities, onRenewed);
      failed = await this.#keepTrust(authorities);
    }
    if (secret && fault === undefined) await this.#takeDueStep(authorities, secret);
    if (fault !== undefined) return fault;
    if (failed !== undefined) throw failed;
    const now = this.#clock.now();
    return [...this.#kept.values()].flatMap((kept) => kept.problem(now) ?? [])[0];
  }

  /** @returns why a write failed, which stops neither the other writes nor the rotation; undefined if none did */
  async #keepTrust(authorities: Authorities): Promise<unknown> {
    let failed: unknown;
    for (const kept of this.#kept.values()) {
      try {
        // oxlint-disable-next-line no-await-in-loop -- two at most
        await kept.keep(authorities, this.#clock.now());
      } catch (error) {
        failed ??= error;
      }
    }
    return failed;
  }

  async #takeDueStep(authorities: Authorities | undefined, secret: AuthoritySecret): Promise<void> {
    const step = dueStep(authorities, this.#clock.now());
    if (!step) return;
    const next = await takeStep(step, authorities, () => this.#createAuthority(), this.#clock.now());
    // If another replica was faster, nothing is written, and the watch reports the other replica's change.
    if (await this.#api.writeSecret(writeAuthorities(next), secret.resourceVersion))
      this.#events.onStep(`Secret ${this.#options.secretName}: ${STEP_MESSAGE[step]}`);
  }

  /** Takes over the content of the Secret if it can be read. @returns why it cannot */
  #readSecret(secret: AuthoritySecret | null | undefined): string | undefined {
    if (secret === undefined) return undefined;
    const { secretName } = this.#options;
    if (secret === null) return `Secret ${secretName} is missing: make an empty one, as the chart does`;
    try {
      if (this.#readFrom !== secret) this.#authorities = readAuthorities(secret.data);
      this.#readFrom = secret;
      return undefined;
    } catch (error) {
      return `Secret ${secretName} cannot be read: ${messageOf(error)}; empty it to have a new CA made`;
    }
  }

  async #createAuthority(): Promise<KeyPair> {
    return createAuthority(this.#clock.now(), this.#options.lifetimeMs, await createKeyInBackground());
  }

  async #renew(authorities: Authorities, onRenewed: (pair: KeyPair) => void): Promise<void> {
    const signer = this.#signerOf(authorities);
    if (this.#clock.now() >= signer.endsAtMs) return;
    if (signer.cert === this.#signer?.cert && !isDueForRenewal(this.#serving, this.#clock.now())) return;
    const key: PrivateKey = await createKeyInBackground();
    const { names, lifetimeMs } = this.#options;
    this.#serving = dated(
      issueServingCertificate(signer, names, this.#clock.now(), lifetimeMs * SERVING_SHARE, key),
    );
    this.#signer = signer;
    onRenewed(this.#serving);
    const until = new Date(this.#serving.endsAtMs).toISOString();
    this.#events.onStep(`serving with a certificate that is valid until ${until}`);
  }

  #signerOf({ current, previous }: Authorities): Dated {
    const now = this.#clock.now();
    const settling = Math.min(LONGEST_SETTLING, this.#options.lifetimeMs * SETTLING_SHARE);
    if (!previous || previous.endsAtMs - now <= settling) return current;
    const isSettled = [...this.#kept.values()].every((kept) => kept.hasSettled(current.cert, settling, now));
    return isSettled ? current : previous;
  }
}

/** The configurations to keep, each with what is reported if it does not exist. */
function configurationsOf({
  configurationName,
  adviceConfigurationName,
}: ManagedOptions): [ConfigurationKind, string][] {
  const pods = `MutatingWebhookConfiguration ${configurationName} is missing: no pod is sent to the webhook`;
  const advice = `ValidatingWebhookConfiguration ${adviceConfigurationName} is missing: no advice is given`;
  return adviceConfigurationName === undefined
    ? [['mutating', pods]]
    : [
        ['mutating', pods],
        ['validating', advice],
      ];
}

const STEP_MESSAGE = {
  create: 'a CA was made',
  rotate: 'a new CA was made, and is trusted beside the old one',
  forget: 'the old CA has ended and was taken out',
};
