import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { Config } from '../../src/config/config.ts';
import { REASONS } from '../../src/core/decision/reasons.ts';
import { environmentName, flagName, SETTINGS } from '../../src/config/settings.ts';
import { loadConfig } from '../../src/config/load.ts';
import { ConfigError } from '../../src/config/validate.ts';
import { temporaryFolder } from '../support/webhook.ts';

const folder = temporaryFolder();
afterAll(folder.remove);

function load(
  file: string | undefined,
  environment: Record<string, string> = {},
  flags: Record<string, string> = {},
): Config {
  if (file !== undefined) folder.write('imc.yaml', file);
  return loadConfig(
    file === undefined ? undefined : join(folder.path, 'imc.yaml'),
    new Map(Object.entries(flags)),
    environment,
  );
}

function faults(...args: Parameters<typeof load>): readonly string[] {
  try {
    load(...args);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.faults.map((fault) => fault.replaceAll(`${folder.path}/`, ''));
  }
}

describe('the configuration', () => {
  it('has every key of its type, with the documented defaults', () => {
    expect(load(undefined)).toEqual({
      source: '',
      kubeconfig: '',
      kubeContext: '',
      bindTime: false,
      scope: 'eci',
      region: { name: '', api: false, endpoint: '', pollIntervalMs: 60_000, maxStalenessMs: 300_000 },
      minimumMatch: 'image',
      expiryMarginMs: 600_000,
      maxStalenessMs: 60_000,
      onInvalidAnnotation: 'warn',
      pin: { notReady: 'deny', unknown: 'warn' },
      dialect: 'modern',
      pullPolicy: 'warn',
      partialHits: 'auto',
      imageVolumes: 'ignore',
      sharing: { mode: 'namespace', publicRegistries: ['docker.io/library', 'registry.k8s.io'] },
      createOnMiss: { when: 'incomplete', after: 1, by: 'eci' },
      waitForCache: 'never',
      prices: { diskGibHour: 0.0021, vcpuSecond: 0.000_049, memoryGibSecond: 0.000_006_13 },
      pullRate: 7.7,
      prewarm: false,
      prewarmNamespaces: 'all',
      prewarmExcept: ['kube-system'],
      host: '0.0.0.0',
      port: 8443,
      metricsPort: 9090,
      healthPort: 0,
      server: { apiServers: [] },
      tls: {
        cert: '',
        key: '',
        selfSigned: '',
        dnsNames: ['localhost', '127.0.0.1', '::1'],
        clientCa: '',
        clientNames: [],
        managed: {
          secret: '',
          webhookConfiguration: 'imagecache-webhook',
          adviceConfiguration: '',
          lifetimeMs: 31_536_000_000,
        },
      },
      controller: {
        quota: 100,
        dryRun: false,
        packing: true,
        tenantLabel: '',
        tenantCreationsPerHour: 20,
        creationsPerHour: 100,
        maxSize: 100,
        webhookTimeoutMs: 30_000,
        exceptNamespaces: ['kube-system'],
        idleDays: 30,
        reuse: false,
        refresh: 'never',
        snapshotCopies: false,
        flash: false,
        retentionDays: 0,
        privateImages: 'namespace',
        lease: 'kube-system/imagecache-controller',
        leaseDurationMs: 15_000,
      },
      shutdownDelayMs: 5000,
      logLevel: 'info',
    } satisfies Config);
  });

  it('comes from flags first, then the environment, the file and the defaults', () => {
    const file = 'dialect: legacy\nscope: all\npin:\n  notReady: warn\nport: 1\n';
    expect(load(file)).toMatchObject({
      dialect: 'legacy',
      scope: 'all',
      pin: { notReady: 'warn', unknown: 'warn' },
      port: 1,
    });
    const environment = { IMC_DIALECT: 'both', IMC_PIN_NOT_READY: 'auto', IMC_PORT: '2', OTHER: 'x' };
    expect(load(file, environment)).toMatchObject({
      dialect: 'both',
      scope: 'all',
      pin: { notReady: 'auto' },
      port: 2,
    });
    expect(load(file, environment, { dialect: 'modern', port: '3' })).toMatchObject({
      dialect: 'modern',
      pin: { notReady: 'auto' },
      port: 3,
    });
  });

  it('may be in a file of JSON, in an empty file, or in the file that IMC_CONFIG names', () => {
    expect(load('{"pin": {"unknown": "deny"}}')).toMatchObject({ pin: { unknown: 'deny' } });
    expect(load('# nothing\n')).toEqual(load(undefined));
    folder.write('other.yaml', 'port: 7');
    expect(load(undefined, { IMC_CONFIG: join(folder.path, 'other.yaml') }).port).toBe(7);
  });

  it.each([
    ['10m', 600_000],
    ['90s', 90_000],
    ['1h30m', 5_400_000],
    ['250ms', 250],
    ['0', 0],
    ['0s', 0],
  ])('reads the duration %s', (text, milliseconds) => {
    expect(load(`expiryMargin: ${text}`).expiryMarginMs).toBe(milliseconds);
    expect(load(undefined, { IMC_EXPIRY_MARGIN: text }).expiryMarginMs).toBe(milliseconds);
  });
});

