/** The command line as a user has it: the built program, as a process. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import supertest from 'supertest';
import { admissionReview } from '../support/admission.ts';
import { cacheObject, podObject, type Json } from '../support/objects.ts';
import { imc, killRunning, start, imcHere } from '../support/imc.ts';
import { operationsOf } from '../support/patch.ts';
import { runWebhook, temporaryFolder } from '../support/webhook.ts';

const EXAMPLES = 'test/examples';
const SOURCE = ['--source', `files:${EXAMPLES}/cluster`];

afterEach(killRunning);

const explainJson = async (args: readonly string[], input = ''): Promise<Json[]> => {
  const { code, out, err } = await imc(['explain', ...SOURCE, '-o', 'json', ...args], input);
  expect([code, err]).toEqual([0, '']);
  return out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Json);
};

describe('imc', () => {
  it('has help for everything', async () => {
    for (const args of [
      ['--help'],
      ['-h'],
      ['help'],
      ['serve', '--help'],
      ['explain', '-h'],
      ['certs', '--help'],
      ['help', 'serve'],
    ]) {
      const { code, out, err } = await imc(args);
      expect([args, code, err]).toEqual([args, 0, '']);
      expect(out).toContain('imc');
    }
    expect((await imc(['serve', '--help'])).out).toContain('--pin-not-ready deny|warn|auto');
    expect((await imc(['explain', '--help'])).out).not.toContain('--port');
  });

  it.each([
    [[], 2, 'Commands:'],
    [['sreve'], 2, 'did you mean serve?'],
    [['frobnicate'], 2, 'see imc --help'],
    [['serve', '--prot', '1'], 2, 'did you mean --port?'],
    [['serve', '--port'], 2, 'imc serve: Option'],
    [['serve', 'x'], 2, 'imc serve: Unexpected argument'],
    [['serve', '--port', '1', '--port', '2'], 2, '--port is given more than once'],
    [['serve', '--port', 'x'], 2, 'flag --port is "x"; it must be a port'],
    [['serve'], 2, 'no source: give --source kubernetes, or --source files:DIR'],
    [
      ['serve', ...SOURCE],
      1,
      'no certificate to serve with: give --tls-cert FILE and --tls-key FILE, --tls-managed-secret NAMESPACE/NAME',
    ],
    [['serve', ...SOURCE, '--tls-cert', '/a', '--tls-key', '/b'], 1, '/a cannot be read'],
    [['serve', ...SOURCE, '--config', '/nowhere'], 2, '/nowhere: cannot be read'],
    [['controller'], 2, 'no source'],
    [['controller', ...SOURCE], 2, 'createOnMiss.by is eci: ECI makes the caches by itself'],
    [['controller', ...SOURCE, '--controller-quota', 'many'], 2, 'it must be a whole number, 0 or more'],
    [
      [
        'controller',
        '--source',
        'files:/nowhere',
        '--create-on-miss-by',
        'controller',
        '--metrics-port',
        '0',
      ],
      1,
      'imc controller: folder /nowhere cannot be read: no such file or directory',
    ],
    [['simulate-eci'], 2, 'no source'],
    [['simulate-eci', ...SOURCE, '--creation-time', '0'], 2, '--creation-time is "0"; it must be a duration'],
    [['status'], 1, 'no cluster: not in a pod'],
    [['status', ...SOURCE, '-o', 'xml'], 2, '-o must be one of table'],
    [
      ['status', '--source', 'files:/nowhere'],
      1,
      'folder /nowhere cannot be read: no such file or directory',
    ],
    [['explain'], 2, 'no manifest'],
    [['explain', ...SOURCE], 2, 'no manifest: give -f FILE'],
    [['explain', ...SOURCE, '-f', '/nowhere'], 1, '/nowhere cannot be read: no such file or directory'],
    [['explain', ...SOURCE, '-f', `${EXAMPLES}/cluster/cluster.yaml`], 1, 'no pod in'],
    [['explain', ...SOURCE, '-f', 'x', '-o', 'xml'], 2, '-o must be one of table'],
    [
      ['explain', '--source', 'files:/nowhere', '-f', `${EXAMPLES}/pods/16-miss.yaml`],
      1,
      'folder /nowhere cannot be read: no such file or directory',
    ],
    [['explain', ...SOURCE, '-f', 'x', '-o', 'constructor'], 2, '-o must be one of table'],
    [['certs'], 2, '--out DIR and --dns NAME,... are needed'],
    [['certs', '--out', 'x', '--dns', 'a b'], 2, '--dns is "a b"; it must be a list of DNS names'],
  ])('%j ends with %d and says %s', async (args, code, message) => {
    // One must find no kubeconfig in its environment, and one starts servers; all others end at once.
    const isApart = /^no cluster|^imc controller: folder/.test(message);
    const result = await (isApart ? imc(args) : imcHere(args));
    expect(result.code).toBe(code);
    expect(result.out + result.err).toContain(message);
  });
});

describe('imc explain', () => {
  it('-o json prints one object for each pod, each on a line of its own', async () => {
    const [one] = await explainJson(['-f', `${EXAMPLES}/pods/01-deployment-auto-perfect-match.yaml`]);
    expect(one).toMatchObject({
      workload: 'Deployment test',
      namespace: 'default',
      outcome: 'hit',
      cacheId: 'imc-2zeditzeoemfhqor0001',
      degree: { exact: 2, sameRepository: 0, images: 2 },
      reason: 'BestMatch',
      warnings: [],
      patch: [
        { op: 'add', path: '/metadata/labels/imagecache-webhook.io~1outcome', value: 'hit' },
        {
          op: 'add',
          path: '/metadata/annotations/k8s.aliyun.com~1eci-imc-id',
          value: 'imc-2zeditzeoemfhqor0001',
        },
        {
          op: 'add',
          path: '/metadata/annotations/imagecache-webhook.io~1decision',
          value: expect.any(String),
        },
      ],
    });
    const files = ['08-legacy-deployment-auto', '18-pin-not-ready', '05-workflow-acr'].flatMap((name) => [
      '-f',
      `${EXAMPLES}/pods/${name}.yaml`,
    ]);
    expect((await explainJson(files)).map(({ outcome }) => outcome)).toEqual(['hit', 'denied', 'skipped']);
  });

  it('reads standard input, and prefers the namespace of the flag to the namespace of the manifest', async () => {
    const pod = stringify(podObject({ labels: {}, images: ['postgres:16.4'] }));
    expect(await explainJson(['-f', '-'], pod)).toMatchObject([{ namespace: 'default', outcome: 'skipped' }]);
    expect(await explainJson(['-f', '-', '--namespace', 'batch'], pod)).toMatchObject([
      { namespace: 'batch', outcome: 'hit', effects: ['team-batch'] },
    ]);
  });

  it('prints a table with the request, the candidates, why each lost, the winner and the patch', async () => {
    const { out } = await imc(['explain', ...SOURCE, '-f', `${EXAMPLES}/pods/14-tie-on-size.yaml`]);
    expect(out).toContain('Pod tie-on-size in namespace default');
    expect(out).toContain('match automatically (by default), at least 1 of 1 images; storage 30Gi');
    expect(out).toMatch(/redis-small +imc-redis-small +1\/1 +0 +20Gi +\d+d +Ready +chosen/);
    expect(out).toMatch(/redis-large .* beaten: the best one is closer in size/);
    expect(out).toContain('/metadata/annotations/k8s.aliyun.com/eci-imc-id = imc-redis-small');
    // eslint-disable-next-line no-control-regex -- colours are used only in a terminal
    expect(out).not.toMatch(/\u001b/);
  });

  it('takes options from flags, environment and file', async () => {
    const pin = ['explain', ...SOURCE, '-o', 'json', '-f', `${EXAMPLES}/pods/18-pin-not-ready.yaml`];
    const folder = temporaryFolder({ 'imc.yaml': 'pin: {notReady: warn}' });
    const outcome = async (args: string[], environment = {}): Promise<unknown> =>
      (JSON.parse((await imc([...pin, ...args], '', environment)).out) as Json)['reason'];
    expect(await outcome(['--pin-not-ready', 'warn'])).toBe('PinnedNotReady');
    expect(await outcome([], { IMC_PIN_NOT_READY: 'auto' })).toBe('NoCacheQualifies');
    expect(await outcome(['--config', join(folder.path, 'imc.yaml')])).toBe('PinnedNotReady');
    folder.remove();
  });

  it('ends silently if its reader closes the pipe', () => {
    const files = Array.from({ length: 300 }, () => `-f ${EXAMPLES}/pods/13-partial-hit.yaml`).join(' ');
    const command = `"${process.execPath}" dist/main.js explain ${SOURCE.join(' ')} ${files} 2>&1 | head -1`;
    expect(execFileSync('bash', ['-c', command], { encoding: 'utf8' })).toBe(
      'Pod partial in namespace default\n',
    );
  });

  it('names what it cannot read, goes on, and ends with 1', async () => {
    const { code, out, err } = await imc(
      ['explain', ...SOURCE, '-o', 'json', '-f', '-'],
      `kind: Pod\n---\n${stringify(podObject())}`,
    );
    expect([code, err]).toEqual([1, 'imc explain: standard input:1: apiVersion is missing\n']);
    expect(out.trim().split('\n')).toHaveLength(1);
  });

  it('makes the same patch as the webhook', async () => {
    const folder = temporaryFolder({ 'c.json': cacheObject({ name: 'x' }), 'pod.json': podObject() });
    const { out } = await imc([
      'explain',
      '--source',
      `files:${folder.path}`,
      '-o',
      'json',
      '-f',
      join(folder.path, 'pod.json'),
    ]);
    const webhook = await runWebhook(folder.path);
    await webhook.synced;
    const response = await webhook.review(admissionReview(podObject()));
    await webhook.stop();
    expect(operationsOf(response)).toEqual((JSON.parse(out) as Json)['patch']);
    folder.remove();
  });
});

describe('imc certs', () => {
  it('makes a CA and a certificate, and keeps them the next time', async () => {
    const folder = temporaryFolder();
    const args = ['certs', '--out', join(folder.path, 'new'), '--dns', 'localhost,10.0.0.1'];
    expect((await imc(args)).out).toMatch(/CA +made[^]*certificate +made[^]*caBundle[^]*LS0tLS1CRUdJTi/);
    expect((await imc(args)).out).toMatch(/CA +kept[^]*certificate +kept/);
    folder.remove();
  });
});

/** The arguments of `serve` on free ports, with a certificate that it makes in a folder. */
function serveArgs(source: string, certs: string, shutdownDelay: string): string[] {
  const ports = ['--port', '0', '--metrics-port', '0'];
  return [
    'serve',
    '--source',
    source,
    '--tls-self-signed',
    certs,
    ...ports,
    '--shutdown-delay',
    shutdownDelay,
  ];
}

