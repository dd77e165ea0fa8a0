/** The managed certificate with real keys, a Secret and a configuration in memory, and a clock of the tests. */
import { X509Certificate } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  ManagedCertificate,
  type AuthoritySecret,
  type CaBundleApi,
  type ConfigurationKind,
} from '../../src/tls/managed-certificate.ts';
import type { WebhookTrust } from '../../src/tls/kept-trust.ts';
import type { KeyPair } from '../../src/tls/authority.ts';
import { FakeClock } from '../support/clock.ts';
import { eventually } from '../support/eventually.ts';

const HOUR = 3_600_000;
const LIFETIME = 30 * HOUR;
/** Milliseconds from when a CA is trusted until it signs. */
const SETTLING = 60_000;

/** The objects that all replicas share, and the observers of these objects. */
class Objects {
  secret: AuthoritySecret | null = { data: new Map(), resourceVersion: '1' };
  trust: WebhookTrust | null = { bundles: [{ webhook: 'w', caBundle: '' }], resourceVersion: '1' };
  /** That of the configuration for advice; undefined if it is not kept. */
  advice: WebhookTrust | null | undefined;
  readonly written: string[] = [];
  refuseWrites = false;
  /** Writes of the trust of this configuration are refused. */
  refusedTrust: ConfigurationKind | undefined;
  readonly #observers: Parameters<CaBundleApi['start']>[0][] = [];
  #version = 1;

  connect(): CaBundleApi {
    return {
      start: (observer) => {
        this.#observers.push(observer);
        observer.onSecret(this.secret);
        this.#tellTrust(observer);
      },
      stop: () => Promise.resolve(),
      problems: () => [],
      writeSecret: (data, resourceVersion) => {
        if (this.refuseWrites) return Promise.reject(new Error('forbidden'));
        if (this.secret?.resourceVersion !== resourceVersion) return Promise.resolve(false);
        const next = new Map(this.secret.data);
        for (const [key, text] of data)
          if (text === '') next.delete(key);
          else next.set(key, text);
        this.written.push('secret');
        this.secret = { data: next, resourceVersion: `${++this.#version}` };
        this.tell();
        return Promise.resolve(true);
      },
      writeTrust: (configuration, webhooks, caBundle, resourceVersion) => {
        if (this.refusedTrust === configuration) return Promise.reject(new Error('forbidden'));
        const known = configuration === 'mutating' ? this.trust : this.advice;
        if (known?.resourceVersion !== resourceVersion) return Promise.resolve(false);
        this.written.push(configuration === 'mutating' ? 'trust' : 'advice');
        this.setTrust(
          webhooks.map((webhook) => ({ webhook, caBundle })),
          configuration,
        );
        return Promise.resolve(true);
      },
    };
  }

  setTrust(bundles: WebhookTrust['bundles'], configuration: ConfigurationKind = 'mutating'): void {
    const trust = { bundles, resourceVersion: `${++this.#version}` };
    if (configuration === 'mutating') this.trust = trust;
    else this.advice = trust;
    this.tell();
  }

  tell(): void {
    for (const observer of this.#observers) {
      observer.onSecret(this.secret);
      this.#tellTrust(observer);
    }
  }

  #tellTrust({ onTrust }: Parameters<CaBundleApi['start']>[0]): void {
    onTrust('mutating', this.trust);
    if (this.advice !== undefined) onTrust('validating', this.advice);
  }

  get bundle(): string {
    return this.trust?.bundles[0]?.caBundle ?? '';
  }

  get authority(): string {
    return this.secret?.data.get('ca.crt') ?? '';
  }
}

let clock: FakeClock;
let objects: Objects;
const replicas: ManagedCertificate[] = [];

beforeEach(() => {
  // Certificates count in whole seconds.
  clock = new FakeClock(Math.floor(Date.now() / 1000) * 1000);
  objects = new Objects();
});
afterEach(() => Promise.all(replicas.splice(0).map((replica) => replica.stop())));

interface Replica {
  readonly certificate: ManagedCertificate;
  readonly renewed: KeyPair[];
  readonly problems: string[];
}

function start(): Replica {
  const problems: string[] = [];
  const renewed: KeyPair[] = [];
  const certificate = new ManagedCertificate(
    objects.connect(),
    {
      names: ['localhost'],
      lifetimeMs: LIFETIME,
      secretName: 'kube-system/tls',
      configurationName: 'conf',
      adviceConfigurationName: objects.advice === undefined ? undefined : 'advice',
    },
    { onStep: () => undefined, onProblem: (problem) => problems.push(problem) },
    clock,
  );
  certificate.start((pair) => renewed.push(pair));
  replicas.push(certificate);
  return { certificate, renewed, problems };
}

