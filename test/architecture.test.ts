/** Enforces the structure of docs/architecture.md, because TypeScript lets every folder import from every other. */
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, it } from 'vitest';

/** The folders from which each folder may import; every folder may also import from itself. */
const MAY_IMPORT: Record<string, readonly string[]> = {
  'clock.ts': [],
  core: [],
  index: ['core'],
  config: ['core'],
  http: ['core'],
  sources: ['core', 'index', 'clock.ts'],
  tls: ['core', 'clock.ts'],
  webhook: ['core', 'http', 'clock.ts'],
  controller: ['core', 'http', 'clock.ts'],
  replay: ['clock.ts', 'core', 'index', 'sources', 'controller'],
  runtime: [
    'clock.ts',
    'core',
    'index',
    'config',
    'http',
    'sources',
    'tls',
    'webhook',
    'controller',
    'replay',
  ],
  cli: ['core', 'config', 'runtime', 'replay'],
  'main.ts': ['cli'],
};
/**
 * Folders of which only types may be imported: a folder that needs something declares it, and the folder that provides
 * it imports the type.
 */
const MAY_IMPORT_TYPES: Record<string, readonly string[]> = {
  sources: ['tls', 'webhook', 'controller'],
  webhook: ['tls'],
};
/** Packages that only some files may import. */
const ONLY_IN: Record<string, RegExp> = {
  '@kubernetes/client-node': /^src\/sources\/kubernetes\//,
  'node-forge': /^src\/tls\//,
  fastify: /^src\/(webhook|http|runtime)\//,
  'fast-json-patch': /^src\/webhook\/json-patch\.ts$/,
  'prom-client': /^src\/(webhook|controller|http)\//,
  pino: /^src\/runtime\//,
  '@alicloud/openapi-client': /^src\/sources\/region\//,
  '@alicloud/credentials': /^src\/sources\/region\//,
};
const LINES = { most: 300, least: 10 };
/** Files that may be shorter, and why. */
const SHORT = new Map([['src/runtime/logger.ts', 'the only one that imports pino']]);

const FILES = globSync('src/**/*.ts').map((file) => file.replaceAll('\\', '/'));

interface Import {
  readonly specifier: string;
  readonly isType: boolean;
}

function importsOf(file: string): Import[] {
  const text = readFileSync(file, 'utf8');
  return Array.from(
    text.matchAll(/(?:^(import|export) (type )?[^;]*?from|import\s*\()\s*'([^']+)'/gm),
    ([, , type, specifier]) => ({ specifier: specifier!, isType: type !== undefined }),
  );
}

/** `@scope/name` of `@scope/name/dist/file.js`. */
function packageOf(specifier: string): string {
  return /^(?:@[^/]+\/)?[^/]+/.exec(specifier)?.[0] ?? specifier;
}

function areaOf(file: string): string {
  return file.split('/')[1]!;
}

describe.each(FILES)('%s', (file) => {
  it('imports only what its folder may import', () => {
    const area = areaOf(file);
    for (const { specifier, isType } of importsOf(file)) {
      if (specifier.startsWith('.')) {
        const target = areaOf(normalize(join(dirname(file), specifier)).replaceAll('\\', '/'));
        const types = isType ? (MAY_IMPORT_TYPES[area] ?? []) : [];
        expect([area, ...MAY_IMPORT[area]!, ...types], specifier).toContain(target);
        continue;
      }
      expect(area, `${specifier}: the core imports nothing`).not.toBe('core');
      expect(file).toMatch(ONLY_IN[packageOf(specifier)] ?? /^src\//);
    }
  });

  it('opens with a sentence that says what it is responsible for', () => {
    expect(readFileSync(file, 'utf8').replace('#!/usr/bin/env node\n', '')).toMatch(
      /^\/\*\*[\s*]+[A-Z`][^]{15,}?\*\//,
    );
  });

  it('is neither too long nor too short to be a file', () => {
    const lines = readFileSync(file, 'utf8').trimEnd().split('\n').length;
    expect(lines).toBeLessThanOrEqual(LINES.most);
    expect(lines).toBeGreaterThanOrEqual(SHORT.has(file) ? 1 : LINES.least);
  });

  it('has a name that says what it holds', () => {
    expect(file).not.toMatch(/\b(utils?|helpers?|types|common|misc|shared)\.ts$/);
  });
});

it('the environment is read in one place', () => {
  expect(FILES.filter((file) => readFileSync(file, 'utf8').includes('process.env'))).toEqual([
    'src/config/load.ts',
  ]);
});

it('the process ends in one place', () => {
  expect(
    FILES.filter((file) =>
      /process\.exit\b/.test(readFileSync(file, 'utf8').replaceAll(/\/\*\*[^]*?\*\//g, '')),
    ),
  ).toEqual(['src/main.ts']);
});

it('the core has no clock, no randomness and no promise', () => {
  for (const file of FILES.filter((each) => areaOf(each) === 'core')) {
    expect(readFileSync(file, 'utf8'), file).not.toMatch(
      /Date\.now|new Date\(\)|Math\.random|performance\.|Promise|\basync\b|\bawait\b|setTimeout|console\./,
    );
  }
});

/** Tests of several files together, which need no place beside one file. */
const FEATURES = new Set([
  'test/cli/cli.test.ts',
  'test/controller/miss-to-hit.test.ts',
  'test/core/decision/region.test.ts',
  'test/tls/certificates.test.ts',
  'test/webhook/certificate-renewal.test.ts',
  'test/webhook/examples.test.ts',
  'test/webhook/hostile.test.ts',
  'test/webhook/limits.test.ts',
  'test/webhook/operations.test.ts',
]);

it('a unit test has the same path in test/ as its file has in src/', () => {
  const tests = globSync(`test/{${Object.keys(MAY_IMPORT).join()}}/**/*.test.ts`);
  expect(tests.length).toBeGreaterThan(30);
  const misplaced = tests.filter(
    (test) => !FEATURES.has(test) && !FILES.includes(test.replace(/^test/, 'src').replace('.test.ts', '.ts')),
  );
  expect(misplaced).toEqual([]);
});
