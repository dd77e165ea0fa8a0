/**
 * Builds a Dockerfile without an engine and without its base images: each stage in a folder of its own, with its RUN
 * commands on this machine. It supports the instructions that our Dockerfile uses, and refuses all others.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, globSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';

export interface Image {
  /** The folder that stands for `/`. */
  readonly root: string;
  readonly user: string;
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
}

interface Stage {
  readonly root: string;
  workdir: string;
  user: string;
  entrypoint: string[];
  command: string[];
  readonly environment: Record<string, string>;
}

/**
 * @param into an empty folder
 * @param node the Node program to use instead of the base image's
 * @returns the last stage
 */
export function buildImage(context: string, into: string, node: string): Image {
  const stages = new Map<string, Stage>();
  let stage: Stage | undefined;
  for (const [instruction, rest] of instructionsOf(readFileSync(join(context, 'Dockerfile'), 'utf8'))) {
    if (instruction === 'ARG') continue;
    if (instruction === 'FROM') {
      const name = / AS (\w+)$/.exec(rest)?.[1] ?? 'last';
      stage = {
        root: join(into, name),
        workdir: '/',
        user: 'root',
        entrypoint: [],
        command: [],
        environment: {},
      };
      mkdirSync(stage.root);
      if (rest.startsWith('${BUILD}')) copy(node, join(stage.root, 'usr/local/bin/node'));
      stages.set(name, stage);
      continue;
    }
    if (!stage) throw new Error(`${instruction} before FROM`);
    take(stage, instruction, rest, context, stages);
  }
  if (!stage) throw new Error('the Dockerfile has no stage');
  return stage;
}

function instructionsOf(text: string): [string, string][] {
  return text
    .replaceAll('\\\n', ' ')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => [line.slice(0, line.indexOf(' ')), line.slice(line.indexOf(' ') + 1).trim()]);
}

function take(
  stage: Stage,
  instruction: string,
  rest: string,
  context: string,
  stages: ReadonlyMap<string, Stage>,
): void {
  switch (instruction) {
    case 'WORKDIR':
      stage.workdir = rest;
      mkdirSync(join(stage.root, rest), { recursive: true });
      break;
    case 'ENV': {
      const [name = '', value = ''] = rest.split('=');
      stage.environment[name] = value;
      break;
    }
    case 'COPY':
      copyInto(stage, rest, context, stages);
      break;
    case 'RUN':
      execFileSync('bash', ['-ec', rest], {
        cwd: join(stage.root, stage.workdir),
        // The whole environment, because npm may need this machine's settings for the registry.
        env: { ...process.env, PATH: `${join(stage.root, 'usr/local/bin')}:${process.env['PATH']}` },
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      break;
    case 'USER':
      stage.user = rest;
      break;
    case 'ENTRYPOINT':
      stage.entrypoint = JSON.parse(rest) as string[];
      break;
    case 'CMD':
      stage.command = JSON.parse(rest) as string[];
      break;
    case 'EXPOSE':
      break;
    default:
      throw new Error(`this knows no ${instruction}`);
  }
}

function copyInto(stage: Stage, rest: string, context: string, stages: ReadonlyMap<string, Stage>): void {
  const [, from, paths = ''] = /^(?:--from=(\w+) )?(.*)$/.exec(rest)!;
  const sources = paths.split(' ');
  const target = sources.pop()!;
  for (const source of sources) {
    if (from === undefined && !inContext(context, source))
      throw new Error(`.dockerignore leaves ${source} out`);
    const root = from === undefined ? context : stages.get(from)!.root;
    const path = join(root, source);
    const at = target.startsWith('/') ? join(stage.root, target) : join(stage.root, stage.workdir, target);
    copy(path, target.endsWith('/') && statSync(path).isFile() ? join(at, source) : at);
  }
}

function copy(from: string, to: string): void {
  if (!existsSync(from)) throw new Error(`there is no ${from}`);
  mkdirSync(dirname(to), { recursive: true });
  cpSync(from, to, { recursive: true, dereference: false });
}

/** Our .dockerignore names what the context contains, and leaves out the rest. */
function inContext(context: string, source: string): boolean {
  const lines = readFileSync(join(context, '.dockerignore'), 'utf8').trim().split('\n');
  return (
    lines[0] === '*' && lines.some((line) => line.startsWith('!') && globSync(line.slice(1)).includes(source))
  );
}