describe('a fault is reported with its path and the allowed values', () => {
  it.each<[string, Parameters<typeof load>, string[]]>([
    [
      'an unknown key',
      ['dialekt: modern'],
      [
        expect.stringContaining(
          'imc.yaml: dialekt is not a key; did you mean dialect? allowed are source, kubeconfig',
        ) as string,
      ],
    ],
    [
      'an unknown key in a group',
      ['pin: {notready: warn}'],
      [
        'imc.yaml: pin.notready is not a key; did you mean pin.notReady? allowed are pin.notReady, pin.unknown',
      ],
    ],
    [
      'a group as a value',
      ['pin: deny'],
      [expect.stringContaining('imc.yaml: pin is not a key; allowed are source, kubeconfig') as string],
    ],
    [
      'a value as a group',
      ['scope: {all: true}'],
      ['imc.yaml: scope is {"all":true}; it must be one of eci, all'],
    ],
    ['a bad choice', ['scope: everything'], ['imc.yaml: scope is "everything"; it must be one of eci, all']],
    [
      'a boolean for a choice',
      ['pullPolicy: true'],
      ['imc.yaml: pullPolicy is true; it must be one of warn, keep, enforce'],
    ],
    [
      'a duration without a unit',
      ['expiryMargin: 10'],
      ['imc.yaml: expiryMargin is 10; it must be a duration such as "10m", "90s" or "1h30m"'],
    ],
    ['a negative duration', ['maxStaleness: -1s'], [expect.stringContaining('must be a duration') as string]],
    [
      'a port that is too high',
      ['port: 65536'],
      [expect.stringContaining('imc.yaml: port is 65536; it must be a port') as string],
    ],
    [
      'a port that is no number',
      [undefined, { IMC_PORT: 'tcp://10.0.0.1:80' }],
      [expect.stringContaining('environment variable IMC_PORT is "tcp://10.0.0.1:80"') as string],
    ],
    [
      'an unknown source',
      ['source: folder'],
      ['imc.yaml: source is "folder"; it must be kubernetes, or files:DIR, a folder of manifests'],
    ],
    [
      'DNS names with a space',
      ['tls: {dnsNames: [a b]}'],
      [expect.stringContaining('tls.dnsNames is ["a b"]; it must be a list of DNS names') as string],
    ],
    [
      'an unknown variable',
      [undefined, { IMC_PIN_NOTREADY: 'warn' }],
      [
        expect.stringContaining(
          'environment variable IMC_PIN_NOTREADY is not a key; did you mean IMC_PIN_NOT_READY? allowed are IMC_SOURCE',
        ) as string,
      ],
    ],
    [
      'a bad flag',
      [undefined, {}, { 'createOnMiss.by': 'me' }],
      ['flag --create-on-miss-by is "me"; it must be one of eci, controller, auto'],
    ],
    [
      'a text for a boolean',
      ['bindTime: sometimes'],
      ['imc.yaml: bindTime is "sometimes"; it must be true or false'],
    ],
    [
      'a maxStaleness that is too short for watches',
      ['source: kubernetes\nmaxStaleness: 2s'],
      [
        'maxStaleness is 2000 ms; with source kubernetes it must be at least 3s, because a watch cannot be shorter than a second',
      ],
    ],
    [
      'a certificate without a key',
      ['tls: {cert: a.crt}'],
      ['tls.cert and tls.key go together: give both, or neither'],
    ],
    [
      'two kinds of certificate',
      ['tls: {cert: a, key: b, selfSigned: c}'],
      ['tls.cert and tls.selfSigned cannot be combined: give one of them'],
    ],
    [
      'names of clients without a CA for clients',
      ['tls: {clientNames: [kube-apiserver]}'],
      ['tls.clientNames needs tls.clientCa: without a CA any client could claim any name'],
    ],
    [
      'a lease duration that is not in whole seconds',
      ['controller: {leaseDuration: 1500ms}'],
      ['controller.leaseDuration is 1500 ms; it must be whole seconds, at least one'],
    ],
    [
      'a quota that is no number',
      ['controller: {quota: many}'],
      ['imc.yaml: controller.quota is "many"; it must be a whole number, 0 or more'],
    ],
    [
      'a Secret without a namespace',
      ['tls: {managed: {secret: ca}}'],
      ['imc.yaml: tls.managed.secret is "ca"; it must be NAMESPACE/NAME'],
    ],
    [
      'a CA with too short a lifetime',
      ['tls: {managed: {lifetime: 29s}}'],
      ['tls.managed.lifetime is 29000 ms; it must be at least 30s, because certificates count in seconds'],
    ],
    ['a file that is a list', ['- a'], ['imc.yaml: is an array; it must be an object of keys']],
    ['a file that is no YAML', ['a: 1\nb: ['], [expect.stringMatching(/^imc\.yaml:\d: /) as string]],
    ['a duplicate key', ['port: 1\nport: 2'], [expect.stringContaining('imc.yaml:2: ') as string]],
    [
      'a key called __proto__',
      ['__proto__: {a: 1}'],
      [expect.stringContaining('__proto__ is not a key') as string],
    ],
  ])('%s', (_title, args, expected) => {
    expect(faults(...args)).toEqual(expected);
  });

  it('a boolean is a YAML boolean in the file, and true or false as text elsewhere', () => {
    expect(load('bindTime: true').bindTime).toBe(true);
    expect(load('bindTime: true', { IMC_BIND_TIME: 'false' }).bindTime).toBe(false);
    expect(load(undefined, {}, { bindTime: 'true' }).bindTime).toBe(true);
    expect(faults(undefined, { IMC_BIND_TIME: 'yes' })).toHaveLength(1);
  });

  it('all faults are reported at once, wherever they are', () => {
    expect(faults('scope: x\nfoo: 1', { IMC_DIALECT: 'x' }, { port: 'x' })).toHaveLength(4);
  });

  it('a missing file is reported', () => {
    expect(() => loadConfig('/nowhere/imc.yaml', new Map(), {})).toThrow(
      '/nowhere/imc.yaml: cannot be read: no such file or directory',
    );
  });
});

