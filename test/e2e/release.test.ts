/** What `make release` makes, except the image, which needs an engine. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { makeRelease, releaseVersion } from '../release/release.ts';
import { findPrograms } from './support/programs.ts';

describe('a release', () => {
  const version = releaseVersion();
  let files: readonly string[];
  beforeAll(() => {
    files = makeRelease({ hasImage: false, helm: findPrograms('helm').helm });
  });
  const read = (file: string): string => readFileSync(`dist/release/${file}`, 'utf8');

  it('has the chart, the package, the bill of materials, the provenance and the checksums', () => {
    expect(files.toSorted()).toEqual(
      [
        'SHA256SUMS',
        `imagecache-webhook-${version}.cdx.json`,
        `imagecache-webhook-${version}.provenance.json`,
        `imagecache-webhook-${version}.tgz`,
        `imagecache-webhook-cli-${version}.tgz`,
      ].toSorted(),
    );
  });

  it('has checksums that hold, of every other file', () => {
    const out = execFileSync('sha256sum', ['--check', 'SHA256SUMS'], {
      cwd: 'dist/release',
      encoding: 'utf8',
    });
    expect(
      out
        .trim()
        .split('\n')
        .map((line) => line.replace(': OK', '')),
    ).toEqual(files.filter((file) => file !== 'SHA256SUMS'));
  });

  it('has a provenance that names the commit and the digest of each file', () => {
    const { subject, predicate } = JSON.parse(read(`imagecache-webhook-${version}.provenance.json`)) as {
      subject: { name: string; digest: { sha256: string } }[];
      predicate: { buildDefinition: { resolvedDependencies: { digest: Record<string, string> }[] } };
    };
    const sums = new Map(
      read('SHA256SUMS')
        .trim()
        .split('\n')
        .map((line) => line.split('  ').toReversed() as [string, string]),
    );
    for (const { name, digest } of subject) expect(digest.sha256).toBe(sums.get(name));
    const commit = execFileSync('git', ['rev-parse', 'HEAD'], { encoding: 'utf8' }).trim();
    expect(predicate.buildDefinition.resolvedDependencies[0]?.digest).toEqual({ gitCommit: commit });
  });

  it('has a chart that helm reads, and a package with the programs and nothing that only builds or tests', () => {
    const { helm } = findPrograms('helm');
    const chart = execFileSync(helm, ['show', 'chart', `dist/release/imagecache-webhook-${version}.tgz`], {
      encoding: 'utf8',
    });
    expect(chart).toContain('artifacthub.io/license: Apache-2.0');
    const list = execFileSync('tar', ['tzf', `dist/release/imagecache-webhook-cli-${version}.tgz`], {
      encoding: 'utf8',
    }).split('\n');
    expect(list).toContain('package/dist/main.js');
    expect(list.filter((file) => /^package\/(?:src|test)\/|release|\.tgz$/.test(file))).toEqual([]);
  });
});
