/** The pages, headings and files that pages and comments refer to exist. */
import { existsSync, globSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { format, resolveConfig } from 'prettier';
import { describe, expect, it } from 'vitest';
import { RULES } from '../src/core/advice/rules.ts';
import { releaseVersion } from './release/release.ts';
import { COMMANDS_PAGE, commandsPage } from './support/commands-page.ts';

const PAGES = globSync(['*.md', 'docs/**/*.md', 'charts/*/*.md']);
const CODE = globSync(['src/**/*.ts', 'test/**/*.ts']).filter((file) => file !== 'test/docs.test.ts');

function headingsOf(page: string): string[] {
  return Array.from(readFileSync(page, 'utf8').matchAll(/^#+ (.+)$/gm), ([, heading]) => heading!);
}

/** The anchor that hosts of repositories, such as GitHub, make of a heading. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\d\s-]/gu, '')
    .replaceAll(' ', '-');
}

describe.each(PAGES)('%s', (page) => {
  it('links to files and headings that exist', () => {
    const broken = Array.from(
      readFileSync(page, 'utf8').matchAll(/\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)/g),
    )
      .filter(([, path = '', anchor]) => {
        const target = path === '' ? page : normalize(join(dirname(page), path));
        if (!existsSync(target)) return true;
        return (
          anchor !== undefined &&
          statSync(target).isFile() &&
          !headingsOf(target).map(anchorOf).includes(anchor)
        );
      })
      .map(([link]) => link);
    expect(broken).toEqual([]);
  });
});

it('comments cite pages and headings that exist', () => {
  const broken = CODE.flatMap((file) => {
    const text = readFileSync(file, 'utf8').replaceAll(/\n\s*(?:\*|\/\/)\s*/g, ' ');
    return Array.from(text.matchAll(/\b(docs\/[\w/-]+\.md)(?:, "([^"]+)")?/g))
      .filter(
        ([, page = '', heading]) =>
          !existsSync(page) || (heading !== undefined && !headingsOf(page).includes(heading)),
      )
      .map(([citation]) => `${file}: ${citation}`);
  });
  expect(broken).toEqual([]);
});

it('files that comments name exist', () => {
  const names = new Set([...CODE, 'docs.test.ts'].map((file) => file.split('/').at(-1)!));
  const broken = CODE.flatMap((file) =>
    Array.from(readFileSync(file, 'utf8').matchAll(/(?:\*|\/\/)[^\n]*?\b([a-z][\w.-]*\.ts)\b/g))
      // `.test.ts` without a name means any test file.
      .filter(([, name = '']) => name !== 'test.ts' && !names.has(name))
      .map(([, name]) => `${file}: ${name}`),
  );
  expect(broken).toEqual([]);
});

it('docs/advice.md has every rule of advice, as the code has it, and no other', () => {
  const rows = Array.from(
    readFileSync('docs/advice.md', 'utf8').matchAll(/^\| `([\w-]+)` +\| `(\w+)` +\| (.*?) +\|$/gm),
    ([, name, severity, finds]) => ({ name, severity, finds }),
  );
  expect(rows).toEqual(RULES.map(({ name, severity, finds }) => ({ name, severity, finds })));
});

it('docs/commands.md is what the table of commands makes of it', async () => {
  const made = await format(commandsPage(), {
    ...(await resolveConfig(COMMANDS_PAGE)),
    filepath: COMMANDS_PAGE,
  });
  expect(readFileSync(COMMANDS_PAGE, 'utf8'), `node test/support/commands-page.ts`).toBe(made);
});

it('package.json, the chart and CHANGELOG.md state the same version', () => {
  expect(releaseVersion()).toMatch(/^\d+\.\d+\.\d+$/);
});