describe('names', () => {
  it.each([
    ['port', 'IMC_PORT', 'port'],
    ['metricsPort', 'IMC_METRICS_PORT', 'metrics-port'],
    ['pin.notReady', 'IMC_PIN_NOT_READY', 'pin-not-ready'],
    ['tls.selfSigned', 'IMC_TLS_SELF_SIGNED', 'tls-self-signed'],
    ['createOnMiss.when', 'IMC_CREATE_ON_MISS_WHEN', 'create-on-miss-when'],
  ])('of %s are %s and --%s', (path, variable, flag) => {
    expect([environmentName(path), flagName(path)]).toEqual([variable, flag]);
  });

  it('and meanings of every key are in docs/reference.md', () => {
    const reference = readFileSync('docs/reference.md', 'utf8');
    const missing = SETTINGS.filter(
      ({ path, help }) =>
        !new RegExp(`^\\| \`${path}\` +\\|`, 'm').test(reference) || !reference.includes(help),
    );
    expect(missing.map(({ path }) => path)).toEqual([]);
  });

  it('of every reason of a decision are in docs/reference.md', () => {
    const reference = readFileSync('docs/reference.md', 'utf8');
    const missing = Object.entries(REASONS).filter(
      ([code, meaning]) => !reference.includes(`\`${code}\``) || !reference.includes(meaning),
    );
    expect(missing).toEqual([]);
  });
});
