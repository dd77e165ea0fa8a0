/** The documents name the versions that are tested. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { CHART } from './support/chart.ts';
import { findPrograms, type Program } from './support/programs.ts';

const COMPATIBILITY = readFileSync('docs/compatibility.md', 'utf8');

/** The first version in what a program says of itself. */
function versionOf(program: Program): string {
  const said = execFileSync(findPrograms(program)[program], ['--version'], { encoding: 'utf8' });
  return /\d+\.\d+\.\d+/.exec(said)![0];
}

// A helm that was built from its module does not know its version.
it.each<Program>(['kube-apiserver', 'etcd', 'kwok'])(
  'docs/compatibility.md names the version of %s that runs here',
  (program) => {
    expect(COMPATIBILITY).toContain(versionOf(program));
  },
);

it('the chart, its page, the README and the compatibility page ask for the same Kubernetes', () => {
  const { kubeVersion } = parse(readFileSync(`${CHART}/Chart.yaml`, 'utf8')) as { kubeVersion: string };
  const oldest = /^>=(1\.\d+)\.0-0$/.exec(kubeVersion)![1]!;
  expect(COMPATIBILITY).toMatch(new RegExp(`^\\| required +\\| ${oldest} or later`, 'm'));
  for (const file of ['README.md', `${CHART}/README.md`])
    expect(readFileSync(file, 'utf8'), file).toContain(`It needs Kubernetes ${oldest} or later`);
});

it('the README names the versions that CI runs', () => {
  const [, newest, older] = /^newest=(\S+) older=(\S+)$/m.exec(readFileSync('.ci/run', 'utf8'))!;
  const readme = readFileSync('README.md', 'utf8');
  const [, first, second] = /CI runs the tests on Kubernetes (\S+) and, in part, on (\d+\.\d+\.\d+)/.exec(
    readme,
  )!;
  expect(first).toMatch(new RegExp(`^${newest}\\.\\d+$`));
  expect(second).toMatch(new RegExp(`^${older}\\.\\d+$`));
  for (const version of [first!, second!]) expect(COMPATIBILITY).toContain(version);
});
