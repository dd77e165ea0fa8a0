/** TypeScript has no wall between folders; this is it. design.md, "Structure". */
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, it } from 'vitest';

/** Which folders each may import from, itself always included. */
const MAY_IMPORT: Record<string, readonly string[]> = {
  core: [],
  index: ['core'],
  config: ['core'],
  metrics: [],
  sources: ['core', 'index', 'metrics'],
  tls: ['core'],
  provisioner: ['core'],
  server: ['core', 'metrics'],
  runtime: ['core', 'index', 'config', 'metrics', 'sources', 'tls', 'provisioner', 'server'],
  cli: ['core', 'config', 'runtime'],
  'main.ts': ['cli'],
};
/** Packages that only one place may know. */
const ONLY_IN: Record<string, RegExp> = {
  '@kubernetes/client-node': /^src\/sources\/kubernetes\//,
  'node-forge': /^src\/tls\//,
  fastify: /^src\/(server|runtime)\//,
  'prom-client': /^src\/(metrics|server)\//,
  pino: /^src\/runtime\//,
};

const FILES = globSync('src/**/*.ts').map((file) => file.replaceAll('\\', '/'));

function importsOf(file: string): string[] {
  const text = readFileSync(file, 'utf8');
  return Array.from(text.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g), ([, specifier]) => specifier!);
}

function areaOf(file: string): string {
  return file.split('/')[1]!;
}

describe.each(FILES)('%s', (file) => {
  it('imports only what its layer may', () => {
    for (const specifier of importsOf(file)) {
      if (specifier.startsWith('.')) {
        const target = areaOf(normalize(join(dirname(file), specifier)).replaceAll('\\', '/'));
        expect([areaOf(file), ...MAY_IMPORT[areaOf(file)]!], specifier).toContain(target);
        continue;
      }
      expect(areaOf(file), `${specifier}: the core imports nothing`).not.toBe('core');
      expect(file).toMatch(ONLY_IN[specifier] ?? /^src\//);
    }
  });

  it('opens with what it owns', () => {
    expect(readFileSync(file, 'utf8').replace('#!/usr/bin/env node\n', '')).toMatch(/^\/\*\*[\s*]+Owns /);
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
