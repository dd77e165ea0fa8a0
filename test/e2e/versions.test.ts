/** The documents name the versions that CI runs. */
import { execFileSync } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { CHART } from './support/chart.ts';
import { findPrograms, type Program } from './support/programs.ts';

/** The names of the test files, such as `chart` for test/e2e/chart.test.ts. */
const FILES = new Set(globSync('test/e2e/*.test.ts').map((file) => basename(file, '.test.ts')));
const COMPATIBILITY = readFileSync('docs/compatibility.md', 'utf8');

// Outside CI, the tests may run with any version.
it.runIf(process.env['CI'] !== undefined).each<[Program, string]>([
  ['kube-apiserver', '--version'],
  ['etcd', '--version'],
  ['kwok', '--version'],
  // A helm that was built from its Go module may know only the major and minor number of its version.
  ['helm', 'version'],
  ['helm3', 'version'],
])('docs/compatibility.md names the version of %s that CI runs', (program, flag) => {
  const said = execFileSync(findPrograms(program)[program], [flag], { encoding: 'utf8' });
  expect(COMPATIBILITY).toContain(/\bv?(\d+\.\d+(?:\.\d+)?)\b/.exec(said)![1]);
});

it('the chart, its page, the README and the compatibility page require the same version of Kubernetes', () => {
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

it('the compatibility page and the Makefile agree on which test files depend on the version', () => {
  const makefile = readFileSync('Makefile', 'utf8');
  const byVersion = /^BY_VERSION := ((?:.*\\\n)*.*)$/m.exec(makefile)![1]!.match(/[\w-]+/g)!;
  const [first, second] = COMPATIBILITY.split('The other files');
  const named = (text: string): string[] =>
    Array.from(text.matchAll(/^\| ([\w, -]+?) +\| /gm), ([, files]) => files!.split(', '))
      .flat()
      .filter((name) => FILES.has(name));
  expect(new Set(named(first!))).toEqual(new Set(byVersion));
  expect(new Set([...named(first!), ...named(second!)])).toEqual(FILES);
});
