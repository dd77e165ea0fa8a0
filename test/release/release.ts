/**
 * Makes what a release consists of, as files in dist/release: the image, the chart, the package, the bill of materials, the
 * provenance and checksums, ready to be signed. `make release` runs it; docs/releases.md says what comes before and after.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';

const OUT = 'dist/release';
const PLATFORMS = 'linux/amd64,linux/arm64';

interface ReleaseOptions {
  /** Whether to build the image, which needs a Docker engine with buildx. */
  readonly hasImage: boolean;
  /** The program helm. */
  readonly helm: string;
}

/** The version that all files state. @throws Error that names those that differ */
export function releaseVersion(): string {
  const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
  const chart = parse(readFileSync('charts/imagecache-webhook/Chart.yaml', 'utf8')) as Record<string, string>;
  const changes = /^## (\d\S*)/m.exec(readFileSync('CHANGELOG.md', 'utf8'))?.[1];
  const stated = {
    'package.json': version,
    'Chart.yaml, version': chart['version'],
    'Chart.yaml, appVersion': chart['appVersion'],
    'CHANGELOG.md, the first heading with a number': changes,
  };
  const other = Object.entries(stated).filter(([, each]) => each !== version);
  if (other.length > 0)
    throw new Error(
      `package.json has version ${version}, but ${other.map(([where, each]) => `${where}: ${each}`).join('; ')}`,
    );
  return version;
}

export function makeRelease({ hasImage, helm }: ReleaseOptions): readonly string[] {
  const version = releaseVersion();
  const run = (command: string, ...args: string[]): string =>
    execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] }).trim();
  rmSync(OUT, { recursive: true, force: true });
  mkdirSync(OUT, { recursive: true });
  run('make', 'sbom');
  copyFileSync('dist/sbom.cdx.json', join(OUT, `imagecache-webhook-${version}.cdx.json`));
  const packed = run('npm', 'pack', '--silent', '--pack-destination', OUT);
  // The chart would have the same name.
  renameSync(join(OUT, packed), join(OUT, `imagecache-webhook-cli-${version}.tgz`));
  run(helm, 'package', 'charts/imagecache-webhook', '--destination', OUT);
  if (hasImage) {
    const image = join(OUT, `imagecache-webhook-image-${version}.oci.tar`);
    checkForBuildx();
    const build = ['buildx', 'build', '--platform', PLATFORMS, '--provenance=false'];
    run('docker', ...build, '--output', `type=oci,dest=${image}`, '.');
  }
  const files = readdirSync(OUT).toSorted();
  const provenance = `imagecache-webhook-${version}.provenance.json`;
  const commit = run('git', 'rev-parse', 'HEAD');
  writeFileSync(join(OUT, provenance), `${JSON.stringify(statement(files, commit, hasImage), null, 2)}\n`);
  const all = [...files, provenance];
  writeFileSync(join(OUT, 'SHA256SUMS'), all.map((file) => `${digestOf(file)}  ${file}\n`).join(''));
  return [...all, 'SHA256SUMS'];
}

/** @throws Error that says what is missing */
function checkForBuildx(): void {
  try {
    execFileSync('docker', ['buildx', 'inspect'], { stdio: 'ignore' });
  } catch {
    throw new Error(
      'the image needs a Docker engine with buildx, and none answers; make release ARGS=--without-image does without',
    );
  }
}

/** An in-toto statement with SLSA's provenance (https://slsa.dev/spec/v1.0/provenance), not yet signed. */
function statement(files: readonly string[], commit: string, hasImage: boolean): object {
  return {
    _type: 'https://in-toto.io/Statement/v1',
    subject: files.map((name) => ({ name, digest: { sha256: digestOf(name) } })),
    predicateType: 'https://slsa.dev/provenance/v1',
    predicate: {
      buildDefinition: {
        buildType: 'make release',
        externalParameters: { target: 'release', image: hasImage },
        resolvedDependencies: [
          { name: 'source', digest: { gitCommit: commit } },
          { name: 'package-lock.json', digest: { sha256: hash(readFileSync('package-lock.json')) } },
        ],
      },
      runDetails: { builder: { id: 'local' }, metadata: { finishedOn: new Date().toISOString() } },
    },
  };
}

function digestOf(file: string): string {
  return hash(readFileSync(join(OUT, file)));
}

function hash(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}

if (import.meta.main) {
  try {
    if (execFileSync('git', ['status', '--porcelain'], { encoding: 'utf8' }) !== '')
      throw new Error(
        'the checkout has changes: commit them first, so that the provenance names what was built',
      );
    const hasImage = !process.argv.includes('--without-image');
    for (const file of makeRelease({ hasImage, helm: 'helm' })) process.stdout.write(`${OUT}/${file}\n`);
  } catch (error) {
    process.stderr.write(`make release: ${Error.isError(error) ? error.message : String(error)}\n`);
    process.exitCode = 1;
  }
}