async function untilLine(lines: AsyncIterator<string>, part: string): Promise<void> {
  for (;;) {
    const { value, done } = await lines.next();
    if (done === true) throw new Error(`no line with ${part}`);
    if (value.includes(part)) return;
  }
}

describe('imc serve', () => {
  it('serves, follows the folder, logs what is wrong, and stops cleanly on SIGTERM', async () => {
    const folder = temporaryFolder({ 'a.json': cacheObject({ name: 'a' }) });
    const certs = temporaryFolder();
    const child = start(serveArgs(`files:${folder.path}`, certs.path, '100ms'), { IMC_HOST: '127.0.0.1' });
    const lines: Json[] = [];
    const reader = createInterface({ input: child.stdout! });
    reader.on('line', (line) => lines.push(JSON.parse(line) as Json));
    const waitFor = async (wanted: (line: Json) => boolean): Promise<Json> => {
      for (;;) {
        const found = lines.find(wanted);
        if (found) return found;
        await once(reader, 'line');
      }
    };
    const { address } = await waitFor(({ msg }) => msg === 'serving');
    await waitFor(({ msg }) => msg === 'ready');
    const ca = readFileSync(join(certs.path, 'ca.crt'), 'utf8');
    const review = async (): Promise<Json> => {
      const { body } = await supertest(String(address))
        .post('/mutate')
        .ca(ca)
        .send(admissionReview(podObject()));
      return (body as { response: Json }).response;
    };
    expect(await review()).toMatchObject({ auditAnnotations: { 'image-cache': 'imc-a' } });

    folder.write('b.yaml', 'a: [');
    await waitFor(({ level, problem }) => level === 40 && String(problem).includes('b.yaml:1'));
    folder.write('b.yaml', stringify(cacheObject({ name: 'b', created: '2026-11-20T00:00:00Z' })));
    await waitFor(({ imageCaches }) => imageCaches === 2);
    expect(await review()).toMatchObject({ auditAnnotations: { 'image-cache': 'imc-b' } });

    child.kill('SIGTERM');
    const [code] = (await once(child, 'close')) as [number | null];
    expect(code).toBe(0);
    expect(lines.at(-1)).toMatchObject({ msg: 'stopped' });
    folder.remove();
    certs.remove();
  });

  it('ends with an error if the source cannot be read', async () => {
    const certs = temporaryFolder();
    // The program must not wait for this long delay.
    const { code, err } = await imc(serveArgs('files:/nowhere', certs.path, '1h'));
    expect(code).toBe(1);
    expect(err).toContain('folder /nowhere cannot be read: no such file or directory');
    certs.remove();
  });

  it('ends at once on a second signal', async () => {
    const certs = temporaryFolder();
    const child = start(serveArgs(`files:${EXAMPLES}/cluster`, certs.path, '1h'));
    const reader = createInterface({ input: child.stdout! });
    const lines = reader[Symbol.asyncIterator]();
    await untilLine(lines, '"ready"');
    child.kill('SIGTERM');
    await untilLine(lines, '"shutting down');
    expect(child.exitCode).toBeNull();
    child.kill('SIGTERM');
    const [code] = (await once(child, 'close')) as [number | null];
    expect(code).toBe(130);
    certs.remove();
  });
});