function isSignedBy({ cert }: KeyPair, authority: string): boolean {
  return new X509Certificate(cert).verify(new X509Certificate(authority).publicKey);
}

/** Whether a client with the current caBundle trusts the replica's certificate. */
function isTrusted({ certificate }: Replica): boolean {
  const authorities = objects.bundle.match(/-----BEGIN[^]*?-----END CERTIFICATE-----\n?/g) ?? [];
  return authorities.some((authority) => isSignedBy(certificate.get(), authority));
}

async function ready(replica: Replica): Promise<void> {
  await eventually(() => expect(replica.certificate.healthy() && isTrusted(replica)).toBe(true));
}

/** Moves the clock; the last two steps last one poll each, because each poll may make a key. */
async function pass(milliseconds: number): Promise<void> {
  await clock.advance(milliseconds - 2000);
  for (let i = 0; i < 2; i++) {
    await clock.advance(1000);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe('at first', () => {
  it('a CA is made and trusted, and the replica serves with a certificate of it', async () => {
    const one = start();
    await ready(one);
    expect(objects.written).toEqual(['secret', 'trust']);
    expect(one.renewed).toHaveLength(1);
    expect(one.certificate.problems()).toEqual([]);
    expect([...one.certificate.ends().keys()].toSorted()).toEqual(['authority', 'serving']);
  });

  it('two replicas agree on one CA, whoever was faster', async () => {
    const both = [start(), start()];
    await Promise.all(both.map(ready));
    expect(objects.written.filter((what) => what === 'secret')).toHaveLength(1);
    for (const { certificate } of both) expect(isSignedBy(certificate.get(), objects.authority)).toBe(true);
  });

  it('there is a certificate that no client trusts, so that the webhook can serve /healthz', () => {
    objects.secret = null;
    const one = start();
    expect(new X509Certificate(one.certificate.get().cert).subjectAltName).toBe('DNS:localhost');
    expect(one.certificate.healthy()).toBe(false);
  });
});

describe('a fault is reported once, and the certificate recovers by itself:', () => {
  it.each<[string, () => void, string]>([
    ['no Secret', () => (objects.secret = null), 'Secret kube-system/tls is missing'],
    [
      'a Secret that holds something else',
      () => (objects.secret = { data: new Map([['ca.crt', 'x']]), resourceVersion: '1' }),
      'Secret kube-system/tls cannot be read',
    ],
    ['no configuration', () => (objects.trust = null), 'MutatingWebhookConfiguration conf is missing'],
  ])('%s', async (_title, spoil, problem) => {
    spoil();
    const one = start();
    await eventually(() => expect(one.problems).toEqual([expect.stringContaining(problem)]));
    await clock.advance(5000);
    expect(one.problems).toHaveLength(1);
    objects.secret = { data: new Map(), resourceVersion: '1' };
    objects.trust = { bundles: [{ webhook: 'w', caBundle: '' }], resourceVersion: '1' };
    objects.tell();
    await ready(one);
    expect(one.certificate.problems()).toEqual([]);
  });

  it('a write that is refused is tried again after five seconds, and not at each poll', async () => {
    objects.refuseWrites = true;
    const one = start();
    await eventually(() => expect(one.problems).toEqual(['forbidden']));
    objects.refuseWrites = false;
    await clock.advance(4000);
    expect(objects.written).toEqual([]);
    await eventually(async () => {
      await clock.advance(1000);
      expect(objects.written).toContain('secret');
    });
    await ready(one);
  });
});

describe('the caBundle', () => {
  it('is written again if somebody changes it, and at most once a second', async () => {
    const one = start();
    await ready(one);
    await clock.advance(2000);
    const before = objects.written.length;
    // As another program does that writes its own caBundle.
    for (let i = 0; i < 10; i++) {
      objects.setTrust([{ webhook: 'w', caBundle: 'another' }]);
      await clock.advance(0);
    }
    expect(objects.written.length - before).toBeLessThanOrEqual(1);
    objects.setTrust([{ webhook: 'w', caBundle: 'another' }]);
    await clock.advance(2000);
    await eventually(() => expect(isTrusted(one)).toBe(true));
  });

  it('is restored less and less often if somebody changes it all the time, and that is a problem', async () => {
    const one = start();
    await ready(one);
    await clock.advance(2000);
    const before = objects.written.length;
    for (let second = 0; second < 20; second++) {
      objects.setTrust([{ webhook: 'w', caBundle: 'another' }]);
      await clock.advance(1000);
    }
    expect(objects.written.length - before).toBeLessThanOrEqual(7);
    expect(one.certificate.problems()).toEqual([
      expect.stringContaining('another program changes the caBundle'),
    ]);
  });
});

describe('the configuration for advice', () => {
  const withAdvice = (): void => {
    objects.advice = { bundles: [{ webhook: 'a', caBundle: '' }], resourceVersion: '1' };
  };

  it('gets the CA too, and gets it back', async () => {
    withAdvice();
    const one = start();
    await ready(one);
    expect(objects.written.toSorted()).toEqual(['advice', 'secret', 'trust']);
    expect(objects.advice?.bundles[0]?.caBundle).toBe(objects.bundle);
    objects.setTrust([{ webhook: 'a', caBundle: 'another' }], 'validating');
    await eventually(async () => {
      await clock.advance(1000);
      expect(objects.advice?.bundles[0]?.caBundle).toBe(objects.bundle);
    });
    expect(one.certificate.problems()).toEqual([]);
  });

  it('that is missing is a problem, and stops nothing else', async () => {
    objects.advice = null;
    const one = start();
    await ready(one);
    expect(one.certificate.problems()).toEqual([
      'ValidatingWebhookConfiguration advice is missing: no advice is given',
    ]);
  });

  it('that must not be written is a problem, and pods are decided all the same', async () => {
    withAdvice();
    objects.refusedTrust = 'validating';
    const one = start();
    await ready(one);
    expect(one.certificate.problems()).toEqual(['forbidden']);
    const firstAuthority = objects.authority;
    await pass((LIFETIME * 2) / 3);
    await eventually(async () => {
      await clock.advance(5000);
      expect(objects.authority).not.toBe(firstAuthority);
    });
    expect(isTrusted(one)).toBe(true);
  });

  it('must trust a new CA before that signs', async () => {
    withAdvice();
    const one = start();
    await ready(one);
    const firstAuthority = objects.authority;
    objects.refusedTrust = 'validating';
    await pass((LIFETIME * 2) / 3);
    await eventually(async () => {
      await clock.advance(5000);
      expect(objects.bundle.match(/BEGIN/g)).toHaveLength(2);
    });
    await pass(3 * SETTLING);
    expect(isSignedBy(one.certificate.get(), firstAuthority)).toBe(true);
    objects.refusedTrust = undefined;
    await eventually(async () => {
      await clock.advance(5000);
      expect(isSignedBy(one.certificate.get(), objects.authority)).toBe(true);
    });
  });
});

it('while a new CA replaces another, clients trust the serving certificate at every step', async () => {
  const one = start();
  await ready(one);
  const firstAuthority = objects.authority;
  // After two thirds of its lifetime, the CA has a new CA beside it, and both are trusted.
  await pass((LIFETIME * 2) / 3);
  await eventually(() => expect(objects.authority).not.toBe(firstAuthority));
  await eventually(() => expect(objects.bundle.match(/BEGIN/g)).toHaveLength(2));
  expect(isTrusted(one)).toBe(true);
  // The old CA signs until every API server has learned of the new CA.
  await clock.advance(SETTLING / 2);
  expect(isSignedBy(one.certificate.get(), firstAuthority)).toBe(true);
  await clock.advance(SETTLING);
  await eventually(async () => {
    await clock.advance(1000);
    expect(isSignedBy(one.certificate.get(), objects.authority)).toBe(true);
  });
  expect(isTrusted(one)).toBe(true);
  // The old CA leaves the caBundle when it expires.
  await pass(LIFETIME / 3);
  await eventually(async () => {
    await clock.advance(1000);
    expect(objects.bundle.match(/BEGIN/g)).toHaveLength(1);
  });
  expect(isTrusted(one)).toBe(true);
  expect(one.problems).toEqual([]);
});

it('a serving certificate is renewed before it ends, with the same CA', async () => {
  const one = start();
  await ready(one);
  const first = one.certificate.get();
  const { authority } = objects;
  const life = LIFETIME / 6;
  await pass(life / 2);
  expect(one.certificate.get()).toBe(first);
  await pass(life / 2 - HOUR);
  await eventually(() => expect(one.certificate.get().cert).not.toBe(first.cert));
  expect(objects.authority).toBe(authority);
  expect(one.renewed).toHaveLength(2);
});
