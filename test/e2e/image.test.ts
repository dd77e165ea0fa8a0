/** The container image, as far as it can be built without an engine: its content, and that it runs as process 1. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { spawnOwned } from '../support/owned-process.ts';
import { temporaryFolder } from '../support/webhook.ts';
import { buildImage, type Image } from './support/dockerfile.ts';

describe('the container image', () => {
  const folder = temporaryFolder();
  let image: Image;
  beforeAll(() => {
    chmodSync(folder.path, 0o755);
    image = buildImage('.', folder.path, process.execPath);
  });
  afterAll(folder.remove);
  const at = (path: string): string => join(image.root, path);

  it('has the files that it needs to run, and none that only build, test or install', () => {
    const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8')) as {
      packages: Record<string, { dev?: boolean; optional?: boolean; dependencies?: Record<string, string> }>;
    };
    for (const name of Object.keys(packages['']!.dependencies!))
      expect(existsSync(at(`/app/node_modules/${name}`)), name).toBe(true);
    for (const [path, { dev = false, optional = false }] of Object.entries(packages))
      if (dev || optional) expect(existsSync(at(`/app/${path}`)), path).toBe(false);
    expect(globSync('*', { cwd: at('/app') }).toSorted()).toEqual([
      'LICENSE',
      'dist',
      'node_modules',
      'package.json',
    ]);
    expect(existsSync(at('/usr/local/bin/npm'))).toBe(false);
    expect(globSync('**/*.ts', { cwd: at('/app/dist') })).toEqual([]);
  });

  it('has exactly the packages that the bill of materials lists', () => {
    execFileSync('make', ['sbom'], { stdio: 'pipe' });
    const { components } = JSON.parse(readFileSync('dist/sbom.cdx.json', 'utf8')) as {
      components: { name: string }[];
    };
    const installed = globSync('**/node_modules/{@*/*,[!@.]*}/package.json', { cwd: at('/app') }).map(
      (file) => (JSON.parse(readFileSync(at(`/app/${file}`), 'utf8')) as { name: string }).name,
    );
    expect(installed.length).toBeGreaterThan(100);
    expect(new Set(components.map(({ name }) => name))).toEqual(new Set(installed));
  });

  it('is built from base images with a digest, and runs the Node of the lock file', () => {
    const images = [
      ...readFileSync('Dockerfile', 'utf8').matchAll(/^(?:ARG (?:BUILD|BASE)=|FROM )(\S+)/gm),
    ].map(([, name]) => name!);
    expect(images.filter((name) => !name.startsWith('${'))).toEqual([
      expect.stringMatching(/@sha256:[0-9a-f]{64}$/),
      expect.stringMatching(/distroless.*@sha256:[0-9a-f]{64}$/),
    ]);
    const { optionalDependencies } = JSON.parse(readFileSync('package.json', 'utf8')) as {
      optionalDependencies: Record<string, string>;
    };
    const version = execFileSync(at('/usr/local/bin/node'), ['--version'], { encoding: 'utf8' }).trim();
    expect(Object.values(optionalDependencies).map((each) => `v${each}`)).toContain(version);
  });

  it('needs no library that the last base image lacks', () => {
    const needed = execFileSync('ldd', [at('/usr/local/bin/node')], { encoding: 'utf8' });
    const names = [...needed.matchAll(/^\s+(?:\S*\/)?([\w.+-]+?)\.so/gm)].map(([, name]) => name);
    // Of distroless/cc: glibc, libgcc and libstdc++.
    const there = new Set([
      'linux-vdso',
      'libdl',
      'libstdc++',
      'libm',
      'libgcc_s',
      'libpthread',
      'libc',
      'ld-linux-x86-64',
      'ld-linux-aarch64',
      'librt',
    ]);
    expect(names.filter((name) => !there.has(name!))).toEqual([]);
    expect(globSync('**/*.node', { cwd: at('/app/node_modules') })).toEqual([]);
  });

  it('runs as a user with a number, which is not root, and starts Node without a shell', () => {
    expect(image.user).toBe('65532:65532');
    expect(image.entrypoint).toEqual([
      '/usr/local/bin/node',
      '--max-semi-space-size=16',
      '/app/dist/main.js',
    ]);
    expect(image.command).toEqual(['serve']);
  });

  it('serves as its user and as process 1, writes nothing, and ends with 0 at SIGTERM', async () => {
    const tls = temporaryFolder();
    const cluster = temporaryFolder();
    for (const { path } of [tls, cluster]) chmodSync(path, 0o755);
    execFileSync(at(image.entrypoint[0]!), [
      at('/app/dist/main.js'),
      'certs',
      '--out',
      tls.path,
      '--dns',
      'localhost',
    ]);
    for (const file of globSync('*', { cwd: tls.path })) chmodSync(join(tls.path, file), 0o644);
    const isRoot = process.getuid?.() === 0;
    const [uid, gid] = image.user.split(':');
    // Root can give the process its own PID namespace, as a container has.
    const before = isRoot
      ? [
          'unshare',
          '--pid',
          '--fork',
          '--kill-child',
          'setpriv',
          `--reuid=${uid}`,
          `--regid=${gid}`,
          '--clear-groups',
        ]
      : ['env'];
    const [program, ...args] = [
      ...before,
      ...image.entrypoint.map((part) => (part.startsWith('/') ? at(part) : part)),
      ...image.command,
      `--source=files:${cluster.path}`,
      `--tls-cert=${tls.path}/tls.crt`,
      `--tls-key=${tls.path}/tls.key`,
      '--port=0',
      '--metrics-port=0',
      '--shutdown-delay=0',
    ];
    const child = spawnOwned(program, args, { env: image.environment, stdio: ['ignore', 'pipe', 'pipe'] });
    let log = '';
    for (const stream of [child.stdout!, child.stderr!]) stream.on('data', (chunk: Buffer) => (log += chunk));
    await eventually(() => expect(log).toContain('"msg":"ready"'));
    const inner = isRoot
      ? Number(readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8'))
      : child.pid!;
    if (isRoot) expect(readFileSync(`/proc/${inner}/status`, 'utf8')).toMatch(/^NSpid:\s+\d+\s+1$/m);
    process.kill(inner, 'SIGTERM');
    const [code] = (await once(child, 'exit')) as [number];
    expect([code, log]).toEqual([0, expect.stringContaining('"msg":"stopped"')]);
    tls.remove();
    cluster.remove();
  });
});
