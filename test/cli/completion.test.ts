/** What a shell completes. test/e2e/cli.test.ts holds zsh, fish and kubectl to it too. */
import { mkdirSync, symlinkSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { imcHere } from '../support/imc.ts';
import { runOwned } from '../support/owned-process.ts';
import { temporaryFolder } from '../support/webhook.ts';

const complete = async (...words: readonly string[]): Promise<string[]> => {
  const { out } = await imcHere(['__complete', ...words]);
  return out
    .trimEnd()
    .split('\n')
    .map((line) => line.split('\t')[0]!);
};

describe('what is completed', () => {
  it.each([
    [['sta'], ['status', ':4']],
    [
      ['status', '-o', ''],
      ['table', 'wide', 'json', 'yaml', ':4'],
    ],
    [
      ['status', '--output=j'],
      ['--output=json', ':4'],
    ],
    [
      ['explain', '--sc'],
      ['--scope', ':4'],
    ],
    [
      ['explain', '--scope', ''],
      ['eci', 'all', ':4'],
    ],
    [['explain', '-f', ''], [':0']],
    [
      ['explain', 'dep'],
      ['deploy/', ':6'],
    ],
    [
      ['explain', '--watch', 'dep'],
      ['deploy/', ':6'],
    ],
    [
      ['check', '--only', 'tr'],
      ['trust', ':4'],
    ],
    [['nothing', ''], [':4']],
    [
      ['completion', ''],
      ['bash', 'zsh', 'fish', ':4'],
    ],
    [
      ['status', '--source', ''],
      ['kubernetes', 'files:DIR', ':4'],
    ],
    [['explain', 'deploy/'], [':4']],
  ])('after %j: %j', async (words, expected) => {
    expect(await complete(...words)).toEqual(expected);
  });

  it('the names of workloads that the source has', async () => {
    const source = ['--source', 'files:test/examples/pods'];
    expect(await complete('explain', ...source, 'deploy/te')).toEqual(['deploy/test', ':4']);
  });
});

describe('in bash', () => {
  let folder: ReturnType<typeof temporaryFolder>;
  beforeAll(() => {
    folder = temporaryFolder();
    mkdirSync(`${folder.path}/bin`);
    symlinkSync(`${process.cwd()}/dist/main.js`, `${folder.path}/bin/imc`);
  });
  afterAll(() => folder.remove());

  it('the script that imc prints completes commands and values', async () => {
    const script = `
      source <(imc completion bash)
      COMP_WORDS=(imc sta); COMP_CWORD=1; _imc; echo "\${COMPREPLY[@]}"
      COMP_WORDS=(imc status -o ""); COMP_CWORD=3; _imc; echo "\${COMPREPLY[@]}"
    `;
    const path = `${folder.path}/bin:${process.env['PATH']}`;
    expect(await runOwned('bash', ['-c', script], { PATH: path })).toBe('status\ntable wide json yaml\n');
  });
});

it('a shell that is not known is refused', async () => {
  expect(await imcHere(['completion', 'tcsh'])).toMatchObject({
    code: 2,
    err: expect.stringContaining('give one shell: bash, zsh, fish') as string,
  });
});