it('a long output reaches a pipe whole', async () => {
  const manifest = Array.from({ length: 1000 }, () => JSON.stringify(podObject())).join('\n---\n');
  expect(await explainJson(['-f', '-'], manifest)).toHaveLength(1000);
});

describe('imc status', () => {
  it('shows every ImageCache, whoever made it, and names and skips an ImageCache that cannot be read', async () => {
    const hour = 3_600_000;
    const before = (milliseconds: number): string => new Date(Date.now() - milliseconds).toISOString();
    const own = cacheObject({ name: 'auto-1', images: ['a:1', 'b:1'], created: before(3 * hour) });
    const folder = temporaryFolder({
      'own.json': {
        ...own,
        metadata: {
          ...(own['metadata'] as Json),
          labels: { 'imagecache-webhook.io/made-by': 'controller' },
          annotations: {
            'imagecache-webhook.io/hits': '42',
            'imagecache-webhook.io/last-used': before(10 * 60_000),
          },
        },
      },
      'mine.json': cacheObject({
        name: 'mine',
        images: ['c:1'],
        id: null,
        phase: 'Creating',
        progress: '40%',
        size: 40,
        created: before(2 * hour),
        expires: before(-48 * hour - 60_000),
      }),
      'bad.json': { ...own, metadata: { name: 'bad' }, spec: { images: [] } },
    });
    const args = ['status', '--source', `files:${folder.path}`];
    const table = await imc(args);
    expect(
      table.out
        .trim()
        .split('\n')
        .map((line) => line.split(/ {2,}/)),
    ).toEqual([
      [
        'NAME',
        'CACHEID',
        'PHASE',
        'SIZE',
        'AGE',
        'LAST USED',
        'HITS',
        'SETS',
        'MADE BY',
        'EXPIRES',
        'IMAGES',
      ],
      ['auto-1', 'imc-auto-1', 'Ready', '20Gi', '3h', '10m', '42', '1', 'controller', 'never', 'a:1, b:1'],
      ['mine', '-', 'Creating 40%', '40Gi', '2h', '-', '-', '-', 'hand', 'in 2d', 'c:1'],
    ]);
    expect([table.code, table.err]).toEqual([
      1,
      'imc status: ImageCache bad: spec.images must be an array of at least one image\n',
    ]);
    const { out } = await imc([...args, '-o', 'json']);
    const [first] = out.split('\n');
    expect(JSON.parse(first!)).toMatchObject({
      name: 'auto-1',
      hits: 42,
      madeBy: 'controller',
      expiresAt: null,
    });
    folder.remove();
  });
});
