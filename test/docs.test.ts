/** The pages, headings and files that pages and comments refer to exist. */
import { existsSync, globSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { format, resolveConfig } from 'prettier';
import { describe, expect, it } from 'vitest';
import { RULES } from '../src/core/advice/rules.ts';
import { COMMANDS } from '../src/cli/cli.ts';
import { readFlags } from '../src/cli/flags.ts';
import { releaseVersion } from './release/release.ts';
import { imcHere } from './support/imc.ts';
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

interface ShownCommand {
  readonly page: string;
  /** What follows `imc`. */
  readonly args: readonly string[];
  /** The lines below it, up to the next command or the end of the block. */
  readonly shown: readonly string[];
}

/** The command lines of imc in the console blocks of the pages. */
const SHOWN: readonly ShownCommand[] = PAGES.flatMap((page) => {
  const blocks = readFileSync(page, 'utf8').matchAll(/^```console\n([^]*?)^```/gm);
  return Array.from(blocks, ([, block]) => block!).flatMap((block) =>
    block
      .replaceAll('\\\n', ' ')
      .split(/^\$ /m)
      .flatMap((text): ShownCommand[] => {
        const [line = '', ...shown] = text.trimEnd().split('\n');
        const [, rest] = /^(?:npx |kubectl )?imc (.*)$/.exec(line) ?? [];
        const args = rest?.replace(/ [#>|].*$/, '').match(/'[^']*'|"[^"]*"|\S+/g);
        return args ? [{ page, args: args.map((arg) => arg.replaceAll(/^['"]|['"]$/g, '')), shown }] : [];
      }),
  );
});

describe('what the pages show of imc', () => {
  it.each(SHOWN.map((each) => [each.page, each.args.join(' '), each] as const))(
    '%s: imc %s is a command line that imc takes',
    (_page, _line, { args: [name, ...args] }) => {
      const command = COMMANDS.find((each) => each.name === name);
      expect(command, name).toBeDefined();
      expect(() => readFlags(command!, args)).not.toThrow();
    },
  );

  /** Those that end by themselves, and need no cluster. */
  const offline = SHOWN.filter(
    ({ args }) =>
      args.some((arg) => arg.startsWith('files:test/')) &&
      ['advise', 'explain', 'plan', 'status'].includes(args[0]!),
  );
  it.each(offline.map((each) => [each.page, each.args.join(' '), each] as const))(
    '%s: imc %s prints what is shown, but for ages',
    async (_page, _line, { args, shown }) => {
      const { out } = await imcHere(args);
      const ageless = (line: string): string =>
        line.replaceAll(/\b\d+[smhd]\b/g, 'AGE').replaceAll(/ +/g, ' ');
      const printed = new Set(out.split('\n').map(ageless));
      const missing = shown.filter((line) => !line.includes('…') && !printed.has(ageless(line)));
      expect(missing).toEqual([]);
    },
  );

  it('is tried for some of them', () => {
    expect(offline.length).toBeGreaterThanOrEqual(4);
  });
});
