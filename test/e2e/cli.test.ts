/** The command line against a real cluster: the built program, as a process. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { imc, killRunning, start } from '../support/imc.ts';
import type { Json } from '../support/objects.ts';
import { sendHttps } from '../support/https.ts';
import { runOwned } from '../support/owned-process.ts';
import { temporaryFolder } from '../support/webhook.ts';
import {
  accountToken,
  makeDue,
  ONCE_A_YEAR,
  putImageCache,
  register,
  startCluster,
  startInCluster,
  unregister,
} from './support/cluster.ts';
import { ADMIN_TOKEN, kubeconfig, type ControlPlane } from './support/control-plane.ts';
import { findPrograms } from './support/programs.ts';

const POD = 'test/examples/pods/01-deployment-auto-perfect-match.yaml';
const folder = temporaryFolder();
const file = join(folder.path, 'kubeconfig');
const KUBERNETES = ['--source', 'kubernetes', '--kubeconfig', file];

let plane: ControlPlane;
beforeAll(async () => {
  plane = await startCluster();
  await putImageCache(plane.api, {
    name: 'sample',
    images: ['nginx:1.14.2', 'busybox:1.30'].map(
      (image) => `registry.cn-shanghai.aliyuncs.com/eci_open/${image}`,
    ),
  });
  folder.write('kubeconfig', kubeconfig(plane.url, plane.ca, { token: await accountToken(plane.api) }));
});
afterEach(killRunning);
afterAll(async () => {
  await plane?.stop();
  folder.remove();
});

describe('imc explain', () => {
  it('explains a pod against the live cluster, whose kubeconfig may be a flag or KUBECONFIG', async () => {
    const byFlag = await imc(['explain', ...KUBERNETES, '-o', 'json', '-f', POD]);
    const byVariable = await imc(['explain', '--source', 'kubernetes', '-o', 'json', '-f', POD], '', {
      KUBECONFIG: file,
    });
    for (const { code, out, err } of [byFlag, byVariable]) {
      expect([code, err]).toEqual([0, '']);
      expect(JSON.parse(out)).toMatchObject({ outcome: 'hit', cacheId: 'imc-sample' });
    }
  });

  it('says what it cannot read, and writes nothing to the cluster', async () => {
    const configMaps = '/api/v1/namespaces/kube-system/configmaps';
    await plane.api.create(configMaps, { metadata: { name: 'eci-profile' }, data: { selectors: '{' } });
    const { code, out, err } = await imc(['explain', ...KUBERNETES, '-o', 'json', '-f', POD]);
    expect([code, err]).toEqual([
      0,
      expect.stringMatching(
        /^imc explain: source: ConfigMap kube-system\/eci-profile: data\.selectors is not JSON: .*; it is not used\n$/,
      ),
    ]);
    expect(JSON.parse(out)).toMatchObject({ outcome: 'hit' });
    expect(await plane.api.list('/api/v1/namespaces/kube-system/events')).not.toContainEqual(
      expect.objectContaining({ reason: 'InvalidEciProfile' }),
    );
    await plane.api.remove(`${configMaps}/eci-profile`);
  });

  it.each([
    [
      'no such context',
      [...KUBERNETES, '--kube-context', 'prod'],
      'there is no context "prod"; there are test',
    ],
    [
      'no such file',
      ['--source', 'kubernetes', '--kubeconfig', '/nowhere'],
      '/nowhere cannot be read: no such file or directory',
    ],
    ['no kubeconfig', ['--source', 'kubernetes'], 'no cluster: not in a pod'],
  ])('%s: ends with 1 and says what is missing', async (_title, flags, message) => {
    const { code, err } = await imc(['explain', ...flags, '-f', POD], '', { HOME: '/nowhere' });
    expect([code, err]).toEqual([1, expect.stringContaining(message)]);
  });

  it('ends with 1 and says so if the API server does not listen, or does not accept the token', async () => {
    folder.write('dead', kubeconfig('https://127.0.0.1:1', plane.ca, { token: 'x' }));
    folder.write('stranger', kubeconfig(plane.url, plane.ca, { token: 'stranger' }));
    for (const [name, message] of [
      ['dead', 'ECONNREFUSED'],
      ['stranger', 'HTTP 401: Unauthorized'],
    ] as const) {
      const flags = ['--source', 'kubernetes', '--kubeconfig', join(folder.path, name)];
      const { code, err } = await imc(['explain', ...flags, '-f', POD]);
      expect([code, err]).toEqual([1, expect.stringContaining(message)]);
    }
  });
});

describe('imc check', () => {
  const admin = join(folder.path, 'admin');
  const check = (...flags: string[]): ReturnType<typeof imc> =>
    imc(['check', '--only', 'pods', '--kubeconfig', admin, '--timeout', '1s', ...flags]);
  beforeAll(() => folder.write('admin', kubeconfig(plane.url, plane.ca, { token: ADMIN_TOKEN })));

  it('ends with 1 if no webhook is registered, and says what to look at', async () => {
    const { code, out, err } = await check();
    expect([code, err]).toEqual([1, '']);
    expect(out).toContain('The webhook did not decide a pod of namespace default within 1 s');
    const section = /See "(.*)" in (docs\/\w+\.md)/.exec(out);
    expect(readFileSync(section![2]!, 'utf8')).toContain(`\n## ${section![1]}\n`);
  });

  it('ends with 0 if a webhook decides, shows its decision, and creates nothing', async () => {
    await using webhook = await startInCluster(plane);
    await webhook.synced;
    await register(plane.api, 'imagecache-webhook', webhook);
    const { code, out, err } = await check();
    expect([code, err]).toEqual([0, '']);
    expect(out).toBe(
      "pods  ok  The webhook decides pods of namespace default. Decision for a test pod: miss, no ImageCache in this cluster holds any of the pod's images.\n",
    );
    expect(await plane.api.list('/api/v1/namespaces/default/pods')).toEqual([]);
    await unregister(plane.api, 'imagecache-webhook');
  });

  it.each([
    ['may not create pods', ['--kubeconfig', file], 'HTTP 403: pods is forbidden'],
    [
      'names a namespace that does not exist',
      ['--namespace', 'nowhere'],
      'HTTP 404: namespaces "nowhere" not found',
    ],
  ])('somebody who %s is told so, and the exit code is 1', async (_title, flags, message) => {
    const others = flags.includes('--kubeconfig') ? [] : ['--kubeconfig', admin];
    const { code, out } = await imc(['check', '--only', 'pods', '--timeout', '1s', ...others, ...flags]);
    expect([code, out]).toEqual([1, expect.stringContaining(message)]);
  });

  it('refuses a timeout that is no duration, and the exit code is 2', async () => {
    const { code, err } = await check('--namespace', 'a', '--kube-context', 'x', '--timeout=soon');
    expect(code).toBe(2);
    expect(err).toContain('--timeout is given more than once');
    expect(await imc(['check', '--timeout', 'soon'])).toMatchObject({
      code: 2,
      err: expect.stringContaining('--timeout is "soon"; it must be a duration') as string,
    });
  });
});

describe('as a plugin of kubectl', () => {
  const admin = join(folder.path, 'admin');
  const bin = join(folder.path, 'bin');
  const environment = {
    PATH: `${bin}:${process.env['PATH']}`,
    HOME: folder.path,
    KUBECONFIG: admin,
  };
  const kubectl = (...args: readonly string[]): Promise<string> =>
    runOwned(findPrograms('kubectl').kubectl, args, environment);
  beforeAll(async () => {
    folder.write('admin', kubeconfig(plane.url, plane.ca, { token: ADMIN_TOKEN }));
    mkdirSync(bin);
    const { bin: programs } = JSON.parse(readFileSync('package.json', 'utf8')) as {
      bin: Record<string, string>;
    };
    for (const [name, target] of Object.entries(programs))
      symlinkSync(join(process.cwd(), target), join(bin, name));
    const labels = { app: 'shop', 'alibabacloud.com/eci': 'true' };
    await plane.api.create('/apis/apps/v1/namespaces/default/deployments', {
      metadata: { name: 'shop' },
      spec: {
        replicas: 2,
        selector: { matchLabels: { app: 'shop' } },
        template: {
          metadata: { labels },
          spec: {
            containers: [{ name: 'c', image: 'registry.cn-shanghai.aliyuncs.com/eci_open/nginx:1.14.2' }],
          },
        },
      },
    });
    await plane.api.create('/apis/batch/v1/namespaces/default/cronjobs', {
      metadata: { name: 'nightly' },
      spec: {
        schedule: ONCE_A_YEAR,
        jobTemplate: {
          spec: {
            template: {
              spec: { restartPolicy: 'Never', containers: [{ name: 'c', image: 'app:1' }] },
            },
          },
        },
      },
    });
    await makeDue(plane.api, '/apis/batch/v1/namespaces/default/cronjobs/nightly');
  });

  it('kubectl imc explains a workload of the cluster by its name, and lists its pods', async () => {
    await eventually(async () => {
      const out = await kubectl('imc', 'explain', 'deploy/shop');
      expect(out).toContain('Deployment shop in namespace default');
      expect(out).toContain('outcome   hit (BestMatch): imc-sample');
      expect(out.match(/^ {2}shop-\S+ .* Pending +none /gm)).toHaveLength(2);
    }, 30_000);
  });

  it('kubectl imc finds the pods of the Jobs of a CronJob', async () => {
    await eventually(async () => {
      expect(await kubectl('imc', 'explain', 'cj/nightly')).toMatch(/^ {2}nightly-\d+-\S+ /m);
    }, 30_000);
  });

  it('a workload or a kind that is not there is named', async () => {
    await expect(kubectl('imc', 'explain', 'deploy/absent')).rejects.toThrow(
      'there is no Deployment absent in namespace default',
    );
    await expect(kubectl('imc', 'explain', 'raycluster/absent')).rejects.toThrow(
      'the cluster does not have the kind RayCluster (ray.io/v1)',
    );
  });

  it('kubectl completes the commands of the plugin, and the names of workloads', async () => {
    expect(await kubectl('__complete', 'imc', 'sta')).toMatch(/^status\t/);
    expect(await kubectl('__complete', 'imc', 'explain', 'deploy/s')).toMatch(/^deploy\/shop$/m);
  });

  it('kubectl imc wait ends when a cache of the cluster is Ready', async () => {
    expect(await kubectl('imc', 'wait', 'sample')).toBe('sample: Ready\n');
  });

  const has = (program: string): boolean => spawnSync('which', [program]).status === 0;
  it.skipIf(!has('fish'))('fish completes', async () => {
    const script = 'imc completion fish | source; complete -C "imc sta"; complete -C "imc explain deploy/s"';
    const out = await runOwned('fish', ['-c', script], environment);
    expect(out.split('\n').map((line) => line.split('\t')[0])).toEqual(['status', 'deploy/shop', '']);
  });

  it.skipIf(!has('zsh'))('zsh completes', async () => {
    const script = `
      autoload -Uz compinit; compinit -u
      source <(imc completion zsh)
      _describe() { print -rl -- \${(P)2} }
      words=(imc sta); CURRENT=2; _imc
      words=(imc explain deploy/s); CURRENT=3; _imc`;
    const out = await runOwned('zsh', ['-f', '-c', script], environment);
    expect(out.split('\n').map((line) => line.split(':')[0])).toEqual(['status', 'deploy/shop', '']);
  });
});

describe('imc serve', () => {
  it('serves from the cluster, is ready once it is read, and ends with 0 on SIGTERM', async () => {
    const certs = join(folder.path, 'certs');
    const free = ['--port', '0', '--metrics-port', '0', '--host', '127.0.0.1', '--shutdown-delay', '0'];
    const child = start(['serve', ...KUBERNETES, '--tls-self-signed', certs, ...free]);
    let out = '';
    child.stdout!.on('data', (chunk: Buffer) => (out += chunk.toString()));
    const logged = (msg: string): Json => {
      const lines = out.trim().split('\n');
      const entry = lines.map((line) => JSON.parse(line) as Json).find((line) => line['msg'] === msg);
      if (!entry) throw new Error(`not logged: ${msg}`);
      return entry;
    };
    await eventually(() => logged('ready'));
    const { status, body } = await sendHttps(`${String(logged('serving')['address'])}/readyz`, {
      method: 'GET',
      ca: readFileSync(join(certs, 'ca.crt'), 'utf8'),
    });
    expect([status, JSON.parse(body)]).toEqual([
      200,
      expect.objectContaining({
        kinds: expect.arrayContaining([
          expect.objectContaining({ kind: 'ImageCache', state: 'watching', objects: 1 }),
          expect.objectContaining({ kind: 'Selector', state: 'absent', objects: 0 }),
        ]) as unknown,
      }),
    ]);
    const ended = new Promise((resolve) => child.once('close', resolve));
    child.kill('SIGTERM');
    expect(await ended).toBe(0);
    expect(out).not.toContain('"level":50');
  });

  it('refuses bindTime with a source of files', async () => {
    const { code, err } = await imc([
      'serve',
      '--source',
      'files:test/examples/cluster',
      '--bind-time',
      'true',
    ]);
    expect([code, err]).toEqual([2, expect.stringContaining('bindTime needs --source kubernetes')]);
  });
});
